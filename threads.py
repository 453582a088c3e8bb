"""How many threads NumPy's BLAS computes matrix products with, and how many are quickest for a training run."""

from __future__ import annotations

from collections.abc import Generator
from statistics import median

import numpy as np

from handgrad import blas
from handgrad.blas import set_threads

SMALL = 2**20
"""Multiplications in a run's largest product below which more than one thread gains nothing."""

FEW, MANY, LONGEST = 20, 200, 5000
"""Steps: that one thread is given at least, that several are given before a new comparison, that one is at most."""


class Threads:
    """Sets the number of BLAS threads for a training run, and puts back what was set before.

        with Threads(wanted, largest) as threads:
            threads.took(seconds)       after each step

    `wanted` is kept to. Without it, small products run on one thread; for larger ones the run compares one thread
    with as many as were set, from time to time. Several threads wait for one another many times in each product,
    and when another process has the core of one of them, the rest loses a whole turn of the scheduler: a step then
    takes a hundred times longer. So their turn ends when it has lost as much time as ten steps take on one thread,
    and the next one comes the later, the more often that has happened. The number of threads may change the last bits
    of a product.

    Raises ValueError for a number below 1, or for one that NumPy's BLAS cannot be told.
    """

    def __init__(self, wanted: int | None, largest: int) -> None:
        if wanted is not None:
            if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1:
                raise ValueError(f"train: threads must be a whole number >= 1 or None, got {wanted!r}")
            if blas.BLAS is None:
                raise ValueError("train: threads can be set for OpenBLAS and MKL only, and NumPy has another BLAS here")
        self._before = blas.get_threads() or 1
        self._fixed = wanted or (1 if self._before == 1 or largest < SMALL else None)
        self._comparison = self._compare(self._before)

    def __enter__(self) -> Threads:
        if self._fixed is None:
            next(self._comparison)
        else:
            set_threads(int(self._fixed))
        return self

    def __exit__(self, *error: object) -> None:
        set_threads(self._before)

    def took(self, seconds: float) -> None:
        """Notes how long a step took; the next one may run on another number of threads."""
        if self._fixed is None:
            self._comparison.send(seconds)

    def _compare(self, several: int) -> Generator[None, float, None]:
        """Receives each step's seconds."""
        patience = FEW
        yield  # the first step makes its arrays
        while True:
            set_threads(1)
            alone = median([(yield), (yield), (yield)])
            set_threads(several)
            lost = 0.0
            for _ in range(MANY):
                lost = max(0.0, lost + (yield) - alone)
                if lost > 10 * alone:
                    break
            else:
                patience = FEW
                continue
            set_threads(1)
            for _ in range(patience):
                yield
            patience = min(2 * patience, LONGEST)
