"""What all peers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.nets import Net


class Unsupported(Exception):
    """The library has no such net."""


class Peer:
    """One net in one library, with the net's own initial weights.

    A subclass makes it in `__init__`, and writes `step` and `weights`. Batches lie in memory before the clock
    starts, in the library's own form.
    """

    def __init__(self, net: Net) -> None:
        self.net = net

    step: Callable[[Any, Any], Any]
    """One step of training on the batch (x, y)."""

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """W [out x in] and b of each layer as they are now."""
        return []

    def batch(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        """A batch in the library's own form."""
        return x, y

    def load(self, repeats: int) -> None:
        """Makes the net's batches ready, to be gone over so many times in a pass."""
        self.batches = [self.batch(x, y) for x, y in self.net.batches()] * repeats

    def run(self) -> float | None:
        """One pass: a step on each of the batches, in their order.

        Seconds a step, where a peer takes them itself; by default the worker's clock runs around the whole pass.
        """
        step = self.step
        for x, y in self.batches:
            step(x, y)
        return None
