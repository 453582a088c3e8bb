"""What is said of one gradient at one point: its entries, and the verdict on each."""

from __future__ import annotations

from dataclasses import dataclass, field

from handgrad.checking.numeric import Slope
from handgrad.params import Array


@dataclass(frozen=True)
class Entry:
    """One entry of one gradient: what backward says and what the differences say."""

    index: tuple[int, ...]
    analytic: float
    slope: Slope
    tolerance: float
    verdict: str
    """ok, wrong, unresolved, or undecided: no derivative there that it could be held against."""

    @property
    def numeric(self) -> float:
        return self.slope.value

    @property
    def excess(self) -> float:
        return self.slope.distance(self.analytic)


@dataclass
class Comparison:
    """One gradient array against the differences, at one point."""

    array: str
    analytic: Array
    entries: list[Entry] = field(default_factory=list)
    searched: list[tuple[int, ...]] = field(default_factory=list)
    """In a large array, the entries that bisection led to."""
    joint: str = ""
    """What a joint step of many entries shows when no single entry is wrong."""
    is_wrong_again: bool = False
    """Of an array that is known to be wrong, and of which no entries were looked at: whether it is so here."""

    def with_verdict(self, verdict: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.verdict == verdict]

    @property
    def is_sparse(self) -> bool:
        """Whether in a large array only what bisection found is wrong, and nothing of the random sample."""
        wrong = {entry.index for entry in self.with_verdict("wrong")}
        return bool(self.searched) and wrong <= set(self.searched)

    @property
    def worst(self) -> Entry | None:
        order = {"wrong": 3, "unresolved": 2, "ok": 1, "undecided": 0}
        return max(
            self.entries,
            key=lambda e: (order[e.verdict], e.excess / e.tolerance if e.tolerance > 0 else e.excess),
            default=None,
        )
