"""Numeric derivatives that know their own error: noise, step size, kinks.

Along a line x + t v the layer's outputs y(t) are weighted with the upstream u, and the slope of u'y at t = 0 is
sought. Steps h = start / 4^k; central differences, extrapolated (Richardson 1911); the step is chosen by the
difference's own error estimate, which adds truncation and rounding. The rounding error of the layer comes from
third differences (Hamming 1962; Moré and Wild 2011).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from handgrad.params import Array

Line: TypeAlias = Callable[[float], Array]
"""t -> all outputs at x + t v, in one vector."""

EPS = float(np.finfo(np.float64).eps)
START = 4.0**-4
COARSE_START = 4.0**-1
"""Where to begin when the layer computes in single precision, or is as noisy."""
STEPS = 15
RATIO = 4.0
TINY = 1e-30

TIGHT = 1e-9
"""Agreement, relative to the gradient's scale, that ends the search: no wrong formula comes so close."""


@dataclass(frozen=True)
class Step:
    """One step size, and what it gives: the slopes to the right and to the left, and their rounding error."""

    h: float
    right: float
    left: float
    rounding: float

    @property
    def central(self) -> float:
        return (self.right + self.left) / 2

    @property
    def gap(self) -> float:
        return self.right - self.left


@dataclass(frozen=True)
class Slope:
    """The numeric derivative along a line, `value` +- `error`.

    At a kink (`kink`) there are two, `left` and `right`; at a jump (`jump`) there is none.
    """

    value: float
    error: float
    left: float
    right: float
    kink: bool = False
    jump: bool = False
    steps: list[Step] = field(default_factory=list, repr=False)

    @property
    def low(self) -> float:
        return min(self.left, self.right) if self.kink else self.value

    @property
    def high(self) -> float:
        return max(self.left, self.right) if self.kink else self.value

    def distance(self, guess: float) -> float:
        """How far `guess` is from the derivative, or from the interval of subgradients at a kink."""
        return max(self.low - guess, guess - self.high, 0.0)


def norm(values: Array) -> float:
    """The square root of the sum of squares, which may be beyond what a number holds."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest * float(np.linalg.norm(values / largest)) if 0 < largest < math.inf else largest


def precision_of(array: Array) -> float:
    """The relative precision that numbers were computed in: of their dtype, or single where no digit is beyond it."""
    values = np.asarray(array)
    if values.dtype.kind != "f" or not values.size:
        return EPS
    if values.dtype.itemsize < 8:
        return float(np.finfo(values.dtype).eps)
    is_single = np.array_equal(values, values.astype(np.float32)) and np.any(np.mod(1024 * values, 1) != 0)
    return float(np.finfo(np.float32).eps) if is_single else EPS


def rounding_errors(line: Line, y0: Array, precision: float = EPS) -> Array:
    """The standard deviation of each output's rounding error near t = 0, where forward computes with `precision`.

    Nine samples to the right, so close together that a smooth function's third differences vanish and what is
    left is noise; to one side only, lest a kink at t = 0 be taken for it. Further apart where hardly any differ.
    """
    floor = 2 * EPS * np.abs(y0)
    is_single = bool(y0.size) and np.array_equal(y0, y0.astype(np.float32))
    if precision > EPS:
        floor = 0.5 * precision * np.maximum(np.abs(y0), np.abs(y0).mean())
    elif is_single and precision_of(y0) > EPS:
        floor = np.maximum(floor, 0.5 * np.finfo(np.float32).eps * np.abs(y0))
    noise: Array = floor
    for distance in (1e-9, 1e-6, 1e-4):
        samples = np.stack([y0] + [line(distance * j) for j in range(1, 9)])
        if not np.isfinite(samples).all():
            return noise
        changes = np.count_nonzero(np.diff(samples, axis=0), axis=0)
        # A single change is a step of the function, not noise.
        thirds = np.where(changes < 2, 0.0, np.diff(samples, n=3, axis=0))
        # The variance of a third difference of noise is 1 + 9 + 9 + 1 = 20 times the noise's own. The largest two of
        # six may be those across a kink or jump; the others then come out smaller by 1.75.
        usual = np.sort(np.abs(thirds), axis=0)[:-2]
        largest = usual.max(initial=1e-300)  # lest a square overflow
        noise = np.maximum(noise, 1.75 * largest * np.sqrt(np.mean((usual / largest) ** 2, axis=0) / 20))
        # Forward may be a staircase, of single precision or of cancelled digits: then few samples differ, or none.
        if np.any(changes > 3) and not np.any((changes > 0) & (changes < 4)) and not (is_single and distance < 1e-6):
            break
    return noise


def extrapolate(before: Step, step: Step) -> float:
    """Two central differences, at h and h / 4, without their error of order h^2."""
    return step.central + (step.central - before.central) / (RATIO**2 - 1)


def slope(
    line: Line,
    y0: Array,
    upstream: Array,
    noise: float,
    *,
    start: float = START,
    guess: float | None = None,
    scale: float = 0.0,
    every_step: bool = False,
    most: int = STEPS,
) -> Slope:
    """The slope of upstream'y at t = 0.

    `noise` is the rounding error of upstream'y, `scale` the size that gradients have here. A `guess` that two steps
    confirm ends the search early; anything else is searched to the end, and so is all with `every_step`.
    """
    taken: list[Step] = []
    estimates: list[tuple[float, float]] = []
    for k in range(most):
        h = start * RATIO**-k
        above, below = line(h), line(-h)
        if not (np.isfinite(above).all() and np.isfinite(below).all()):
            continue
        step = Step(h, float(upstream @ (above - y0)) / h, float(upstream @ (y0 - below)) / h, 2 * noise / h)
        # The weighted sum has rounding errors of its own.
        step = replace(step, rounding=step.rounding + 4 * EPS * (abs(step.right) + abs(step.left)))
        taken.append(step)
        if len(taken) < 2:
            continue
        before = taken[-2]
        value = extrapolate(before, step)
        # A smooth function's two one-sided slopes approach each other in proportion to h.
        roughness = max(0.0, abs(step.gap) - 0.4 * abs(before.gap) - 2 * step.rounding)
        last = estimates[-1][0] if estimates else step.central
        error = abs(value - last) + step.rounding + roughness
        estimates.append((value, error))
        enough = TIGHT * scale + 3 * step.rounding
        if every_step:
            continue
        if guess is None:
            done = len(estimates) > 1 and error <= 0.1 * enough
        else:
            best = min(bound for _, bound in estimates)  # later, coarser steps would confirm anything
            done = abs(value - guess) <= enough and error <= 1e-3 * scale + enough and error <= 2 * best
        if done and roughness == 0:
            return Slope(value, error, step.left, step.right, steps=taken)
        if len(taken) > 3 and _constant([s.gap for s in taken[-3:]], 100 * step.rounding):
            break  # a kink exactly here: the gap does not depend on the step
        if len(taken) > 6 and step.rounding > max(scale, *(abs(s.central) for s in taken)) > 0:
            break
    if not estimates:
        return Slope(math.nan, math.inf, math.nan, math.nan, steps=taken)
    value, error = _consistent(estimates, taken)
    behaviour = _at_the_point(taken, max(scale, abs(value)))
    if behaviour == "kink":
        left, left_error = _one_sided([(s.left, s.rounding) for s in taken])
        right, right_error = _one_sided([(s.right, s.rounding) for s in taken])
        return Slope((left + right) / 2, max(left_error, right_error), left, right, kink=True, steps=taken)
    return Slope(value, error, value, value, jump=behaviour == "jump", steps=taken)


def _consistent(estimates: list[tuple[float, float]], taken: list[Step]) -> tuple[float, float]:
    """The estimate of the smallest error that all smaller steps bear out, up to rounding.

    Steps longer than a function's features agree by chance now and then; smaller steps then tell.
    """
    order = sorted(range(len(estimates)), key=lambda i: estimates[i][1])
    for i in order:
        value, error = estimates[i]
        if all(abs(value - later.central) <= 3 * (error + later.rounding) for later in taken[i + 2 :]):
            break
    return value, error


def _constant(gaps: list[float], least: float) -> bool:
    return min(map(abs, gaps)) > least and max(gaps) - min(gaps) < 1e-7 * abs(gaps[-1])


def _at_the_point(taken: list[Step], scale: float) -> str:
    """ "smooth", "kink" or "jump" at t = 0: by the gap between the one-sided slopes at the smallest usable steps.

    An infinite slope is told from central differences that grow to the last.
    """
    sure = [abs(s.central) for s in taken if 20 * s.rounding < abs(s.central)][-4:]
    if len(sure) == 4 and all(after > 1.9 * before for before, after in itertools.pairwise(sure)):
        return "jump"
    usable = [s for s in taken if 20 * s.rounding < abs(s.gap)]
    if len(usable) < 3:
        return "smooth"
    gaps = [s.gap for s in usable[-3:]]
    if abs(gaps[-1]) < 1e-6 * scale:
        return "smooth"
    ratios = [after / before for before, after in itertools.pairwise(gaps)]
    if all(0.6 < ratio < 1.7 for ratio in ratios):
        # Had the gap closed at a smaller step, the kink would be nearby rather than here.
        following = taken[taken.index(usable[-1]) + 1 :]
        closed = [s for s in following if abs(s.gap) < 0.5 * abs(gaps[-1]) and s.rounding < 0.1 * abs(gaps[-1])]
        return "smooth" if closed else "kink"
    return "jump" if all(ratio > 2.5 for ratio in ratios) else "smooth"


def _one_sided(slopes: list[tuple[float, float]]) -> tuple[float, float]:
    """The limit of one-sided slopes as h goes to 0, and its error."""
    limits: list[tuple[float, float]] = []
    for (before, _), (after, rounding) in itertools.pairwise(slopes):
        value = after + (after - before) / (RATIO - 1)
        last = limits[-1][0] if limits else after
        limits.append((value, abs(value - last) + rounding))
    return min(limits, key=lambda pair: pair[1])


def jumps_of_slope(line: Line, upstream: Array, width: float, noise: float) -> set[int]:
    """The signs of the kinks of upstream'y within `width` of t = 0: {1} convex ones, {-1} concave ones, or both."""
    # Steps a thousand times finer in the middle than at the ends: kinks lie at all distances.
    t = width * np.sinh(8 * np.linspace(-1, 1, 769)) / np.sinh(8)
    values = np.array([float(upstream @ line(at)) for at in t])
    slopes = np.diff(values) / np.diff(t)
    bends = np.diff(slopes)
    # A kink is a spike among the bends, which are small and steady where the function is smooth.
    usual = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(bends, 4, mode="reflect"), 9), axis=1)
    spikes = bends - usual
    threshold = max(1e-5 * np.abs(slopes).max(), 1e-3 * np.abs(spikes).max())
    rounding = 20 * noise / np.minimum(np.diff(t)[1:], np.diff(t)[:-1])
    return {int(np.sign(spike)) for spike in spikes[np.abs(spikes) > threshold + rounding]}
