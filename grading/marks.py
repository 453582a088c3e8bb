"""What a task has earned: its verdicts, its points, and that one mistake costs once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from handgrad.assignment.assignment import Task
from handgrad.assignment.judge import Verdict, judge, judged
from handgrad.assignment.probes import ALONE, BESIDE, CHECKS, MOVED, Probe, attempts
from handgrad.grading.causes import Seen
from handgrad.grading.sandbox import Answer
from handgrad.params import Array

VALUES_SHARE = 0.6
"""Of a task's points, for right values; the rest is shared by its other checks."""

WITH_CACHE = ("layer", "container")
"""The kinds of probes whose further attempts put a right cache in the place of forward's."""


@dataclass
class Asked:
    """A task's probes, what came back, and what is right."""

    task: Task
    checks: list[str]
    probes: list[Probe]
    answers: list[Answer]
    expected: list[dict[str, Array]]
    names_single: bool = False
    """Whether the part's code names single precision, and need be right to that only."""
    counts: dict[str, str] = field(default_factory=dict)
    """By check: the kind of attempts that count there in the place of the first, since another task is wrong."""
    spoils: Asked | None = None
    """The part's next task where that is right by itself, and wrong only with what this one leaves for it."""
    known: dict[tuple[int, str], Verdict] = field(default_factory=dict, repr=False)
    """The verdicts so far, by the number of the probe and the kind of attempt."""

    def verdicts(self, kind: str | None = None) -> list[Verdict]:
        """The verdicts on the first attempts ("") or on those of another kind; if none is given, those that count."""
        if kind is not None:
            return [self._verdict(i, kind) for i in range(len(self.probes))]
        return [self._counted(i, self.counts.get(check, "")) for i, check in enumerate(self.checks)]

    def _counted(self, i: int, kind: str) -> Verdict:
        """The verdict on an attempt of that kind; on the first one where that is right, or the other tells nothing."""
        first, other = self._verdict(i, ""), self._verdict(i, kind)
        if kind == BESIDE and not other.right:
            other = self._verdict(i, ALONE)
        if self.probes[i].kind in WITH_CACHE and (first.right or (other.right and not self.hangs_on_cache)):
            return first
        return other

    def _verdict(self, i: int, kind: str) -> Verdict:
        if (i, kind) not in self.known:
            answer, may_be_single = self.answers[i], self.allows_single()[i]
            self.known[i, kind] = (
                judged(self.probes[i], answer.arrays, self.expected[i], kind, allows_single=may_be_single)
                if answer.failure is None
                else Verdict(False, answer.failure.message)
            )
        return self.known[i, kind]

    @cached_property
    def hangs_on_cache(self) -> bool:
        """Whether wrong first answers are what this backward makes of the cache, and of nothing else.

        It then raised an error, or gives the same where another object was handed that cache. If not, it told the
        attempts apart: who may answer twice may guess once.
        """
        for probe, answer, verdict in zip(self.probes, self.answers, self.verdicts(""), strict=True):
            kinds = [kind for kind, _ in probe.attempts()]
            given = {attempt.number: attempt.arrays for attempt in attempts(answer.arrays)}
            if not verdict.right and 0 in given and MOVED in kinds:
                moved = given.get(kinds.index(MOVED))
                if moved is None or not judge(moved, given[0], allows_single=True).right:
                    return False
        return True

    def allows_single(self) -> list[bool]:
        """Whether each answer need be right to single precision only."""
        return [self.names_single or probe.is_single for probe in self.probes]

    @property
    def is_single(self) -> bool:
        """Whether an answer is right to single precision only where the probe is of double precision."""
        return any(v.is_single and not p.is_single for p, v in zip(self.probes, self.verdicts(), strict=True))

    def seen(self, kind: str | None = None) -> list[Seen]:
        """Everything that came of each probe, with the verdicts on the attempts of that kind."""
        columns = self.checks, self.probes, self.answers, self.verdicts(kind), self.allows_single()
        return [Seen(*one) for one in zip(*columns, strict=True)]

    def by_check(self, kind: str | None = None) -> dict[str, bool]:
        """Whether all probes of each check are right."""
        verdicts = list(zip(self.checks, self.verdicts(kind), strict=True))
        known = [check for check in CHECKS if check in self.checks]
        right = {check: all(verdict.right for name, verdict in verdicts if name == check) for check in known}
        return {**right, "values": False} if self.spoils else right


def points_for(checks: Mapping[str, bool], points: int) -> float:
    """Nothing unless values are right; then their share, and equal shares of the rest for the other checks."""
    if not checks.get("values"):
        return 0.0
    others = [right for check, right in checks.items() if check != "values"]
    if all(others):
        return float(points)
    return round(points * (VALUES_SHARE + (1 - VALUES_SHARE) * sum(others) / len(others)), 2)


def forgive(asked: Sequence[Asked]) -> None:
    """Lets attempts count that do not lean on the part's other tasks, where one of these is wrong.

    A mistake always costs points: those of the tasks before it are settled by then, those after it on first attempts.
    One in what forward leaves for backward is forward's.
    """
    first = [one.by_check("") for one in asked]
    for i, one in enumerate(asked):
        others = [earlier.by_check() for earlier in asked[:i]] + first[i + 1 :]
        for check in CHECKS:
            if not all(other["values"] for other in others):
                one.counts[check] = ALONE
            elif not all(other.get(check, True) for other in others):
                one.counts[check] = BESIDE
    for (earlier, before), (later, after) in pairwise(zip(asked, first, strict=True)):
        is_right_alone = before["values"] and not after["values"] and later.by_check(ALONE)["values"]
        if is_right_alone and later.probes[0].kind in WITH_CACHE and later.hangs_on_cache:
            earlier.spoils, later.counts = later, dict.fromkeys(CHECKS, ALONE)
