"""What backward's own formula loses by rounding, measured: that much a gradient may be off."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from handgrad.checking.comparison import Comparison, Entry
from handgrad.checking.numeric import EPS
from handgrad.checking.subject import BadReturn, LayerError
from handgrad.checking.values import PointCheck, handed
from handgrad.params import Array


class Rounding:
    """Tells rounding from mistakes at one point. `ordinary` is each gradient's size at points of moderate size."""

    def __init__(self, check: PointCheck, ordinary: Mapping[str, float], rng: np.random.Generator) -> None:
        self.check, self.ordinary, self.rng = check, ordinary, rng

    @cached_property
    def _directions(self) -> tuple[dict[str, Array], list[Array]]:
        """In which the point and the upstream gradient are moved; large arrays have them drawn only where needed."""
        moved = {key: self.rng.standard_normal(value.shape) for key, value in self.check.point.items()}
        return moved, [self.rng.standard_normal(np.shape(u)) for u in self.check.upstream]

    def explains(self, comparison: Comparison, entry: Entry) -> bool:
        """Whether the difference is no more than backward's formula loses by rounding, measured around the point.

        A smooth difference in the 8th digit is no mistake either, but what an iterative forward leaves unsolved, unless
        it is the same for all entries. A rough one is single precision.
        """
        name, largest = comparison.array, float(np.abs(comparison.analytic).max())
        if entry.excess <= 1e-11 * self.ordinary.get(name, 0.0):
            return True  # saturated: forward's changes are lost beside numbers of ordinary size
        if entry.excess > 1e-5 * largest:
            return False
        noise = self._nearby(name)
        if entry.excess <= 3 * entry.slope.error + 20 * noise:
            return True
        if entry.excess > 3e-7 * largest or (self.check.own_point and self._is_constant_factor(comparison)):
            return False
        return self._roughness(name, 1e-7) < 0.01 * entry.excess

    @staticmethod
    def _is_constant_factor(comparison: Comparison) -> bool:
        largest = max(abs(e.analytic) for e in comparison.entries)
        ratios = [e.numeric / e.analytic - 1 for e in comparison.entries if abs(e.analytic) > 0.01 * largest]
        return len(ratios) > 1 and max(ratios) - min(ratios) < 0.1 * max(map(abs, ratios))

    def of(self, name: str) -> float:
        """The size of the rounding errors in backward's numbers, near the point and for other upstream gradients.

        In the upstream backward is linear, so that any bend is rounding; a large one is a mistake, and not excused.
        """
        largest = float(np.abs(self.check.gradients[name]).max(initial=0.0))
        above = min(self._roughness(name, 0.0, reach=1.0), 3e-3 * largest)
        return max(self._nearby(name), above, EPS * self.ordinary.get(name, 0.0))

    def _nearby(self, name: str) -> float:
        return max(self._roughness(name, distance) for distance in (1e-14, 1e-12))

    def _roughness(self, name: str, distance: float, reach: float | None = None) -> float:
        """The rounding error of backward's numbers: their third differences along a line of relative steps.

        `distance` is the steps' length for inputs and parameters, `reach` for the upstream gradient.
        """
        reach = distance if reach is None else reach
        check, samples = self.check, []
        directions, above = self._directions
        for j in range(7):
            moved: dict[str, Array] = {
                k: np.asarray(v * (1 + distance * j * directions[k])) for k, v in check.point.items()
            }
            upstream = [u * (1 + reach * j * v) for u, v in zip(check.upstream, above, strict=True)]
            try:
                samples.append(np.asarray(check.subject.gradients(moved, handed(upstream))[name], np.float64))
            except (LayerError, BadReturn):
                return 0.0
        thirds = np.diff(np.stack(samples), n=3, axis=0)
        if not np.isfinite(thirds).all():
            return 0.0
        return float(np.sqrt(np.mean(thirds**2, axis=0) / 20).max(initial=0.0))
