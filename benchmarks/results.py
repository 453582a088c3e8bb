"""What was measured on one net, and what follows from it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from benchmarks.nets import BEST, Limit, Net
from benchmarks.peers import ENTRIES, HANDGRAD
from benchmarks.worker import Pass

Weights: TypeAlias = list[tuple[np.ndarray, np.ndarray]]

TOLERANCE = {"float32": 1e-2, "float64": 1e-9}
"""How far a weight may be from the double precision's, as a share of the largest change in its array.

Each update of a float32 weight is rounded by up to 6e-8 of the weight, of which the few small steps change little.
"""


class Result:
    """The times and weights of all peers on one net."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.times: dict[str, np.ndarray] = {}
        """Microseconds a step of each peer in each round."""
        self.settings: dict[str, str] = {}
        self.off: dict[str, float] = {}
        """How far each peer's weights are from the reference, at the most; see TOLERANCE."""
        self.passes: list[Pass] = []
        """Those of the trial, too."""
        self.remarks: list[str] = []
        """What went wrong."""

    def median(self, name: str) -> float:
        return float(np.median(self.times[name]))

    def quartiles(self, name: str) -> tuple[float, float]:
        low, high = np.percentile(self.times[name], (25, 75))
        return float(low), float(high)

    def best_peer(self) -> str | None:
        peers = [entry.name for entry in ENTRIES if entry.competes and entry.name in self.times]
        return min(peers, key=self.median, default=None)

    def ratio(self, limit: Limit, whose: str = HANDGRAD) -> tuple[float, str] | None:
        """(the median of `whose` over that of whom the limit is about, who that is); None if that was not measured."""
        name = self.best_peer() if limit.against == BEST else limit.against
        if name not in self.times or whose not in self.times:
            return None
        return self.median(whose) / self.median(name), name

    def others(self) -> float | None:
        """How many cpus other processes had while peers were timed, on average; None where that is not to be had."""
        if any(one.others is None for one in self.passes):
            return None
        return max(0.0, sum(one.others for one in self.passes) / sum(one.seconds for one in self.passes))

    def wrong(self) -> list[str]:
        """Those whose weights are not the reference's."""
        return [name for name, off in self.off.items() if not off <= TOLERANCE[self.net.dtype]]


def apart(weights: Weights, reference: Weights, initial: Weights) -> float:
    """How far weights are from those that the same steps give in double precision; see TOLERANCE."""
    largest = 0.0
    for found, exact, start in zip(weights, reference, initial, strict=True):
        for a, b, before in zip(found, exact, start, strict=True):
            largest = max(largest, np.max(np.abs(a - b)) / np.max(np.abs(b - before)))
    return largest
