"""What grading a submission gives, as plain data that goes into a file and comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class TaskResult:
    name: str
    points: float
    out_of: int
    checks: dict[str, bool] = field(default_factory=dict)
    """Whether each check of the probes was right; none when nothing was asked."""
    sentences: list[str] = field(default_factory=list)
    """What is wrong and why, the cause first."""
    notes: list[str] = field(default_factory=list)
    """What costs nothing: single precision."""


@dataclass
class PartResult:
    name: str
    title: str
    file: str
    tasks: list[TaskResult]
    log: str = ""
    """What the code printed."""

    @property
    def points(self) -> float:
        return round(sum(task.points for task in self.tasks), 2)

    @property
    def out_of(self) -> int:
        return sum(task.out_of for task in self.tasks)


@dataclass
class Result:
    """Of one submission."""

    digest: str
    parts: list[PartResult]
    flags: list[str] = field(default_factory=list)
    """For the instructor to look at; they cost nothing by themselves."""
    locks: list[str] = field(default_factory=list)
    """The sandbox's locks that this system lacks."""
    cpu: float = 0.0
    """Seconds of CPU time that the children took."""

    @property
    def points(self) -> float:
        return round(sum(part.points for part in self.parts), 2)

    @property
    def out_of(self) -> int:
        return sum(part.out_of for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Result:
        """What `to_dict` gave; KeyError or TypeError for anything else."""
        parts = [
            PartResult(**{**part, "tasks": [TaskResult(**task) for task in part["tasks"]]}) for part in values["parts"]
        ]
        return cls(**{**values, "parts": parts})
