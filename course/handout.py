"""The handout: a source tree of the same layout, with blanks instead of the solutions."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from handgrad.assignment import original
from handgrad.assignment.assignment import NAME, Assignment, AssignmentError, as_toml, read
from handgrad.course.plan import Plan, all_regions, decoded, marked_assignment, read_plan
from handgrad.course.proof import proof, write
from handgrad.course.regions import Region, blanked, replaced
from handgrad.course.sheet import task_sheet
from handgrad.course.source import is_cache, source_files
from handgrad.course.stripping import without_lost_imports, without_lost_packages
from handgrad.files import written

SHEET = "README.md"


def assignment_of(source: Path) -> Assignment:
    """The assignment that a source tree is marked as. MarkerError or AssignmentError in one sentence if it is none."""
    return marked_assignment(source_files(source), _plan(source))


def skeleton(source: Path) -> dict[str, bytes]:
    """The whole handout, path -> content, made of a source tree.

    MarkerError or AssignmentError, in one sentence, for markers and words that do not hold together.
    """
    files, plan = source_files(source), _plan(source)
    assignment = marked_assignment(files, plan)
    kept = {path: content for path, content in files.items() if not plan.leaves_out(path)}
    blanks = {path: _blanked(kept[path], path, assignment) for path in all_regions(files, plan)}
    packages = {path: decoded(content, path)[0] for path, content in kept.items() if path.endswith("__init__.py")}
    stripped = without_lost_imports(packages, files.keys() - kept.keys())
    setup = without_lost_packages(kept["setup.cfg"].decode(), kept, plan.extras)
    made = {
        **{path: text.encode(decoded(kept[path], path)[1]) for path, text in stripped.items()},
        **blanks,
        "setup.cfg": setup.encode(),
        NAME: as_toml(assignment).encode(),
        SHEET: task_sheet(assignment).encode(),
    }
    made[original.PATH] = original.packed({**kept, **made}, assignment.files)
    return dict(sorted({**kept, **made}.items()))


def solved(source: Path) -> dict[str, bytes]:
    """The files of the assignment's parts with their solutions, and without markers."""
    files, plan = source_files(source), _plan(source)
    return {path: _solved(files[path], path) for path in all_regions(files, plan)}


def regions(source: Path) -> list[Region]:
    """All solutions that are marked in what the handout has of the source."""
    return [region for found in all_regions(source_files(source), _plan(source)).values() for region in found]


def make(source: Path, folder: Path, overwrite: bool = False) -> list[str]:
    """Proves the handout and writes it into `folder`; returns what is proved, a line each.

    The folder must be new or empty; with `overwrite` it may be an earlier handout, without any other files.
    HandoutError where the proof fails, AssignmentError where the folder or the source is not as it should be.
    """
    _must_take(source, folder, overwrite)
    files = skeleton(source)
    foreign = _others(folder, files)
    if foreign:
        raise AssignmentError(f"{folder}: holds files that are not this handout's ({_some(foreign)}); move them away")
    proved = list(proof(source, files, regions(source)))
    if skeleton(source) != files:
        raise AssignmentError(f"{source}: the source changed while the handout was made of it; make it again")
    if folder.is_dir() and any(folder.iterdir()):
        _replace(files, folder)
    else:
        _write_beside(files, folder)
    assignment = assignment_of(source)
    return [*proved, f"written to {folder}: {len(assignment.tasks)} tasks, {assignment.points} points"]


def check(source: Path, folder: Path) -> list[str]:
    """How a kept handout differs from what the source gives now, a line a file. AssignmentError if it is none."""
    read(folder / NAME)
    files = skeleton(source)
    differences = [f"{name} is missing" for name in files if not (folder / name).is_file()]
    differences += [
        f"{name} is out of date"
        for name, content in files.items()
        if (folder / name).is_file() and (folder / name).read_bytes() != content
    ]
    return sorted(differences + [f"{name} is not of the handout" for name in _others(folder, files)])


def _must_take(source: Path, folder: Path, overwrite: bool) -> None:
    """AssignmentError unless the handout may be written there."""
    here, there = source.resolve(), folder.resolve()
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise AssignmentError(f"{folder}: expected a folder outside of the source tree {source}")
    if folder.exists() and not folder.is_dir():
        raise AssignmentError(f"{folder}: expected a folder, it is a file")
    if not there.parent.is_dir():
        raise AssignmentError(f"{folder}: there is no folder {there.parent}")
    if folder.is_dir() and any(folder.iterdir()):
        if not overwrite:
            raise AssignmentError(f"{folder}: expected a new or empty folder; --overwrite replaces an earlier handout")
        read(folder / NAME)


def _others(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """What lies in the folder besides the handout's files; caches, and what begins with a dot, may."""
    found = [path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()] if folder.is_dir() else []
    return sorted(
        path.as_posix() for path in found if path.as_posix() not in files and not any(map(is_cache, path.parts))
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _write_beside(files: Mapping[str, bytes], folder: Path) -> None:
    """The whole folder, in one step: it is renamed when it is complete."""
    beside = folder.with_name(f".{folder.resolve().name}.{os.getpid()}.part")
    try:
        write(files, beside)
        os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _replace(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with written(folder / name) as file:
            file.write(content)


def _plan(source: Path) -> Plan:
    return read_plan(source / "course" / NAME)


def _blanked(content: bytes, path: str, assignment: Assignment) -> bytes:
    text, encoding = decoded(content, path)
    return blanked(text, path, {task.name: task for task in assignment.tasks}).encode(encoding)


def _solved(content: bytes, path: str) -> bytes:
    text, encoding = decoded(content, path)
    return replaced(text, path, {}).encode(encoding)
