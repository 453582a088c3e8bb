"""Autolab: autograde.tar with its Makefile, and scores on the last line of standard output.

Students read all that is printed. So flags and missing locks, which are for staff, are not: `handgrad grade` gives them
of the submissions as Autolab lets staff download them. Where grading fails there is no line of scores, and Autolab
gives none.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

from handgrad.grading.platforms.package import Settings, grader, tarred, template
from handgrad.grading.platforms.run import LENGTHS, NOT_GRADED, Run, grade, told


def package(source: Path, settings: Settings) -> dict[str, bytes]:
    """What is uploaded to Autolab, and what its image is made of: path -> content."""
    _, files = grader(source, settings)
    return {
        "autograde.tar": tarred(files),
        "autograde-Makefile": template("autolab/autograde-Makefile"),
        "image/Dockerfile": template("Dockerfile"),
        "image/requirements.txt": template("requirements.txt"),
    }


def feedback(run: Run, length: int = LENGTHS[0]) -> str:
    """What the student reads, and on the last line the points of each part."""
    lines = [run.opening(length)]
    for part in run.result.parts:
        lines.append(f"\n{part.name}: {part.points:g} of {part.out_of}  {part.title}")
        for task in part.tasks:
            text = told(task, length).replace("\n", "\n    ")
            lines.append(f"  {task.name}: {task.points:g} of {task.out_of}\n    {text}")
    scores = {part.name: part.points for part in run.result.parts}
    return "\n".join([*lines, "", json.dumps({"scores": scores}, allow_nan=False)]).lstrip("\n")


def main(submission: Path) -> int:
    """Grades `submission` and prints what Autolab reads. Returns 1 where it could not be graded."""
    try:
        text = feedback(grade(submission))
    except Exception as error:
        traceback.print_exc()
        print(f"{NOT_GRADED} ({type(error).__name__})", flush=True)
        return 1
    sys.stdout.buffer.write(text.encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
