"""The handout: a source tree of the same layout, with blanks instead of the solutions."""

from __future__ import annotations

from pathlib import Path

from handgrad.assignment.assignment import NAME, Assignment, as_toml
from handgrad.course.plan import Plan, all_regions, decoded, marked_assignment, read_plan
from handgrad.course.regions import blanked, replaced
from handgrad.course.sheet import task_sheet
from handgrad.course.source import source_files
from handgrad.course.stripping import without_lost_imports, without_lost_packages

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
    return dict(sorted({**kept, **made}.items()))


def solved(source: Path) -> dict[str, bytes]:
    """The files of the assignment's parts with their solutions, and without markers."""
    files, plan = source_files(source), _plan(source)
    return {path: _solved(files[path], path) for path in all_regions(files, plan)}


def _plan(source: Path) -> Plan:
    return read_plan(source / "course" / NAME)


def _blanked(content: bytes, path: str, assignment: Assignment) -> bytes:
    text, encoding = decoded(content, path)
    return blanked(text, path, {task.name: task for task in assignment.tasks}).encode(encoding)


def _solved(content: bytes, path: str) -> bytes:
    text, encoding = decoded(content, path)
    return replaced(text, path, {}).encode(encoding)
