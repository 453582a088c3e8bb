"""Which tasks are still to do: read off the files, without running them."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from handgrad.assignment.assignment import NAME, Part, read
from handgrad.assignment.importing import ROOT, is_handout, sentence

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What reading a file as Python may raise."""


@dataclass(frozen=True)
class State:
    """What can be said of a part's file by reading it."""

    blanks: dict[str, int] = field(default_factory=dict)
    """The tasks that are still blank, and the lines that say so."""
    unreadable: str = ""
    """Why the file cannot be read as Python; "" if it can."""


def state_of(part: Part, root: Path) -> State:
    """The state of a part in the handout `root`."""
    path = root / part.file
    if not path.is_file():
        return State(unreadable=f"{part.file}: no such file")
    try:
        return State(blanks_in(path.read_bytes(), part))
    except (*UNREADABLE, OSError) as error:
        return State(unreadable=sentence(error, part.file))


def blanks_in(content: bytes, part: Part) -> dict[str, int]:
    """The tasks of a part that are blank in its file's `content`, and the lines; UNREADABLE if it is no Python."""
    found = dict(_raised(ast.parse(content)))
    return {task.name: found[task.name] for task in part.tasks if task.name in found}


def blank_in_use(error: Exception) -> str | None:
    """One sentence for a blank of this handout that was run; None if `error` comes of something else."""
    if not isinstance(error, NotImplementedError) or not is_handout() or len(error.args) != 1:
        return None
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    for part in read(ROOT / NAME).parts:
        if trace is not None and any(error.args[0] == task.name for task in part.tasks):
            return f"{error.args[0]} is still blank: {part.file}, line {trace.tb_lineno}"
    return None


def fault_in_use(error: Exception) -> str | None:
    """One sentence for an error that came out of a part of this handout; None for any other."""
    if not is_handout():
        return None
    parts = {str(ROOT / part.file): part.file for part in read(ROOT / NAME).parts}
    walked = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    inside = [parts[path] for path in walked if path in parts]
    return sentence(error, inside[-1]) if inside else None


def _raised(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(text, line) of every `raise NotImplementedError("text")` that does not come after a return."""
    for node in ast.walk(tree):
        for block in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            for statement in block if isinstance(block, list) else []:
                if isinstance(statement, ast.Return):
                    break
                if isinstance(statement, ast.Raise) and (text := _not_implemented(statement)):
                    yield text, statement.lineno


def _not_implemented(statement: ast.Raise) -> str | None:
    match statement.exc:
        case ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=str(text))]):
            return text
    return None
