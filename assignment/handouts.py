"""Which handout is in use."""

from __future__ import annotations

from pathlib import Path

from handgrad.assignment.assignment import NAME, Assignment, AssignmentError, read
from handgrad.assignment.importing import ROOT, is_handout


def in_use() -> tuple[Assignment, Path]:
    """The handout that is imported as `handgrad`, and its folder.

    AssignmentError if it is none, or if the command was given in the folder of another one.
    """
    if not is_handout():
        raise AssignmentError(f"{ROOT} is no handout: it has no {NAME}; this command is for the students of one")
    here = around(Path.cwd())
    if here is not None and here != ROOT:
        raise AssignmentError(f"this folder is the handout {here}, but the one in use is {ROOT}: {mend(here)}")
    return read(ROOT / NAME), ROOT


def around(folder: Path) -> Path | None:
    """The handout that `folder` is, lies in, or has as its folder handgrad; None if there is none."""
    folder = folder.resolve()
    for candidate in (folder, folder / "handgrad", *folder.parents):
        if (candidate / NAME).is_file() and (candidate / "gradcheck.py").is_file():
            return candidate
    return None


def mend(handout: Path) -> str:
    """What makes Python use that handout."""
    return f"python -m pip install -e {handout}"
