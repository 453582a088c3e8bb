"""The score of a handout's files, by the grader of the source tree that they were made of.

It runs in a process of its own, because the source may be another one than the package that runs here:
`python scoring.py TREE` prints the scores of what was handed out and of the solutions, and how many points there are.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path


class ScoringError(ValueError):
    """The grader could not grade; the message is what it said."""


def scores(source: Path) -> tuple[float, float, int]:
    """The points of the handout as it is, of the solutions put back, and all that there are."""
    command = [sys.executable, "-B", __file__, str(source.resolve())]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ScoringError((result.stderr.strip().splitlines() or ["it was ended"])[-1])
    blank, solved, points = json.loads(result.stdout)
    return blank, solved, points


def _main(root: str) -> None:
    """Prints the scores as JSON, by the package whose folder is `root`."""
    place = str(Path(root, "__init__.py"))
    spec = importlib.util.spec_from_file_location("handgrad", place, submodule_search_locations=[root])
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["handgrad"] = package
    spec.loader.exec_module(package)

    from handgrad.course.handout import assignment_of, skeleton, solved
    from handgrad.grading.grade import Grader

    handout, assignment = skeleton(Path(root)), assignment_of(Path(root))
    # With a line of the student's own in each, lest the grader leave files alone that are as they were handed out.
    blank = {path: handout[path] + b"\n# my own\n" for path in assignment.files}
    grader = Grader(handout, assignment, b"proof", explains=False)
    found = [grader.grade(files, what).points for what, files in (("blank", blank), ("solved", solved(Path(root))))]
    print(json.dumps([*found, assignment.points]))


if __name__ == "__main__":
    _main(sys.argv[1])
