"""PrairieLearn: a question that is graded externally, and results.json."""

from __future__ import annotations

import sys
import traceback
import uuid
from pathlib import Path
from typing import Any

from handgrad.assignment.assignment import Assignment
from handgrad.grading.platforms.package import Settings, as_json, grader, tarred, template
from handgrad.grading.platforms.run import NOT_GRADED, Run, grade, told, write

ROOT = "/grade"
FOLDER = "serverFilesCourse/handgrad"
IMAGE = "handgrad-grader"
TIMEOUT = 600
"""Seconds."""


def package(source: Path, settings: Settings) -> dict[str, bytes]:
    """Files for the course's repository: the question, the grader, and what the image is made of."""
    assignment, files = grader(source, settings)
    return {
        "questions/handgrad/info.json": as_json(_info(assignment)),
        "questions/handgrad/question.html": template("prairielearn/question.html"),
        f"{FOLDER}/run.sh": template("prairielearn/run.sh"),
        f"{FOLDER}/grader.tar": tarred(files),
        f"{FOLDER}/not_graded.json": as_json(not_graded()),
        "image/Dockerfile": template("Dockerfile"),
        "image/requirements.txt": template("requirements.txt"),
    }


def results(run: Run, length: int) -> dict[str, Any]:
    """results.json, with texts of at most `length` characters."""
    if run.refused:
        return {"gradable": False, "message": run.opening(length)}
    tests = [
        {
            "name": task.name,
            "description": part.title,
            "points": task.points,
            "max_points": task.out_of,
            "message": told(task, length),
            "output": "",
        }
        for part in run.result.parts
        for task in part.tasks
    ]
    result = run.result
    return {
        "gradable": True,
        "score": min(1.0, result.points / result.out_of),
        "message": f"{result.points:g} of {result.out_of} points",
        "output": run.opening(length),
        "tests": tests,
        "extra_data": run.for_staff(),  # kept with the submission; the page of the question does not show it
    }


def not_graded() -> dict[str, Any]:
    """results.json of a submission that could not be graded, which costs no attempt."""
    return {"gradable": False, "message": NOT_GRADED}


def main(root: Path) -> int:
    """Grades root/student into root/results/results.json. Returns 1 if that says that it could not be graded."""
    path = root / "results" / "results.json"
    try:
        run = grade(root / "student")
        write(path, lambda length: results(run, length))
    except Exception:
        traceback.print_exc()  # in the grading job's log, which staff can read
        write(path, lambda length: not_graded())
        return 1
    sys.stdout.buffer.write(as_json(run.for_staff()))
    return 0


def _info(assignment: Assignment) -> dict[str, Any]:
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, assignment.title)),
        "title": assignment.title,
        "topic": "Programming",
        "type": "v3",
        "singleVariant": True,
        "gradingMethod": "External",
        "externalGradingOptions": {
            "enabled": True,
            "image": IMAGE,
            "serverFilesCourse": ["handgrad/"],
            "entrypoint": f"{ROOT}/{FOLDER}/run.sh",
            "timeout": TIMEOUT,
            "enableNetworking": False,
        },
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT)))
