"""`handgrad pack`: the student's files in one archive, to hand in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from handgrad.assignment.archive import zipped
from handgrad.assignment.assignment import Assignment, AssignmentError
from handgrad.assignment.blanks import state_of
from handgrad.files import PathLike, written

DEFAULT = "submission.zip"


def pack(assignment: Assignment, root: Path, out: PathLike, *, overwrite: bool = False) -> list[str]:
    """Writes the files of the assignment's parts, as they are in the handout `root`, to the archive `out`.

    The same files give the same archive to the byte. Returns what is missing or unfinished, a line each.
    AssignmentError if there is nothing to hand in, or if `out` is there already and is not to be overwritten.
    """
    out = Path(out)
    if out.suffix.lower() != ".zip":
        raise AssignmentError(f"--out: expected a name that ends in .zip, got {str(out)!r}")
    if out.exists() and not overwrite:
        raise AssignmentError(f"{out} is there already; add --overwrite to replace it")
    files = {path: (root / path).read_bytes() for path in assignment.files if (root / path).is_file()}
    if not files:
        raise AssignmentError(f"{root}: none of the assignment's files is there: {', '.join(assignment.files)}")
    with written(out) as file:
        file.write(zipped(files))
    return list(_unfinished(assignment, root))


def _unfinished(assignment: Assignment, root: Path) -> Iterator[str]:
    for part in assignment.parts:
        state = state_of(part, root)
        if state.unreadable:
            yield f"{state.unreadable} ({part.points} points)"
        for task in part.tasks:
            if task.name in state.blanks:
                yield f"{task.name} is still blank: {part.file}, line {state.blanks[task.name]} ({task.points} points)"
