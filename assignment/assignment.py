"""What an assignment is: parts, each one file of the student's, and their tasks, each one blank in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handgrad.assignment.tables import AssignmentError, Table, read_toml

__all__ = ["NAME", "Assignment", "AssignmentError", "Part", "Task", "as_toml", "read"]

NAME = "assignment.toml"
"""The file in the handout's root."""

WORD = "[a-z_][a-z0-9_]*"
FILE = r"([A-Za-z0-9_]+/)*[A-Za-z0-9_]+\.py"


@dataclass(frozen=True)
class Task:
    name: str
    """Such as fc.backward: its part's name and its own."""
    points: int
    hint: str = ""


@dataclass(frozen=True)
class Part:
    name: str
    title: str
    file: str
    """Its path in the handout, with slashes."""
    tasks: tuple[Task, ...]

    @property
    def points(self) -> int:
        return sum(task.points for task in self.tasks)


@dataclass(frozen=True)
class Assignment:
    title: str
    deadline: str
    version: str
    """Of handgrad, which the handout was made with."""
    python: str
    """The versions of Python that fit, such as >=3.10."""
    packages: tuple[str, ...]
    """What it needs installed, as pip takes it."""
    parts: tuple[Part, ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(task for part in self.parts for task in part.tasks)

    @property
    def points(self) -> int:
        return sum(part.points for part in self.parts)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the student writes in and hands in."""
        return tuple(part.file for part in self.parts)

    def part(self, name: str) -> Part:
        """The part of that name, or the one that a task of that name belongs to. AssignmentError if there is none."""
        for part in self.parts:
            if name == part.name or any(name == task.name for task in part.tasks):
                return part
        parts = ", ".join(part.name for part in self.parts)
        raise AssignmentError(f"there is no part or task {name!r}; the parts are {parts}")


def read(path: Path) -> Assignment:
    """The assignment in a handout's assignment.toml. AssignmentError in one sentence if it is none."""
    table = read_toml(path)
    assignment = Assignment(
        table.text("title"),
        table.text("deadline"),
        table.text("version"),
        table.text("python"),
        table.texts("packages"),
        tuple(_part(part) for part in table.tables("part")),
    )
    table.end()
    names = [part.name for part in assignment.parts] + [task.name for task in assignment.tasks]
    for kind, values in (("name", names), ("file", list(assignment.files))):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise AssignmentError(f"{path}: the {kind} {twice!r} is there twice")
    return assignment


def as_toml(assignment: Assignment) -> str:
    """The text that `read` reads."""
    return "\n".join(_lines(assignment)) + "\n"


def _part(table: Table) -> Part:
    name = table.name("name", WORD, "fc")
    title, file = table.text("title"), table.name("file", FILE, "layers/fc.py")
    tasks = tuple(_task(task, name) for task in table.tables("task"))
    table.end()
    return Part(name, title, file, tasks)


def _task(table: Table, part: str) -> Task:
    name = table.name("name", rf"{part}\.{WORD}", f"{part}.backward")
    task = Task(name, table.whole("points"), table.text("hint", ""))
    table.end()
    return task


def _lines(assignment: Assignment) -> Iterator[str]:
    yield "# Made by handgrad handout: what there is to do, and for how many points."
    for key in ("title", "deadline", "version", "python"):
        yield f"{key} = {_quoted(getattr(assignment, key))}"
    yield f"packages = [{', '.join(map(_quoted, assignment.packages))}]"
    for part in assignment.parts:
        yield "\n[[part]]"
        for key in ("name", "title", "file"):
            yield f"{key} = {_quoted(getattr(part, key))}"
        for task in part.tasks:
            yield "[[part.task]]"
            yield f"name = {_quoted(task.name)}"
            yield f"points = {task.points}"
            if task.hint:
                yield f"hint = {_quoted(task.hint)}"


def _quoted(words: str) -> str:
    return json.dumps(words, ensure_ascii=False)
