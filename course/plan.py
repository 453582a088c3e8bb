"""The assignment that a source tree is marked as: its markers, and the words of course/assignment.toml."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from handgrad.assignment.assignment import WORD, Assignment, AssignmentError, Part, Task
from handgrad.assignment.tables import read_toml
from handgrad.course.regions import Region, regions_of


@dataclass(frozen=True)
class Words:
    """What course/assignment.toml says of a part."""

    title: str
    hints: Mapping[str, str]
    points: Mapping[str, int]


@dataclass(frozen=True)
class Plan:
    """What course/assignment.toml says."""

    where: str
    title: str
    deadline: str
    python: str
    packages: tuple[str, ...]
    words: Mapping[str, Words]
    leave_out: tuple[str, ...]
    """Files, and folders that end in a slash."""
    extras: tuple[str, ...]
    """The extras of setup.cfg that the handout keeps."""

    def leaves_out(self, path: str) -> bool:
        return any(path == name or (name.endswith("/") and path.startswith(name)) for name in self.leave_out)


def read_plan(path: Path) -> Plan:
    """course/assignment.toml of a source tree. AssignmentError in one sentence where it is missing or wrong."""
    table = read_toml(path)
    words: dict[str, Words] = {}
    for part in table.tables("part"):
        name = part.name("name", WORD, "fc")
        hints, points = part.table("hints"), part.table("points")
        if name in words:
            part.wrong(f"the name {name!r} is there twice")
        words[name] = Words(
            part.text("title"),
            {key: hints.text(key) for key in hints.keys()},  # noqa: SIM118
            {key: points.whole(key) for key in points.keys()},  # noqa: SIM118
        )
        part.end()
    handout = table.table("handout")
    plan = Plan(
        str(path),
        table.text("title"),
        table.text("deadline"),
        table.text("python"),
        table.texts("packages"),
        words,
        handout.texts("leave_out", []),
        handout.texts("extras", []),
    )
    handout.end()
    table.end()
    return plan


def marked_assignment(files: Mapping[str, bytes], plan: Plan) -> Assignment:
    """The assignment that the files of a source tree are marked as. MarkerError or AssignmentError if they are none."""
    regions = all_regions(files, plan)
    if not any(regions.values()):
        raise AssignmentError("expected at least one # BEGIN SOLUTION in the source, there is none")
    taken: dict[str, str] = {}
    parts: dict[str, Part] = {}
    for path, found in regions.items():
        for region in found:
            if region.name in taken:
                raise AssignmentError(f"{path}:{region.first}: {region.name} is in {taken[region.name]} already")
            taken[region.name] = path
        names = list(dict.fromkeys(region.name.partition(".")[0] for region in found))
        if len(names) > 1:
            raise AssignmentError(f"{path}: a file is one part, but its solutions are of {' and '.join(names)}")
        name = names[0]
        if name in parts:
            raise AssignmentError(f"{path}: a part is one file, but {name} is in {parts[name].file} already")
        words = plan.words.get(name, Words(name, {}, {}))
        tasks = [_task(region, words, plan) for region in found]
        parts[name] = Part(name, words.title, path, tuple(task for task in tasks if task.points))
    for name, words in plan.words.items():
        if name not in parts:
            raise AssignmentError(f"{plan.where}: part {name!r} has no # BEGIN SOLUTION {name}... in the source")
        unknown = [key for key in (*words.hints, *words.points) if f"{name}.{key}" not in taken]
        if unknown:
            raise AssignmentError(f"{plan.where}: part {name!r} has no task {unknown[0]!r} in {parts[name].file}")
    order = [*plan.words, *(name for name in parts if name not in plan.words)]
    with_points = tuple(parts[name] for name in order if parts[name].tasks)
    if not with_points:
        raise AssignmentError(f"{plan.where}: no task has points; give some in [part.points] or in the markers")
    return Assignment(plan.title, plan.deadline, _version(files), plan.python, plan.packages, with_points)


def all_regions(files: Mapping[str, bytes], plan: Plan) -> dict[str, list[Region]]:
    """The regions of the files that the handout has, by path; files without any are left out."""
    found = {
        path: regions_of(decoded(content, path)[0], path)
        for path, content in files.items()
        if path.endswith(".py") and not plan.leaves_out(path)
    }
    return {path: regions for path, regions in found.items() if regions}


def decoded(content: bytes, path: str) -> tuple[str, str]:
    """A Python file's text, each line with its own end, and the encoding that it says it has."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding), encoding
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise AssignmentError(f"{path}: cannot be read as Python: {error}") from None


def _task(region: Region, words: Words, plan: Plan) -> Task:
    key = region.name.partition(".")[2]
    if region.is_named and key in words.points:
        raise AssignmentError(f"{plan.where}: {region.name} has its points in {region.path}; leave them out here")
    return Task(region.name, words.points.get(key, region.points), region.hint or words.hints.get(key, ""))


def _version(files: Mapping[str, bytes]) -> str:
    for node in ast.parse(files.get("__init__.py", b"")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise AssignmentError("__init__.py: expected __version__ = ...")
