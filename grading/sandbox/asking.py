"""Asks a student's code one question after the other, inside the sandbox; child.py keeps it out of that code's reach.

Everything that is used here after the code was imported is this module's own, the tree's assignment/probes, or written
in C: functions of Python's library can be changed under their names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from os import _exit, write
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from handgrad.grading.sandbox.protocol import frame
else:
    from protocol import frame

SEPARATOR = os.sep


class Asked(NamedTuple):
    """Probes, and what runs them."""

    probes: list[Any]
    run: Callable[[Any], Any]


def prepared(questions: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> Asked:
    """The questions as probes; imports what runs them, and nothing of the student's."""
    from handgrad.assignment.probes import Probe, run, runner

    probes = [Probe(**fields, arrays=arrays) for fields, arrays in questions]
    for probe in probes:
        runner(probe.kind)
    return Asked(probes, run)


def answer(asked: Asked, descriptor: int, tree: str, flush: Callable[[], Any] = sys.stdout.flush) -> NoReturn:
    """Writes a frame of arrays, or of the error in their place, for each probe, and ends the process."""
    for index, probe in enumerate(asked.probes):
        try:
            reply = frame({"probe": index}, asked.run(probe))
        except BaseException as error:
            reply = frame({"probe": index, "error": _described(error, probe.module, tree)}, {})
        send(descriptor, reply)
        try:
            flush()
        except Exception:
            continue
    _exit(0)


def send(descriptor: int, data: bytes) -> None:
    while data:
        data = data[write(descriptor, data) :]


def _described(error: BaseException, module: str, tree: str) -> list[str]:
    """[type's name, message, "file:line" of the student's file] of an error whose methods may be hostile too."""
    try:
        name = "".join([type(error).__name__])  # join gives a str, never one of its subclasses
        place = "".join([_place(error, module, tree)])
    except BaseException:
        name, place = "an error", ""
    try:
        message = "".join([str(error.msg if isinstance(error, SyntaxError) else error)])
    except BaseException:
        message = ""
    return [name[:100], message[:2000], place]


def _place(error: BaseException, module: str, tree: str) -> str:
    """Where in the student's file it happened: the innermost line there, else the innermost of the package."""
    theirs = module.removeprefix("handgrad.").replace(".", "/") + ".py"
    root = f"{tree}{SEPARATOR}handgrad{SEPARATOR}"
    places = []
    step = error.__traceback__
    while step is not None:
        places.append((step.tb_frame.f_code.co_filename, step.tb_lineno))
        step = step.tb_next
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno or 0))
    inside = [(path[len(root) :], line) for path, line in places if path.startswith(root)]
    inside = [(path, line) for path, line in inside if not path.startswith("assignment/")]
    own = [(path, line) for path, line in inside if path == theirs]
    return "{}:{}".format(*(own or inside)[-1]) if inside else ""
