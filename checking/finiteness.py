"""Whether an infinite or NaN number is the layer's own doing, or what the function truly has there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from handgrad.checking.numeric import EPS
from handgrad.checking.report import Finding
from handgrad.checking.subject import LayerError, Point, Subject, as_tuple
from handgrad.checking.values import PointCheck
from handgrad.params import Array

SINGLE_END = 3.5e38
"""Where single precision ends: a forward that reaches it and is infinite beyond has overflowed truly."""


def why_not_finite(subject: Subject, point: Point) -> str:
    """A sentence when forward's inf or NaN is its own doing; "" when the function has no finite value there."""
    outputs = subject.outputs(point)
    bad = np.concatenate([~np.isfinite(y).ravel() for y in outputs])
    is_nan = any(np.isnan(y).any() for y in outputs)
    shown = ", ".join(f"{name} up to {np.abs(point[name]).max(initial=0):.3g}" for name in subject.inputs)
    what = "NaN" if is_nan else "infinite"
    wide = _in_long_double(subject, point)
    if wide is not None:
        finite = np.isfinite(wide) & (np.abs(wide) < 1e300)
        if np.any(finite & bad):
            true = wide[finite & bad][0]
            return (
                f"forward is {what} for finite input ({shown}), though its true value is {float(true):.6g}: an "
                "overflow on the way, or the log of 0. Subtract the maximum, or use the stable form."
            )
    if _is_isolated(subject, point):
        return (
            ""
            if not is_nan
            else (
                f"forward is NaN for finite input ({shown}), while close by it is finite: 0 divided by 0, or infinity "
                "minus infinity. Constant rows and zeros must give finite values (an epsilon under the root, say)."
            )
        )
    largest = max((float(np.abs(point[name]).max(initial=0)) for name in subject.inputs), default=0.0)
    if largest > 20:
        reach, size = _last_finite(subject, point)
        # exp overflows and 1 - tanh vanishes far out; where a function ends at 1 or 0, it is not defined beyond.
        if reach * largest > 15 and size < 1e100 and not 1e37 < size < SINGLE_END:
            return (
                f"forward is {what} for finite input ({shown}), though it stays of size {size:.3g} until there: an "
                "overflow on the way, or the log of 0. Subtract the maximum, or use the stable form."
            )
    return ""


def finite_somewhere(subject: Subject, point: Point) -> bool:
    """Whether other inputs of ordinary size, positive ones and probabilities among them, give finite output."""
    rng = np.random.default_rng(0)
    for draw in (rng.standard_normal, lambda shape: rng.uniform(0.1, 0.9, shape), lambda shape: 1 + rng.random(shape)):
        other = {k: np.asarray(draw(v.shape)) if k in subject.inputs else v for k, v in point.items()}
        try:
            if all(np.isfinite(y).all() for y in subject.outputs(other)):
                return True
        except LayerError:
            return True
    return False


def _is_isolated(subject: Subject, point: Point) -> bool:
    """Whether forward is finite everywhere close by."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        moved = {k: v + 1e-3 * rng.standard_normal(v.shape) if k in subject.inputs else v for k, v in point.items()}
        try:
            if not all(np.isfinite(y).all() for y in subject.outputs(moved)):
                return False
        except LayerError:
            return False
    return True


def _in_long_double(subject: Subject, point: Point) -> Array | None:
    """The outputs computed in extended precision; None when the layer or the machine has none."""
    if np.finfo(np.longdouble).eps >= EPS:
        return None
    wide = [point[name].astype(np.longdouble) for name in subject.inputs]
    try:
        layer = subject.at(point)
        outputs = [np.asarray(y) for y in as_tuple(subject.forward(layer, point, wide))]
    except LayerError:
        return None
    if any(y.dtype != np.longdouble for y in outputs):
        return None
    return np.concatenate([y.ravel() for y in outputs])


def _last_finite(subject: Subject, point: Point) -> tuple[float, float]:
    """How far along the way from small inputs to `point` forward stays finite, and how large it gets there."""

    def size_at(t: float) -> float:
        between = {k: t * v if k in subject.inputs else v for k, v in point.items()}
        try:
            outputs = subject.outputs(between)
        except LayerError:
            return np.inf
        return float(np.abs(np.concatenate([y.ravel() for y in outputs])).max(initial=0.0))

    low, high = 1e-3, 1.0
    size = size_at(low)
    if not np.isfinite(size):
        return 0.0, size
    for _ in range(40):
        t = (low + high) / 2
        reached = size_at(t)
        if np.isfinite(reached):
            low, size = t, reached
        else:
            high = t
    return low, size


def infinite_gradients(check: PointCheck) -> Iterator[Finding]:
    """A finding for each gradient that is NaN or infinite where forward has a finite slope."""
    for name, gradient in check.gradients.items():
        if gradient.shape != check.point[name].shape or np.isfinite(gradient).all():
            continue
        for place in np.argwhere(~np.isfinite(gradient))[:4]:
            index = tuple(int(i) for i in place)
            true = check.slope_at(name, index)
            grows = len(true.steps) > 2 and abs(true.steps[-1].central) > 1e3 * (1 + abs(true.steps[0].central))
            if true.jump or grows or true.error > 1e-2 * max(1e-3, abs(true.value)):
                continue  # the slope itself is infinite there, or there is none
            value = f"between {true.low:.6g} and {true.high:.6g}" if true.kink else f"{true.value:.6g}"
            is_nan, x = bool(np.isnan(gradient[index])), check.point[name][index]
            yield Finding(
                "d" + name,
                "nonfinite",
                "nan" if is_nan else "overflow",
                f"d{name}{list(index)} is {'NaN' if is_nan else 'infinite'} where {name} is {x:.6g}, though forward is "
                f"finite there and its slope is {value}. Look for a division by 0, the log of 0 or exp of a large "
                "number (overflow, saturation).",
                item="finite",
                index=index,
                analytic=float(gradient[index]),
                numeric=true.value,
                error=true.error,
            )
            break
