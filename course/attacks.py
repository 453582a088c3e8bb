"""The project's own hostile submissions against an assignment's grader: which of them would pay."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from handgrad.assignment.assignment import Part
from handgrad.course.plan import decoded
from handgrad.course.regions import MarkerError, regions_of, replaced
from handgrad.grading.grade import Grader
from handgrad.grading.submission import SubmissionError, digest, read

FOLDER = "tests/submissions"
PACKAGE = "handgrad_hostile_submissions"
TOLD = 8
"""Letters that a secret has to have, that its being in the report is no accident."""

SETTLED = 4.0
"""Seconds after the last attack until what it left has shown itself."""


@dataclass(frozen=True)
class Attack:
    """A hostile submission and what it would gain; `problems` is empty when it does not pay."""

    name: str
    kind: str
    part: str
    points: float
    problems: tuple[str, ...]


class Attacks:
    """The hostile submissions that a source tree has, for the parts of an assignment."""

    def __init__(self, source: Path, grader: Grader, solved: Mapping[str, bytes]) -> None:
        """`solved` are the parts' files with their solutions. ImportError, with a sentence, if they cannot be read."""
        self.source, self.grader, self.solved = source, grader, solved
        self._corpus = _loaded(source / FOLDER)
        parts = {part.name for part in grader.assignment.parts}
        self.entries: list[Any] = [one for one in self._corpus.HOSTILE if one.part in parts] if self._corpus else []

    @property
    def is_there(self) -> bool:
        return self._corpus is not None

    def run(self, entry: Any) -> Attack:
        """Grades an attack and, beside it, an honest part that must keep its points."""
        part = self.grader.assignment.part(entry.part)
        others = [other for other in self.grader.assignment.parts if other.name != part.name]
        honest = min(others, key=lambda other: len(self.solved[other.file]), default=None)
        try:
            handed_in = self._handed_in(entry, part, honest)
        except MarkerError as error:
            return Attack(entry.name, entry.kind, part.name, 0.0, (f"cannot be tried: {error}",))
        try:
            files = handed_in if isinstance(handed_in, dict) else self._read(handed_in)
        except SubmissionError:  # refused as a whole
            return Attack(entry.name, entry.kind, part.name, 0.0, ())
        names = [part.name] if honest is None else [part.name, honest.name]
        result = self.grader.grade(files, digest(files), names)
        points = {one.name: one.points for one in result.parts}
        problems = []
        if points[part.name] > entry.most + 1e-9:
            problems.append(
                f"gets {points[part.name]:g} of {part.points} points of {part.name}, {entry.most:g} are deserved"
            )
        if honest is not None and entry.others and points[honest.name] < honest.points:
            problems.append(f"takes {honest.points - points[honest.name]:g} points of {honest.name} away")
        if entry.must_review and not result.flags:
            problems.append("is not on the review list")
        told = "\n".join([*result.flags, *(part.log for part in result.parts)])
        secret = self.grader.secret.decode(errors="replace")
        if len(secret) >= TOLD and secret in told:
            problems.append("reads the secret")
        return Attack(entry.name, entry.kind, part.name, points[part.name], tuple(problems))

    def left_behind(self) -> list[str]:
        """What attacks have left on this machine, a sentence each."""
        marking = importlib.import_module(f"{PACKAGE}.marking")
        files = [f"the file {path} was left behind" for path in marking.left_files()]
        return files + [f"process {pid} was left behind" for pid in marking.left_processes()]

    def _handed_in(self, entry: Any, part: Part, honest: Part | None) -> dict[str, bytes] | bytes:
        files = {honest.file: self.solved[honest.file]} if honest is not None else {}
        files[part.file] = self._attacking(entry, part)
        for path, content in entry.extra.items():
            files[path] = content if isinstance(content, bytes) else content.encode()
        if entry.archive is not None:
            return bytes(entry.archive(files))
        return bytes(self._corpus.zipped(files)) if entry.extra else files

    def _attacking(self, entry: Any, part: Part) -> bytes:
        """The file of the part that attacks: what the attack does not write is blank."""
        if entry.file is not None:
            return str(entry.file).encode()
        text, _ = decoded((self.source / part.file).read_bytes(), part.file)
        tasks = {task.name for task in part.tasks}
        blank = {one.name: f'raise NotImplementedError("{one.name}")' for one in regions_of(text, part.file)}
        blank = {name: code for name, code in blank.items() if name in tasks}
        codes = {name: _dedented(code) for name, code in entry.codes.items()}
        text = replaced(text, part.file, {**blank, **codes})
        return (text + f"\n\n{_dedented(entry.module)}\n" if entry.module else text).encode()

    def _read(self, archive: bytes) -> dict[str, bytes]:
        return read(archive, self.grader.assignment.files).files


def _dedented(code: str) -> str:
    return dedent(code).strip("\n")


def _loaded(folder: Path) -> Any:
    """The package of submissions; None where the tree has none."""
    place = folder / "__init__.py"
    if not place.is_file():
        return None
    spec = importlib.util.spec_from_file_location(PACKAGE, place, submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None
    sys.modules[PACKAGE] = package = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(package)
    except Exception as error:
        raise ImportError(f"{folder}: cannot be read: {type(error).__name__}: {error}") from error
    return package
