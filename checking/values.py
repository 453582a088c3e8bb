"""Whether backward's numbers are the derivatives of forward's, at one point."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from handgrad.checking.comparison import Comparison, Entry
from handgrad.checking.complex_step import complex_step
from handgrad.checking.kinks import Kinks
from handgrad.checking.numeric import (
    COARSE_START,
    EPS,
    RATIO,
    START,
    STEPS,
    TIGHT,
    TINY,
    Line,
    Slope,
    extrapolate,
    norm,
    rounding_errors,
    slope,
)
from handgrad.checking.points import REALS, Interval
from handgrad.checking.subject import LayerError, Point, Subject
from handgrad.params import Array

FEW = 300
"""Up to so many entries every one is looked at; of more, those a bisection leads to and a sample."""

SAMPLE = 24

FLOOR = 1e-8
"""What an entry may be off, relative to the largest of its array: less than single precision, more than rounding."""


def floor_of(precision: float) -> float:
    """The same for a layer whose forward computes with that relative precision."""
    return max(FLOOR, 17 * precision)


class PointCheck:
    """The comparison of all gradients of a subject at one point, for one upstream."""

    def __init__(
        self,
        subject: Subject,
        point: Point,
        upstream: Sequence[Array],
        rng: np.random.Generator,
        *,
        domain: Mapping[str, Interval],
        at_kink: str | None = None,
        own_point: bool = True,
        precision: float = EPS,
        ordinary_output: float = 0.0,
    ) -> None:
        self.subject, self.point, self.rng, self.domain = subject, point, rng, domain
        self.at_kink, self.own_point = at_kink, own_point
        self.precision = precision
        self.floor, self.resolution = floor_of(precision), 1e-3 if precision == EPS else 1e-2
        self.upstream = [np.asarray(u, np.float64) for u in upstream]
        self.weights = flat(self.upstream)
        self.one_signed = bool(np.all(self.weights > 0) or np.all(self.weights < 0))
        self.y0 = flat(subject.outputs(point))
        self.gradients = {name: g for name, g in subject.gradients(point, handed(upstream)).items()}
        self.ordinary_output, self.start = ordinary_output, START
        self.errors = self._errors()
        self.noise = norm(self.weights * self.errors)
        size = norm(self.weights * np.maximum(np.abs(self.y0), ordinary_output))
        self.start = START if self.noise < 1e-10 * size else COARSE_START
        self.kinked = False
        self.kinks = Kinks(self)
        self._believed: dict[str, bool] = {}

    def compare(self, *, every_entry: bool = False, known_wrong: Collection[str] = ()) -> list[Comparison]:
        """One comparison for each gradient. A random direction passes for an array unless `every_entry`.

        Of arrays that are `known_wrong` no entries are looked at again.
        """
        comparisons = []
        for name in self.subject.variables:
            gradient = self.gradients.get(name)
            if gradient is None:
                continue
            if gradient.shape != self.point[name].shape or not np.isfinite(gradient).all():
                continue
            gradient = np.asarray(gradient, np.float64)
            comparison = Comparison(name, gradient)
            if gradient.size and name in known_wrong:
                comparison.is_wrong_again = self._disagrees(comparison)
            elif gradient.size:
                self._compare(comparison, every_entry)
            comparisons.append(comparison)
        if self.kinked and self.one_signed and self.at_kink is None:
            self.kinks.compare_ties(comparisons)
        return comparisons

    def at(self, point: Point) -> PointCheck:
        """The same check at another point."""
        return PointCheck(self.subject, point, self.upstream, self.rng, domain=self.domain, precision=self.precision)

    def entry(self, name: str, index: tuple[int, ...], scale: float | None = None) -> Entry:
        """One entry of one gradient against its differences."""
        gradient = np.asarray(self.gradients[name], np.float64)
        largest = float(np.abs(gradient).max()) if scale is None else scale
        guess = float(gradient[index])
        found = self.slope_at(name, index, guess, largest)
        return self._judged(name, index, guess, found, largest, self.coordinate(name, index, self.room(name)[index]))

    def slope_at(self, name: str, index: tuple[int, ...], guess: float | None = None, scale: float = 0.0) -> Slope:
        """The numeric derivative by one entry."""
        step = self.room(name)[index]
        line = self.coordinate(name, index, step)
        noise = self.noise if self.precision == EPS else self._noise_by(name, index, line)
        smallest = max(1e-12, 8 * EPS * abs(float(self.point[name][index]))) / (step * self.start)
        steps = max(4, min(STEPS + max(0, math.ceil(math.log(step, RATIO))), int(-math.log(smallest, RATIO))))
        found = self._slope(line, None if guess is None else guess * step, scale * step, noise, steps)
        return rescaled(found, 1 / step)

    def corner(self, comparison: Comparison, index: tuple[int, ...]) -> str:
        """A few entries around the worst one: backward's value beside the numeric one."""
        analytic = comparison.analytic
        if analytic.ndim == 0:
            return ""
        ranges = []
        for axis, size in enumerate(analytic.shape):
            width = 4 if axis == analytic.ndim - 1 else (3 if axis == analytic.ndim - 2 else 1)
            start = min(max(index[axis] - width // 2, 0), max(size - width, 0))
            ranges.append(range(start, min(start + width, size)))
        known = {entry.index: entry for entry in comparison.entries}
        lines = [f"{'entry':<12} {'backward':>14} {'numeric':>14}"]
        for offset in np.ndindex(*[len(r) for r in ranges]):
            place = tuple(r[i] for r, i in zip(ranges, offset, strict=True))
            entry = known.get(place) or self.entry(comparison.array, place)
            mark = "  <-" if entry.verdict == "wrong" else ""
            lines.append(f"{list(place)!s:<12} {entry.analytic:>14.7g} {entry.numeric:>14.7g}{mark}")
        return "\n".join(lines)

    def curve(self, name: str, index: tuple[int, ...]) -> dict[str, Any]:
        """One entry's differences at every step, in types that JSON has."""
        step = float(self.room(name)[index])
        line = self.coordinate(name, index, step)
        start = self.start if name in self.domain else COARSE_START
        found = slope(line, self.y0, self.weights, self.noise, start=start, every_step=True)
        scale = float(np.abs(self.gradients[name]).max())
        best = self.entry(name, index, scale).slope
        steps = []
        for before, taken in itertools.pairwise([None, *found.steps]):
            assert taken is not None
            extrapolated = None if before is None else extrapolate(before, taken) / step
            h, central, rounding = taken.h * step, taken.central / step, taken.rounding / step
            steps.append({"h": h, "central": central, "extrapolated": extrapolated, "rounding": rounding})
        return {
            "array": "d" + name,
            "index": list(index),
            "analytic": float(self.gradients[name][index]),
            "numeric": best.value,
            "error": best.error,
            "kink": best.kink,
            "left": best.left,
            "right": best.right,
            "steps": steps,
        }

    def along(self, directions: Mapping[str, Array], guess: float | None, scale: float) -> Slope:
        """The slope along a joint direction of some variables."""
        return self._slope(self.line(directions), guess, scale)

    # The parts of `compare`.

    def _compare(self, comparison: Comparison, every_entry: bool) -> None:
        name, gradient = comparison.array, comparison.analytic
        direction = self.direction(name)
        products = gradient * direction
        guess, scale = float(products.sum()), norm(products)
        found = self.along({name: direction}, guess, scale)
        self.kinked |= found.kink
        agrees = not found.kink and not found.jump and self._agrees(found, guess, scale)
        if agrees and (gradient.size > FEW or not every_entry):
            if every_entry:
                self._sample(comparison)
            return
        if gradient.size <= FEW:
            indices = list(np.ndindex(gradient.shape))
        else:
            comparison.searched = self._search(comparison, direction)
            indices = comparison.searched + self._some(gradient)
        largest = max(float(np.abs(gradient).max()), abs(found.value) / max(1.0, math.sqrt(gradient.size)) / 10)
        for index in dict.fromkeys(indices):
            comparison.entries.append(self.entry(name, index, largest if math.isfinite(largest) else None))
        self.kinked |= any(entry.slope.kink for entry in comparison.entries)

    def _disagrees(self, comparison: Comparison) -> bool:
        """Whether the array is wrong along a random direction."""
        direction = self.direction(comparison.array)
        products = comparison.analytic * direction
        guess, scale = float(products.sum()), norm(products)
        found = self.along({comparison.array: direction}, guess, scale)
        tolerance = 10 * found.error + self._floor_of(comparison.array) * scale
        return not found.kink and not found.jump and found.distance(guess) > tolerance

    def _sample(self, comparison: Comparison) -> None:
        for index in self._some(comparison.analytic):
            comparison.entries.append(self.entry(comparison.array, index))

    def _some(self, gradient: Array) -> list[tuple[int, ...]]:
        chosen = self.rng.choice(gradient.size, min(SAMPLE, gradient.size), replace=False)
        chosen = np.append(chosen, np.abs(gradient).argmax())
        return [tuple(int(i) for i in np.unravel_index(k, gradient.shape)) for k in chosen]

    def _search(self, comparison: Comparison, direction: Array, most: int = 6) -> list[tuple[int, ...]]:
        """The entries that bisection leads to: halves of the array whose joint slope disagrees, O(log n) an entry."""
        name, gradient = comparison.array, comparison.analytic
        found: list[tuple[int, ...]] = []
        parts = [np.arange(gradient.size)]
        while parts and len(found) < most:
            part = parts.pop()
            if len(part) == 1:
                found.append(tuple(int(i) for i in np.unravel_index(part[0], gradient.shape)))
                continue
            halves = np.array_split(part, 2)
            for half in halves:
                some = np.zeros(gradient.size)
                some[half] = direction.ravel()[half]
                masked = some.reshape(gradient.shape)
                products = gradient * masked
                scale = norm(products)
                slope_here = self.along({name: masked}, float(products.sum()), scale)
                if slope_here.jump or not self._agrees(slope_here, float(products.sum()), scale):
                    parts.append(half)
        return found

    def _agrees(self, found: Slope, guess: float, scale: float) -> bool:
        is_close = found.distance(guess) <= 3 * found.error + TIGHT * scale
        return is_close and found.error <= self.resolution * self._size(scale)

    def _judged(
        self, name: str, index: tuple[int, ...], guess: float, found: Slope, largest: float, line: Line
    ) -> Entry:
        size = self._size(largest)
        tolerance = (
            (3 if self.own_point else 10) * found.error
            + self._floor_of(name) * largest
            + TINY * float(np.abs(self.weights).max())
        )
        if found.kink and self.at_kink is not None:
            sought = {"left": found.left, "right": found.right, "mean": (found.left + found.right) / 2}[self.at_kink]
            found = Slope(sought, found.error, sought, sought, steps=found.steps)
        verdict = "ok"
        if found.jump:
            verdict = "undecided"
        elif found.distance(guess) > tolerance:
            verdict = "wrong"
            if found.error > self.resolution * max(size, abs(found.value)) and found.distance(guess) < 30 * found.error:
                verdict = "unresolved"
            elif self._has_no_derivative(name, index, found, line):
                verdict = "undecided"
        elif found.error > self.resolution * size:
            verdict = "unresolved"
        if verdict in ("wrong", "unresolved") and not found.kink and self._witnessed(name, index, guess, largest):
            verdict = "ok"
        if verdict == "unresolved" and not self.own_point:
            verdict = "undecided"  # a point of our own choice at which nothing can be said
        return Entry(index, guess, found, tolerance, verdict)

    def _floor_of(self, name: str) -> float:
        """The floor for one gradient: higher where it may come in single precision."""
        dtype = self.gradients[name].dtype
        return max(self.floor, floor_of(float(np.finfo(dtype).eps))) if dtype.kind == "f" else self.floor

    def _has_no_derivative(self, name: str, index: tuple[int, ...], found: Slope, line: Line) -> bool:
        """Whether no rule says what the gradient must be: kinks of both directions meet, or no step shows the kink.

        The latter is so at a tie of three or more, such as a median's, for steps of a single entry.
        """
        if found.kink:
            return not self.one_signed or self.kinks.is_composite(line)
        return self.at_kink is None and self.kinks.has_hidden_one and self.kinks.is_right_beside(name, index)

    def _witnessed(self, name: str, index: tuple[int, ...], guess: float, largest: float) -> bool:
        """Whether the complex step, where it is to be believed, says what backward says."""
        if name not in self._believed:
            self._believed[name] = self._is_confirmed(name)
        if not self._believed[name]:
            return False
        unit = np.zeros(self.point[name].shape)
        unit[index] = 1
        derivatives = complex_step(self.subject, self.point, name, unit)
        if derivatives is None or derivatives.shape != self.weights.shape:
            return False
        return abs(float(self.weights @ derivatives) - guess) <= self._floor_of(name) * largest

    def _is_confirmed(self, name: str) -> bool:
        """Whether differences agree with the complex step along a random direction, on which no kink lies."""
        direction = self.direction(name)
        derivatives = complex_step(self.subject, self.point, name, direction)
        if derivatives is None or derivatives.shape != self.weights.shape:
            return False
        value = float(self.weights @ derivatives)
        found = self.along({name: direction}, value, norm(self.weights * derivatives))
        is_close = found.distance(value) <= 3 * found.error + TIGHT * abs(value)
        return not found.kink and not found.jump and is_close and found.error <= 0.01 * abs(value)

    # Lines through the point.

    def _slope(
        self, line: Line, guess: float | None, scale: float, noise: float | None = None, steps: int = STEPS
    ) -> Slope:
        noise = self.noise if noise is None else noise
        return slope(line, self.y0, self.weights, noise, start=self.start, guess=guess, scale=scale, most=steps)

    def _noise_by(self, name: str, index: tuple[int, ...], line: Line) -> float:
        """The noise of those outputs alone that depend on one entry: a NaN there tells which."""
        array = np.array(self.point[name])
        array[index] = np.nan
        spoilt = ~np.isfinite(self._outputs({**self.point, name: array}))
        depends = spoilt | (line(self.start) != self.y0) | (line(-self.start) != self.y0)
        return norm((self.weights * self.errors)[depends])

    def _errors(self) -> Array:
        """The rounding error of each output."""
        directions = {name: self.direction(name) for name in self.subject.variables}
        if self.precision == EPS:  # in single precision large numbers only answer to large steps
            directions = {name: np.clip(v, -1, 1) for name, v in directions.items()}
        errors = rounding_errors(self.line(directions), self.y0, self.precision)
        # A small output may be the difference of numbers as large as outputs are elsewhere.
        return np.maximum(errors, 2 * EPS * self.ordinary_output)

    def line(self, directions: Mapping[str, Array]) -> Line:
        def line(t: float) -> Array:
            moved = {**self.point, **{name: self.point[name] + t * v for name, v in directions.items()}}
            return self._outputs(moved)

        return line

    def coordinate(self, name: str, index: tuple[int, ...], step: float) -> Line:
        def line(t: float) -> Array:
            array = np.array(self.point[name])
            array[index] += t * step
            return self._outputs({**self.point, name: array})

        return line

    def _outputs(self, point: Point) -> Array:
        """The outputs in one vector; NaN where forward refuses the point, or gives other shapes there."""
        try:
            y = flat(self.subject.outputs(point))
        except LayerError:
            return np.full_like(self.y0, np.nan)
        return y if y.shape == self.y0.shape else np.full_like(self.y0, np.nan)

    def direction(self, name: str) -> Array:
        shape = self.point[name].shape
        return np.asarray(self.room(name) * self.rng.uniform(0.5, 1.5, shape) * self.rng.choice([-1.0, 1.0], shape))

    def room(self, name: str) -> Array:
        """The length of a unit step of each entry: max(1, |x|), less where the domain's edge is near.

        It is a power of 2, so that x + h is exact for steps h that are powers of 4 times as long, and shorter for
        small parameters: kinks lie as close as these are small.
        """
        values, largest = self.point[name], float(np.abs(self.point[name]).max(initial=0.0))
        low, high = self.domain.get(name, REALS)
        to_the_edge = np.minimum(values - low, high - values)
        unit = min(1.0, 10 * largest) if name in self.subject.params and largest > 1e-200 else 1.0
        room = np.minimum(np.maximum(unit, np.abs(values)), 0.08 / self.start * to_the_edge)
        return np.asarray(np.exp2(np.floor(np.log2(np.maximum(room, 1e-300)))))

    def _size(self, scale: float) -> float:
        """What counts as the size of a gradient here, also where it is 0, or hidden by forward's rounding."""
        output = float(np.abs(self.weights * self.y0).max(initial=0.0))
        hidden = 1e-6 * output
        if scale > 1e-12 * output:  # what is small as saturated units are, but nothing larger
            hidden = min(hidden, 1e-6)
        return max(scale, hidden, 1e-11)


def flat(arrays: Sequence[Array]) -> Array:
    if len(arrays) == 1:
        return np.asarray(arrays[0], np.float64).ravel()
    return np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])


def handed(upstream: Sequence[Array]) -> list[Array | float]:
    """Copies of the upstream gradients; a Python number for the upstream of a single number."""
    return [float(u) if np.ndim(u) == 0 else np.array(u) for u in upstream]


def rescaled(found: Slope, factor: float) -> Slope:
    return Slope(
        found.value * factor,
        found.error * factor,
        found.left * factor,
        found.right * factor,
        found.kink,
        found.jump,
        found.steps,
    )
