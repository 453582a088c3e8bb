"""Grading one submission where a platform does it, with the grader that this is a part of."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import handgrad
from handgrad.course.handout import assignment_of, skeleton
from handgrad.files import written
from handgrad.grading.grade import Grader
from handgrad.grading.platforms.package import SETTINGS, Settings, as_json
from handgrad.grading.result import Result, TaskResult
from handgrad.grading.sandbox import plain
from handgrad.grading.submission import SubmissionError, read

SIZE = 1_000_000
"""Bytes that a result file stays below."""

LENGTHS = (4000, 1000, 200, 40)
"""Characters of each text in a result file: the first that keeps it below its size."""

FLAGS = 100
NOT_GRADED = "This submission could not be graded, and has no score yet. The fault is not yours; please tell the staff."


class NotGraded(RuntimeError):
    """The submission is not graded; the sentence says why."""


@dataclass(frozen=True)
class Run:
    """A result, with what was found before and beside grading."""

    result: Result
    notes: list[str]
    """Of files that were refused, for the student."""
    refused: str
    """Why there was nothing to grade, or nothing."""
    settings: Settings
    seconds: float

    def for_staff(self) -> dict[str, Any]:
        """What students need not see: flags, missing locks, and what a grading is repeated with."""
        return {
            "flags": [plain(flag, 300) for flag in self.result.flags[:FLAGS]],
            "more_flags": max(0, len(self.result.flags) - FLAGS),
            "missing_locks": self.result.locks,
            "digest": self.result.digest,
            "cpu_seconds": round(self.result.cpu, 2),
        }

    def opening(self, length: int) -> str:
        """What the student reads first: which files were refused, and what the code printed."""
        lines = [self.refused, *self.notes]
        lines += [f"{part.file} printed:\n{plain(part.log, length)}" for part in self.result.parts if part.log.strip()]
        return plain("\n".join(line for line in lines if line), 4 * length)


def grade(folder: Path) -> Run:
    """Grades what was handed in: a folder of files, or one zip (there may be a folder around it).

    NotGraded where a lock is missing and the settings are strict; SandboxError where the sandbox does not start.
    """
    start = time.monotonic()
    source = Path(handgrad.__file__).parent
    settings = Settings(**json.loads((source.parent / SETTINGS).read_text(encoding="utf-8")))
    assignment = assignment_of(source)
    grader = Grader(skeleton(source), assignment, bytes.fromhex(settings.secret))
    missing = grader.missing_locks() if settings.strict else []
    if missing:
        raise NotGraded(f"this system lacks locks of the sandbox: {', '.join(missing)}")
    try:
        submission = read(_single_zip(folder), assignment.files)
    except SubmissionError as error:
        return Run(grader.grade({}, ""), [], str(error), settings, time.monotonic() - start)
    result = grader.grade(submission.files, submission.digest)
    return Run(result, submission.notes, "", settings, time.monotonic() - start)


def told(task: TaskResult, length: int) -> str:
    """What a student reads of a task: what is wrong and why, or that it is right."""
    checks = [f"{check}: {'right' if right else 'wrong'}" for check, right in task.checks.items()]
    all_right = bool(checks) and all(task.checks.values())
    lines = ["right" if all_right else ", ".join(checks), *task.sentences, *task.notes]
    return plain("\n".join(line for line in lines if line), length)


def write(path: Path, results: Callable[[int], dict[str, Any]]) -> None:
    """Writes what `results` gives for a length of its texts, the longest that keeps the file below its size."""
    contents: Iterator[bytes] = (as_json(results(length)) for length in LENGTHS)
    content = next((content for content in contents if len(content) < SIZE), None)
    if content is None:
        raise NotGraded(f"the results of this many tasks do not fit into {SIZE:,} bytes")
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path) as file:
        file.write(content)


def _single_zip(folder: Path) -> Path:
    """The only file in the folder if that is a zip, else the folder."""
    found = [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
    return found[0] if len(found) == 1 and found[0].suffix.lower() == ".zip" else folder
