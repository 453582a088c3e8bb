"""What an entry of the corpora is, and how the file that a student hands in is made of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from textwrap import dedent

from handgrad.course.regions import regions_of, replaced

SOURCE = Path(__file__).parents[2]
FILES = {
    "fc": "layers/fc.py",
    "relu": "layers/relu.py",
    "sigmoid": "layers/sigmoid.py",
    "softmax_ce": "losses/softmax_ce.py",
    "sequential": "model.py",
    "sgd": "optim/sgd.py",
    "train": "train.py",
}


@cache
def _source(part: str) -> str:
    return (SOURCE / FILES[part]).read_text("utf-8")


POINTS = {
    region.name: region.points for part in FILES for region in regions_of(_source(part), FILES[part]) if region.points
}
"""By task."""


def part_of(task: str) -> str:
    return task.split(".")[0]


def points_of(part: str) -> int:
    return sum(points for task, points in POINTS.items() if part_of(task) == part)


def written(part: str, codes: Mapping[str, str], module: str = "") -> str:
    """The part's file with `codes` (task: code) in its regions and `module` at its end."""
    text = replaced(_source(part), FILES[part], {task: dedent(code).strip("\n") for task, code in codes.items()})
    return text + ("\n\n" + dedent(module).strip("\n") + "\n" if module else "")


@dataclass(frozen=True)
class Bug:
    """A mistake in the code of one task; the rest of the part is plain and right."""

    name: str
    task: str
    code: str
    cause: str
    """A regular expression (case does not count) that a right sentence in the student's report matches."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """Code of the part's other tasks, where it must differ from the plain one."""
    spreads: bool = False
    """Whether the part's other task may lose points too: it reads what this one has left in the cache."""

    @property
    def part(self) -> str:
        return part_of(self.task)

    def named_in(self, report: str) -> bool:
        return re.search(self.cause, report, re.IGNORECASE | re.DOTALL) is not None


@dataclass(frozen=True)
class Correct:
    """Another right way to write a task, or a whole part; full marks."""

    name: str
    codes: Mapping[str, str]
    """Task: code, all of one part."""
    module: str = ""
    """Code at the end of the file."""
    edit: Callable[[str], str | bytes] | None = None
    """Changes the file as a whole: its line ends, its encoding."""

    @property
    def part(self) -> str:
        return part_of(next(iter(self.codes)))


@dataclass(frozen=True)
class Hostile:
    """A submission that attacks the grader, most often through one part; its other parts are plain and right."""

    name: str
    kind: str
    """The class of the attack: ending, forging, patching, stealing, gaming, denial, packaging."""
    part: str = "fc"
    """The part that attacks: the others must keep their points."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """The code of that part's tasks; those that are left out stay blank."""
    module: str = ""
    """Code at the end of that part's file."""
    file: str | None = None
    """That part's whole file, instead of `codes` and `module`."""
    extra: Mapping[str, str | bytes] = field(default_factory=dict)
    """Files beside the parts', by their path in the submission."""
    archive: Callable[[Mapping[str, bytes]], bytes] | None = None
    """Makes the zip of the files, where its form is the attack."""
    most: float = 0
    """The most points that the part may get: more are undeserved."""
    others: bool = True
    """Whether the other parts must keep their points; not so where the whole archive may be refused."""
    must_review: bool = False
    """Whether the submission must be on the review list."""
