"""Where a point has no derivative: ties, kinks of both directions, kinks that no single entry shows."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from handgrad.checking.comparison import Comparison
from handgrad.checking.numeric import EPS, TINY, Line, jumps_of_slope, norm
from handgrad.checking.subject import BadReturn, LayerError
from handgrad.params import Array

if TYPE_CHECKING:
    from handgrad.checking.values import PointCheck


class Kinks:
    """The kinks at the point of a check."""

    def __init__(self, check: PointCheck) -> None:
        self.check = check

    @functools.cached_property
    def has_hidden_one(self) -> bool:
        """Whether joint steps of all inputs show that there is no derivative: a kink, or slopes that do not add up."""
        check = self.check
        for _ in range(3):
            one, other = ({name: check.direction(name) for name in check.subject.inputs} for _ in range(2))
            both = {name: one[name] + other[name] for name in one}
            slopes = [check.along(directions, None, 0.0) for directions in (one, other, both)]
            if any(found.kink for found in slopes):
                return True
            gap = abs(slopes[0].value + slopes[1].value - slopes[2].value)
            if gap > 10 * sum(found.error for found in slopes) + 1e-6 * max(abs(found.value) for found in slopes):
                return True
        return False

    def is_right_beside(self, name: str, index: tuple[int, ...]) -> bool:
        """Whether backward is right at two points close by, where no kink is met exactly."""
        for _ in range(2):
            try:
                beside = self.check.at(self._point_beside(1e-2))
            except (LayerError, BadReturn):
                return False
            found, guess = beside.slope_at(name, index), float(beside.gradients[name][index])
            if found.kink or found.distance(guess) > 10 * found.error + 1e-6 * abs(guess) + TINY:
                return False
        return True

    def compare_ties(self, comparisons: Sequence[Comparison]) -> None:
        """Moves many entries up together, which tells ties that are paid twice, or not at all.

        Holds for upstreams of one sign: then every kink bends the same way, and the slope of any subgradient lies
        between the one-sided slopes.
        """
        inputs = [c for c in comparisons if c.array in self.check.subject.inputs]
        if any(c.with_verdict("wrong") for c in comparisons) or not inputs:
            return
        groups = [inputs] if len(inputs) == 1 else [[c] for c in inputs] + [inputs]
        for group in groups:
            for steps_are_equal in (True, False):
                joint = self._unequal_to_joint_slope(group, steps_are_equal)
                if joint:
                    group[0].joint = joint
                    return

    def _unequal_to_joint_slope(self, group: Sequence[Comparison], steps_are_equal: bool) -> str:
        """What a joint step of these arrays shows, if it is not what their gradients say; else ""."""
        check = self.check
        directions = {c.array: check.room(c.array) for c in group}
        if not steps_are_equal:
            directions = {name: room * check.rng.uniform(0.3, 1.7, room.shape) for name, room in directions.items()}
        products = np.concatenate([(c.analytic * directions[c.array]).ravel() for c in group])
        guess, scale = float(products.sum()), norm(products)
        found = check.along(directions, guess, scale)
        size = max(scale, abs(found.low), abs(found.high))
        if found.jump or found.error > 1e-4 * size or found.distance(guess) <= 10 * found.error + 1e-7 * size:
            return ""
        if self.is_composite(check.line(directions)):
            return ""
        is_one = found.high - found.low < 1e-9 * size
        wanted = f"{found.low:.6g}" if is_one else f"between {found.low:.6g} and {found.high:.6g}"
        names = " and ".join(c.array for c in group)
        return f"moving all entries of {names} up together changes u'y by {wanted}, the gradients say {guess:.6g}"

    def is_composite(self, line: Line) -> bool:
        """Whether kinks of both directions meet here: then no rule says what a layer's gradient must be.

        They are told apart a little beside the point, where they no longer coincide.
        """
        check, centre = self.check, self.check.point
        width, beside = (0.02, 1e-3) if check.precision == EPS else (0.5, 0.02)
        signs: set[int] = set()
        for _ in range(2):
            check.point = self._point_beside(beside * width)
            try:
                signs |= jumps_of_slope(line, check.weights, width, check.noise)
            finally:
                check.point = centre
        return len(signs) > 1

    def _point_beside(self, distance: float) -> dict[str, Array]:
        check = self.check
        return {
            name: np.asarray(value + distance * check.room(name) * check.rng.uniform(-1, 1, value.shape))
            for name, value in check.point.items()
        }
