"""Points put into a Canvas gradebook, as the class itself exports it, for Canvas to import again.

A submission belongs to a student if Canvas named it in the zip of all submissions, doejane_12345_67890_handgrad.zip (in
some with LATE_ or LTI_), where 12345 is the student's ID; or else if its name is, or begins with and then has a _, the
student's SIS login ID (with or without its @...), SIS user ID, ID, or name, as doejane.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ASSIGNMENT = re.compile(r"(?P<title>.*\S)\s*\((?P<id>\d+)\)")
"""The heading of an assignment's column."""

CANVAS_NAME = re.compile(r"(?P<who>[^_]+)_(?:LATE_|LTI_)*(?P<id>\d+)_(?:\d+|question_\d+_\d+)_.*")
IDS = ("SIS Login ID", "SIS User ID", "ID", "Student")


class GradebookError(ValueError):
    """The export cannot be filled in; one sentence says why."""


@dataclass(frozen=True)
class Filled:
    """The gradebook with the points, and a sentence for whatever did not go as expected."""

    text: str
    notes: list[str]
    students: int
    """How many got points."""


def read(path: Path) -> str:
    """The text of an export. GradebookError where it is none, OSError where it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise GradebookError(f"{path}: expected a gradebook exported by Canvas, in UTF-8") from None


def filled(text: str, points: Mapping[str, float], out_of: float, assignment: str) -> Filled:
    """The exported gradebook `text` with `points` (submission: its points) in the column of `assignment`.

    `assignment` is the column's title, its heading or its number. Everything else stays as it is; a student without a
    submission, or with more than one, keeps what is there. GradebookError where there is no such column.
    """
    gradebook = _Gradebook(text)
    column = gradebook.column(assignment)
    notes = list(gradebook.doubts(column, out_of))
    owners: dict[int, list[str]] = {}
    for name in sorted(points):
        row = gradebook.student(name)
        if row is None:
            notes.append(f"{name}: no such student in the gradebook; {points[name]:g} points are not in it")
        else:
            owners.setdefault(row, []).append(name)
    count = 0
    for row, names in owners.items():
        who = gradebook.rows[row][0]
        if len(names) > 1:
            given = ", ".join(f"{name} ({points[name]:g} points)" for name in names)
            notes.append(f"{who}: has {len(names)} submissions, {given}; none is in the gradebook")
            continue
        before, after = gradebook.cell(row, column), f"{points[names[0]]:g}"
        if before.strip() and before.strip() != "EX" and _number(before) != points[names[0]]:
            notes.append(f"{who}: {before.strip()} was there, {after} is now")
        if before.strip() == "EX":
            notes.append(f"{who}: is excused and stays so; {after} points are not in the gradebook")
            continue
        gradebook.put(row, column, after)
        count += 1
    return Filled(gradebook.text(), notes, count)


class _Gradebook:
    """The rows of an export; the students' begin after the row of possible points."""

    def __init__(self, text: str) -> None:
        self.separator = ";" if re.match(r'"?Student"?;', text) else ","
        self.ending = "\r\n" if "\r\n" in text else "\n"
        try:
            self.rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.separator, strict=True))
        except csv.Error as error:
            raise GradebookError(f"expected a gradebook exported by Canvas: {error}") from None
        self.header = self.rows[0] if self.rows else []
        if self.header[:1] != ["Student"] or "ID" not in self.header:
            start = self.separator.join(self.header[:3])
            raise GradebookError(f"expected a gradebook exported by Canvas, with columns Student and ID, got {start!r}")
        possible = [i for i, row in enumerate(self.rows) if row and row[0].strip() == "Points Possible"]
        if not possible:
            raise GradebookError("expected a gradebook exported by Canvas, with a row Points Possible; there is none")
        self.possible = possible[0]
        self.students = [i for i in range(self.possible + 1, len(self.rows)) if self.cell(i, self.header.index("ID"))]

    def column(self, wanted: str) -> int:
        titles = {i: match for i, name in enumerate(self.header) if (match := ASSIGNMENT.fullmatch(name))}
        found = [i for i, match in titles.items() if wanted in (match[0], match["title"], match["id"])]
        if len(found) != 1:
            there = ", ".join(repr(match[0]) for match in titles.values()) or "none"
            count = "several columns" if found else "no column"
            raise GradebookError(f"the gradebook has {count} of the assignment {wanted!r}; its assignments: {there}")
        return found[0]

    def doubts(self, column: int, out_of: float) -> Iterator[str]:
        possible = self.cell(self.possible, column)
        if _number(possible) != out_of:
            yield f"{self.header[column]}: {possible.strip() or 'no'} points in Canvas, {out_of:g} here; not scaled"

    def student(self, name: str) -> int | None:
        """The row of the one student whose submission that is."""
        canvas = CANVAS_NAME.fullmatch(name)
        if canvas:
            return self._only("ID", canvas["id"])
        starts = [name[: match.start()] for match in re.finditer("_|$", name)]
        for start in reversed(starts):
            for heading in IDS:
                row = self._only(heading, start)
                if row is not None:
                    return row
        return None

    def _only(self, heading: str, key: str) -> int | None:
        """The one row that has `key` under `heading`."""
        if heading not in self.header:
            return None
        column = self.header.index(heading)
        found = [i for i in self.students if key.casefold() in _keys(heading, self.cell(i, column))]
        return found[0] if len(found) == 1 else None

    def cell(self, row: int, column: int) -> str:
        return self.rows[row][column] if column < len(self.rows[row]) else ""

    def put(self, row: int, column: int, value: str) -> None:
        self.rows[row] += [""] * (column + 1 - len(self.rows[row]))
        self.rows[row][column] = value

    def text(self) -> str:
        file = io.StringIO(newline="")
        csv.writer(file, delimiter=self.separator, lineterminator=self.ending).writerows(self.rows)
        return file.getvalue()


def _keys(heading: str, cell: str) -> set[str]:
    """What a submission may be called by a student's cell."""
    cell = cell.strip().casefold()
    if heading == "Student":
        return {"".join(filter(str.isalnum, cell))}
    return {cell, cell.partition("@")[0]} if heading == "SIS Login ID" else {cell}


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
