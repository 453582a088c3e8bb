"""What is carried to a platform: the grader, which is the source tree with its solutions, and the settings."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from handgrad.assignment.assignment import Assignment, AssignmentError
from handgrad.course.handout import assignment_of
from handgrad.course.source import source_files

SETTINGS = "settings.json"
NEEDED = "grading/platforms/run.py"
"""The file of the source that the platforms' modules grade with."""

NOT_NEEDED = (".ci/", ".github/", "benchmarks/", "docs/", "examples/", "tests/")
"""Folders of the source that grading does without."""

FILES = Path(__file__).with_name("files")
DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can say: a package made twice is the same to the byte."""


@dataclass(frozen=True)
class Settings:
    """How the platform grades; kept beside the grader, where no submission's code can read it."""

    secret: str
    """What the probes are drawn with, in hexadecimal digits."""
    visibility: str = "visible"
    """When Gradescope shows the results to students: visible, after_due_date or after_published."""
    strict: bool = False
    """Whether no score is given where a lock of the sandbox is missing."""

    def to_json(self) -> bytes:
        return as_json(asdict(self))


def as_json(value: object) -> bytes:
    """JSON in UTF-8, without what JSON does not have (NaN)."""
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode(errors="replace")


def grader(source: Path, settings: Settings) -> tuple[Assignment, dict[str, bytes]]:
    """The assignment, and the files that grade it: path -> content.

    MarkerError or AssignmentError in one sentence where the source cannot be made a handout of, or does not grade.
    """
    assignment = assignment_of(source)
    files = {f"handgrad/{name}": data for name, data in source_files(source).items() if not name.startswith(NOT_NEEDED)}
    if f"handgrad/{NEEDED}" not in files:
        raise AssignmentError(f"{source}: expected a source tree of handgrad with a file {NEEDED}, there is none")
    return assignment, {**files, SETTINGS: settings.to_json()}


def template(name: str) -> bytes:
    """A file of files/, such as gradescope/setup.sh."""
    return (FILES / name).read_bytes()


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            member = zipfile.ZipInfo(path, DATE)
            member.create_system, member.external_attr = 3, (0o100000 | mode(path, content)) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode(path, content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def mode(path: str, content: bytes) -> int:
    """The permissions of a file of a package: scripts can be run, the settings are their owner's only."""
    if path == SETTINGS:
        return 0o600
    return 0o755 if content.startswith(b"#!") else 0o644
