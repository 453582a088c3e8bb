"""The right numbers in the wrong places, or with something done to them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from handgrad.checking.diagnosis.evidence import Case, same
from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis
from handgrad.checking.values import handed
from handgrad.params import Array


def result_changed(first: Case) -> Iterator[Hypothesis]:
    """The right gradient, and then something done to it."""
    largest = float(np.abs(first.analytic).max(initial=0.0))
    changes: list[tuple[str, str, Callable[[Array], Array | None]]] = [
        ("gradient-clipped", f"clipped to [-{largest:.4g}, {largest:.4g}]", lambda g: _clipped(g, largest)),
        ("absolute-value", "with its sign lost (abs)", np.abs),
        ("negative-dropped", "with negative entries set to 0", lambda g: np.clip(g, 0, None)),
        ("sign-only", "reduced to its sign", np.sign),
        ("gradient-normalised", "divided by its own norm", lambda g: g / np.sqrt(np.nansum(g**2))),
        ("gradient-squared", "squared", np.square),
    ]
    for cause, text, change in changes:
        yield Hypothesis(
            cause,
            f"{{d}} is the right gradient {text}; nothing of that kind belongs into backward.",
            lambda case, change=change: change(case.numeric),  # type: ignore[misc]
        )


def _clipped(gradient: Array, most: float) -> Array | None:
    """Clipped to [-most, most]; None where that changes nothing, and proves nothing."""
    return np.clip(gradient, -most, most) if np.nanmax(np.abs(gradient)) > most else None


def rearranged(first: Case) -> Iterator[Hypothesis]:
    """The right numbers in the wrong places."""
    shape = first.analytic.shape
    for axes in itertools.permutations(range(len(shape))):
        if axes != tuple(range(len(shape))) and tuple(shape[a] for a in axes) == shape:
            yield Hypothesis(
                "transposed",
                "{d} is transposed: the right numbers with axes exchanged. Check the order of the factors and the .T "
                "(dW = upstream.T @ x is [out x in]).",
                lambda case, axes=axes: np.transpose(case.numeric, axes),  # type: ignore[misc]
            )
    for count in (1, 2):
        for flipped in itertools.combinations(range(len(shape)), count):
            yield Hypothesis(
                "flipped",
                f"{{d}} is reversed along axis {' and '.join(map(str, flipped))}: the right numbers in reverse order.",
                lambda case, flipped=flipped: np.flip(case.numeric, flipped),  # type: ignore[misc]
            )
    for count in (1, 2):
        for axes in itertools.combinations(range(len(shape)), count):
            for by in itertools.product((1, -1), repeat=count):
                yield Hypothesis(
                    "shifted",
                    f"{{d}} is shifted by one along axis {' and '.join(map(str, axes))}: an index or a border is "
                    "off by one.",
                    lambda case, axes=axes, by=by: _shifted(case.numeric, axes, by),  # type: ignore[misc]
                )
    for other in first.subject.variables:
        if other != first.name and first.point[other].shape == shape:
            cause, text = "swapped", "the two are swapped (mul switches: da = upstream * b)"
            if first.name in first.subject.params and _is_right(first, other):
                cause, text = "gradient-of-another", f"d{other} has it rightly, and {{d}} is the same again"
            yield Hypothesis(
                cause,
                f"{{d}} is the gradient of {other}: {text}.",
                lambda case, other=other: _gradient_of(case, other),  # type: ignore[misc]
            )
    if len(shape) > 1:
        yield Hypothesis(
            "wrong-order",
            "{d} has the right numbers in the wrong order: reshaped where axes should have been exchanged.",
            lambda case: np.reshape(case.numeric.ravel(order="F"), case.numeric.shape),
        )
        for axes in itertools.permutations(range(len(shape))):
            if axes != tuple(range(len(shape))):
                yield Hypothesis(
                    "wrong-order",
                    "{d} has the right numbers in the wrong order: reshaped where axes should have been exchanged.",
                    lambda case, axes=axes: np.reshape(np.transpose(case.numeric, axes), case.numeric.shape),  # type: ignore[misc]
                )


def _shifted(array: Array, axes: tuple[int, ...], by: tuple[int, ...]) -> Array:
    """`array` moved along the axes; what comes in from beyond the border is not known."""
    moved = np.roll(array, by, axes)
    for axis, step in zip(axes, by, strict=True):
        if array.shape[axis] < 3:
            raise ValueError("too short to tell")
        moved[(slice(None),) * axis + (0 if step > 0 else -1,)] = np.nan
    return moved


def permuted(first: Case) -> Iterator[Hypothesis]:
    """All the right numbers, in an order that is none of the simple ones."""
    numeric, size = first.numeric.ravel(), first.analytic.size
    if size < 4 or not np.isfinite(numeric).all():
        return
    order, wanted = np.argsort(numeric), np.argsort(first.analytic.ravel())
    gaps = np.diff(numeric[order])
    if gaps.min() < 1e-6 * np.abs(numeric).max():
        return
    source = np.empty(size, int)
    source[wanted] = order
    if len(np.unique(source)) == size and not np.array_equal(source, np.arange(size)):
        yield Hypothesis(
            "permuted",
            "{d} has the right numbers in a wrong order (permuted): check reshape, transpose and the order in which "
            "parts are put together.",
            lambda case: case.numeric.ravel()[source].reshape(case.analytic.shape),
        )


def _is_right(case: Case, other: str) -> bool:
    returned = case.subject.gradients(case.point, handed(case.upstream)).get(other)
    return returned is not None and same(np.asarray(returned, np.float64), _gradient_of(case, other), 1e-6)


def _gradient_of(case: Case, other: str) -> Array:
    jacobian, _ = case.columns_of(other)
    return case.gradient(case.weights, jacobian)
