"""Gradescope: autograder.zip, and results.json.

Students do not see their total while any test is hidden from them. So what is for staff only is never a hidden test: it
stands in `extra_data` and on standard output. Where grading failed a hidden test is what withholds the score.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from handgrad.grading.platforms.package import Settings, as_json, grader, template
from handgrad.grading.platforms.run import NOT_GRADED, Run, grade, told, write
from handgrad.grading.sandbox import plain

VISIBILITIES = ("visible", "after_due_date", "after_published")
ROOT = "/autograder"


def package(source: Path, settings: Settings) -> dict[str, bytes]:
    """What autograder.zip holds: path -> content."""
    assignment, files = grader(source, settings)
    return {
        **files,
        "setup.sh": template("gradescope/setup.sh"),
        "run_autograder": template("gradescope/run_autograder"),
        "requirements.txt": template("requirements.txt"),
        "not_graded.json": as_json(not_graded(assignment.points, "The grader was ended before it could finish.")),
    }


def results(run: Run, length: int) -> dict[str, Any]:
    """results.json, with texts of at most `length` characters."""
    tests = [
        {
            "name": f"{task.name}: {part.title}",
            "number": f"{i}.{j}",
            "score": task.points,
            "max_score": task.out_of,
            "output": told(task, length),
            "output_format": "text",
            "tags": [part.name],
            "visibility": run.settings.visibility,
        }
        for i, part in enumerate(run.result.parts, 1)
        for j, task in enumerate(part.tasks, 1)
    ]
    return {
        "execution_time": round(run.seconds, 2),
        "output": run.opening(length),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "extra_data": run.for_staff(),
        "tests": tests,
    }


def not_graded(out_of: float, reason: str) -> dict[str, Any]:
    """results.json of a submission that could not be graded: a sentence for the student, the reason for staff."""
    shown = {"output": NOT_GRADED, "output_format": "text", "score": 0, "max_score": 0, "visibility": "visible"}
    hidden = {"output": reason, "output_format": "text", "score": 0, "max_score": out_of, "visibility": "hidden"}
    return {
        "output": NOT_GRADED,
        "stdout_visibility": "hidden",
        "extra_data": {"graded": False},
        "tests": [{"name": "Not graded", **shown}, {"name": "Why it was not graded, for staff", **hidden}],
    }


def main(root: Path) -> int:
    """Grades root/submission into root/results/results.json. Returns 1 if that says that it could not be graded."""
    path = root / "results" / "results.json"
    try:
        run = grade(root / "submission")
        write(path, lambda length: results(run, length))
    except Exception:
        reason = traceback.format_exc()
        print(reason)
        write(path, lambda length: not_graded(0, plain(reason[-length:], length)))
        return 1
    sys.stdout.buffer.write(as_json(run.for_staff()))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT)))
