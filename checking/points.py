"""Where to look: sizes, and values that are ordinary, special and extreme."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from handgrad.params import Array

Interval: TypeAlias = tuple[float, float]
Sizes: TypeAlias = dict[str, int]
REALS: Interval = (-math.inf, math.inf)
LOSS_UPSTREAM = -1.7
"""What a loss gets from above: neither 1 nor positive, so that ignoring it shows."""

PRIMES = (3, 5, 2, 7, 11, 13)


def interval(bounds: Sequence[float | None], name: str) -> Interval:
    """An open interval (low, high), None or inf for no bound; ValueError when there is nothing in it."""
    try:
        low, high = bounds
        pair = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    except (TypeError, ValueError):
        raise ValueError(f"domain of {name} must be a pair (low, high), got {bounds!r}") from None
    if not pair[0] < pair[1]:
        raise ValueError(f"domain of {name} must be an interval (low, high) with low < high, got {bounds!r}")
    return pair


def inside(values: Array, bounds: Interval) -> bool:
    return bool(np.all(values > bounds[0]) and np.all(values < bounds[1]))


def ordinary(shape: tuple[int, ...], bounds: Interval, rng: np.random.Generator) -> Array:
    """Standard normal values, or as many well inside the interval."""
    low, high = bounds
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * rng.uniform(0.1, 0.9, shape)
    values = np.asarray(rng.standard_normal(shape))
    if math.isfinite(low):
        return low + 0.2 + np.abs(values)
    if math.isfinite(high):
        return high - 0.2 - np.abs(values)
    return values


def integers(shape: tuple[int, ...], bounds: Interval, rng: np.random.Generator) -> Array:
    low, high = bounds
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * rng.integers(1, 4, shape) / 4
    if math.isfinite(low):
        return low + rng.integers(1, 5, shape)
    if math.isfinite(high):
        return high - rng.integers(1, 5, shape)
    return rng.integers(-2, 3, shape).astype(np.float64)


def constant(shape: tuple[int, ...], bounds: Interval, rng: np.random.Generator) -> Array:
    low, high = bounds
    if math.isfinite(low):
        return np.full(shape, (low + high) / 2 if math.isfinite(high) else low + 0.7)
    return np.full(shape, high - 0.7 if math.isfinite(high) else 0.7)


def zero(shape: tuple[int, ...], bounds: Interval, rng: np.random.Generator) -> Array:
    return np.zeros(shape)


def rows_apart(shape: tuple[int, ...], bounds: Interval, rng: np.random.Generator) -> Array:
    """Ordinary values, each row of the batch a thousand above the one before."""
    if not shape or bounds != REALS:
        return np.full(shape, math.nan)
    steps = 1e3 * (np.arange(shape[0]) - (shape[0] - 1) / 2)
    return np.asarray(rng.standard_normal(shape) + steps.reshape(-1, *[1] * (len(shape) - 1)))


def scaled(factor: float) -> Callable[[tuple[int, ...], Interval, np.random.Generator], Array]:
    """Normal values times `factor`; where there is a bound, so far from it."""

    def values(shape: tuple[int, ...], bounds: Interval, rng: np.random.Generator) -> Array:
        low, high = bounds
        normal = factor * rng.standard_normal(shape)
        if math.isfinite(low) and math.isfinite(high):
            near = (high - low) * np.minimum(np.abs(normal), 0.9)
            return np.where(normal < 0, low + near, high - near) if factor < 1 else np.full(shape, low)
        if math.isfinite(low):
            return low + np.abs(normal)
        return high - np.abs(normal) if math.isfinite(high) else normal

    return values


KINKED = ("small integers", "all equal", "all zero")
"""Values at which ties and exact zeros are to be expected."""

SPECIAL: dict[str, Callable[[tuple[int, ...], Interval, np.random.Generator], Array]] = {
    "small integers": integers,
    "all equal": constant,
    "all zero": zero,
    "of size 1e-5": scaled(1e-5),
    "of size 5": scaled(5.0),
    "of size 25": scaled(25.0),
    "of size 1e3": scaled(1e3),
    "rows 1e3 apart": rows_apart,
}


def special_points(
    shapes: Mapping[str, tuple[int, ...]], domain: Mapping[str, Interval], rng: np.random.Generator
) -> Iterator[tuple[str, dict[str, Array]]]:
    """Special and extreme values for all inputs at once, as far as their intervals hold such values."""
    for name, draw in SPECIAL.items():
        values = {key: draw(shape, domain.get(key, REALS), rng) for key, shape in shapes.items()}
        if all(inside(array, domain.get(key, REALS)) for key, array in values.items()):
            yield name, values


def nudged(params: Mapping[str, Array], domain: Mapping[str, Interval], rng: np.random.Generator) -> dict[str, Array]:
    """Parameters near the given ones, none of them 0 or 1: a bias of 0 or a scale of 1 hides mistakes."""
    moved = {}
    for name, array in params.items():
        change = np.where(array == 0, 0.3, 0.25 * np.abs(array)) * rng.uniform(0.4, 1, array.shape)
        new = np.asarray(array + change * rng.choice([-1.0, 1.0], array.shape))
        moved[name] = new if inside(new, domain.get(name, REALS)) else array.copy()
    return moved


def size_variants(sizes: Sizes) -> list[Sizes]:
    """The sizes to try besides the given ones: each symbol 1, all equal, and all different primes."""
    symbols = list(sizes)
    variants: list[Sizes] = [{symbol: 1} for symbol in symbols]
    if len(symbols) > 1:
        middle = max(2, min(4, sorted(sizes.values())[len(symbols) // 2]))
        variants.append(dict.fromkeys(symbols, middle))
        variants.append({symbol: PRIMES[i % len(PRIMES)] for i, symbol in enumerate(symbols)})
    return variants


def other_sizes(sizes: Sizes) -> list[Sizes]:
    """Sizes that differ from the given ones and from each other, to try until the layer takes them."""
    return [
        {symbol: size + 2 + i for i, (symbol, size) in enumerate(sizes.items())},
        {symbol: PRIMES[i % len(PRIMES)] for i, symbol in enumerate(sizes)},
        {symbol: 2 * size for symbol, size in sizes.items()},
    ]


def shape_of(text: str, sizes: Mapping[str, int], name: str) -> tuple[int, ...]:
    """The shape that `text`, such as "N D" or "N 3 2*H", has with these sizes; ValueError for an unknown symbol."""
    shape = []
    for word in text.replace(",", " ").split():
        product = 1
        for factor in word.split("*"):
            if factor.isdecimal():
                product *= int(factor)
            elif factor in sizes:
                product *= sizes[factor]
            else:
                known = ", ".join(sizes) or "none"
                raise ValueError(f"inputs: the shape {text!r} of {name} has {factor!r}, sizes has {known}")
        shape.append(product)
    return tuple(shape)


def upstream_for(outputs: Sequence[Array], rng: np.random.Generator, *, one_signed: bool = False) -> list[Any]:
    """Standard normal upstream gradients; for a single number -1.7."""
    drawn: list[Any] = []
    for y in outputs:
        if y.ndim == 0:
            drawn.append(LOSS_UPSTREAM)
        else:
            u = rng.standard_normal(y.shape)
            drawn.append(np.abs(u) + 0.1 if one_signed else u)
    if (
        not one_signed
        and len(drawn) == 1
        and np.size(drawn[0]) > 1
        and np.all(np.sign(drawn[0]) == np.sign(drawn[0].flat[0]))
    ):
        drawn[0].flat[0] *= -1
    return drawn
