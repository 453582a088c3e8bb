"""Hypotheses: what backward would return if a certain mistake had been made, the simplest mistakes first."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from handgrad.checking import catalogue
from handgrad.checking.evidence import Case, lengths_of, own_numbers, same
from handgrad.checking.values import flat
from handgrad.params import Array

Hypothesis = tuple[str, str, Callable[[Case], "Array | None"]]
"""A cause, the sentence that explains it, and what backward would then return."""


def hypotheses(first: Case) -> Iterator[Hypothesis]:
    """All hypotheses, the simplest first."""
    yield (
        "zero",
        "{d} is zero everywhere, the differences are not: it is never filled in, or the upstream gradient is cut off.",
        lambda case: np.zeros_like(case.analytic),
    )
    yield from _constant_factors(first)
    yield from _upstream_ignored(first)
    yield from _catalogue(first)
    yield from _stale(first)
    yield from _result_changed(first)
    yield from _rearranged(first)
    yield from _permuted(first)
    yield from _other_upstream(first)
    yield from _parts_of_the_jacobian(first)
    yield from _wrong_derivative(first)
    yield from _wrong_sum(first)
    yield from _other_values(first)
    yield from _sums_of_parts(first)
    yield from _wrong_factor(first)


def _constant_factors(first: Case) -> Iterator[Hypothesis]:
    yield (
        "sign",
        "{d} has the wrong sign: backward gives exactly minus the differences. Look for a difference taken the wrong "
        "way round, or a forgotten minus.",
        lambda case: -case.numeric,
    )
    if first.weights.size == 1 and first.subject.takes_upstream:
        yield (
            "upstream-ignored",
            "{d} does not depend on the upstream gradient: backward gives the derivative for an upstream of 1. "
            "Multiply by upstream (chain rule: dL/dx = upstream * local).",
            lambda case: case.numeric / case.weights[0],
        )
        yield (
            "upstream-twice",
            "{d} has the upstream gradient in it twice (upstream squared).",
            lambda case: case.numeric * case.weights[0],
        )
    for cause, text, factor in _factors(first):
        for sign in (1, -1):
            extra = " and has the wrong sign" if sign < 0 else ""
            yield (
                cause,
                text + extra + ".",
                lambda case, factor=factor, sign=sign: sign * factor(case) * case.numeric,  # type: ignore[misc]
            )
    seen = np.isfinite(first.numeric) & (np.abs(first.numeric) > 1e-6 * np.nanmax(np.abs(first.numeric)))
    ratios = first.analytic[seen] / first.numeric[seen]
    if ratios.size > 1 and np.ptp(ratios) < 1e-8 * np.abs(ratios).max():
        c = float(ratios.mean())
        yield (
            "constant-factor",
            f"{{d}} is exactly {c:.6g} times what the differences give: a constant factor too many or too few.",
            lambda case: c * case.numeric,
        )


def _factors(first: Case) -> Iterator[tuple[str, str, Callable[[Case], float]]]:
    """Factors with a meaning: sizes, 2, and the layer's own numbers."""
    lengths = lengths_of(first)
    for label in lengths:
        yield (
            f"missing-1/{label}",
            f"{{d}} is exactly {label} times too large: the division by {label} is missing (a sum where forward takes "
            "a mean)",
            lambda case, label=label: float(lengths_of(case)[label]),  # type: ignore[misc]
        )
        yield (
            f"extra-1/{label}",
            f"{{d}} is exactly {label} times too small: divided by {label} once too often (a mean where a sum belongs; "
            "the 1/N is the loss's business alone)",
            lambda case, label=label: 1 / lengths_of(case)[label],  # type: ignore[misc]
        )
    for a, b in itertools.permutations(lengths, 2):
        yield (
            f"{a}-for-{b}",
            f"{{d}} is exactly {b}/{a} times the differences: divided by {a} where {b} belongs",
            lambda case, a=a, b=b: lengths_of(case)[b] / lengths_of(case)[a],  # type: ignore[misc]
        )
        if a < b:
            yield (
                f"missing-1/({a}*{b})",
                f"{{d}} is exactly {a}*{b} times too large: the division by both is missing",
                lambda case, a=a, b=b: float(lengths_of(case)[a] * lengths_of(case)[b]),  # type: ignore[misc]
            )
            yield (
                f"extra-1/({a}*{b})",
                f"{{d}} is exactly {a}*{b} times too small",
                lambda case, a=a, b=b: 1 / (lengths_of(case)[a] * lengths_of(case)[b]),  # type: ignore[misc]
            )
    for name in own_numbers(first):
        keep = "keep probability " if name in ("p", "rate", "drop", "keep") else ""
        told: dict[str, Callable[[float], float]] = {
            f"missing-factor-{name}": lambda a: 1 / a,
            f"extra-factor-{name}": lambda a: a,
            f"missing-scale-1/(1-{name})": lambda a: 1 - a,
            f"extra-scale-1/(1-{name})": lambda a: 1 / (1 - a),
        }
        for cause, of in told.items():
            what = cause.split("-", 2)[2]
            verb = "is missing" if cause.startswith("missing") else "is there once too often"
            yield (
                cause,
                f"{{d}} is off by a constant factor: the {keep}scale {what} of the layer {verb}",
                lambda case, name=name, of=of: of(own_numbers(case)[name]),  # type: ignore[misc]
            )

    yield "missing-factor-2", "{d} is exactly half of the differences: a factor 2 is missing", lambda case: 0.5
    yield (
        "extra-factor-2",
        "{d} is exactly twice the differences: a factor 2 too much, or counted twice",
        lambda case: 2.0,
    )


def _upstream_ignored(first: Case) -> Iterator[Hypothesis]:
    if first.weights.size > 1:
        yield (
            "upstream-ignored",
            "{d} does not depend on the upstream gradient: backward gives what an upstream of ones would. Multiply by "
            "upstream (chain rule: dL/dx = upstream * local).",
            lambda case: case.gradient(np.ones_like(case.weights)),
        )
    yield (
        "equals-upstream",
        "{d} is just the upstream gradient: the local derivative is missing.",
        lambda case: case.u if case.u.shape == case.analytic.shape else None,
    )
    if first.u.shape == first.analytic.shape and np.all(first.u != 0):
        ratio = first.analytic / first.u
        if np.ptp(ratio) < 1e-8 * np.abs(ratio).max() and ratio.size > 1:
            yield (
                "equals-upstream",
                f"{{d}} is just {float(ratio.flat[0]):.6g} times the upstream gradient: the local derivative (a "
                "mask, a gate) is missing.",
                lambda case: float(ratio.flat[0]) * case.u,
            )
    if first.u.ndim == 0:
        yield (
            "equals-upstream",
            "{d} is just the upstream gradient everywhere: the local derivative is missing.",
            lambda case: np.full_like(case.analytic, case.u),
        )


def _stale(first: Case) -> Iterator[Hypothesis]:
    """The derivative with the parameters that the layer was made with, not those it has now."""
    if first.subject.params:
        yield (
            "stale-parameters",
            "{d} is the derivative for the parameters that the layer was made with, not for those it has now: a "
            "copy of them was kept. Use the parameters themselves in every call.",
            lambda case: case.with_values(**{name: case.subject.at_hand[name] for name in case.subject.params}),
        )


def _result_changed(first: Case) -> Iterator[Hypothesis]:
    """The right gradient, and then something done to it."""
    largest = float(np.abs(first.analytic).max(initial=0.0))
    changes: list[tuple[str, str, Callable[[Array], Array]]] = [
        ("gradient-clipped", f"clipped to [-{largest:.4g}, {largest:.4g}]", lambda g: np.clip(g, -largest, largest)),
        ("absolute-value", "with its sign lost (abs)", np.abs),
        ("negative-dropped", "with negative entries set to 0", lambda g: np.maximum(g, 0)),
        ("sign-only", "reduced to its sign", np.sign),
        ("gradient-normalised", "divided by its own norm", lambda g: g / np.sqrt(np.nansum(g**2))),
        ("gradient-squared", "squared", np.square),
    ]
    for cause, text, change in changes:
        yield (
            cause,
            f"{{d}} is the right gradient {text}; nothing of that kind belongs into backward.",
            lambda case, change=change: change(case.numeric),  # type: ignore[misc]
        )


def _rearranged(first: Case) -> Iterator[Hypothesis]:
    """The right numbers in the wrong places."""
    shape = first.analytic.shape
    for axes in itertools.permutations(range(len(shape))):
        if axes != tuple(range(len(shape))) and tuple(shape[a] for a in axes) == shape:
            yield (
                "transposed",
                "{d} is transposed: the right numbers with axes exchanged. Check the order of the factors and the .T "
                "(dW = upstream.T @ x is [out x in]).",
                lambda case, axes=axes: np.transpose(case.numeric, axes),  # type: ignore[misc]
            )
    for count in (1, 2):
        for flipped in itertools.combinations(range(len(shape)), count):
            yield (
                "flipped",
                f"{{d}} is reversed along axis {' and '.join(map(str, flipped))}: the right numbers in reverse order.",
                lambda case, flipped=flipped: np.flip(case.numeric, flipped),  # type: ignore[misc]
            )
    for count in (1, 2):
        for axes in itertools.combinations(range(len(shape)), count):
            for by in itertools.product((1, -1), repeat=count):
                yield (
                    "shifted",
                    f"{{d}} is shifted by one along axis {' and '.join(map(str, axes))}: an index or a border is "
                    "off by one.",
                    lambda case, axes=axes, by=by: _shifted(case.numeric, axes, by),  # type: ignore[misc]
                )
    for other in first.subject.variables:
        if other != first.name and first.point[other].shape == shape:
            yield (
                "swapped",
                f"{{d}} is the gradient of {other}: the two are swapped (mul switches: da = upstream * b).",
                lambda case, other=other: _gradient_of(case, other),  # type: ignore[misc]
            )
    if len(shape) > 1:
        yield (
            "wrong-order",
            "{d} has the right numbers in the wrong order: reshaped where axes should have been exchanged.",
            lambda case: np.reshape(case.numeric.ravel(order="F"), case.numeric.shape),
        )
        for axes in itertools.permutations(range(len(shape))):
            if axes != tuple(range(len(shape))):
                yield (
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


def _permuted(first: Case) -> Iterator[Hypothesis]:
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
        yield (
            "permuted",
            "{d} has the right numbers in a wrong order (permuted): check reshape, transpose and the order in which "
            "parts are put together.",
            lambda case: case.numeric.ravel()[source].reshape(case.analytic.shape),
        )


def _gradient_of(case: Case, other: str) -> Array:
    jacobian, _ = case.columns_of(other)
    return case.gradient(case.weights, jacobian)


def _other_upstream(first: Case) -> Iterator[Hypothesis]:
    """The right formula with something else in the place of the upstream gradient."""
    if first.weights.size < 2:
        yield (
            "upstream-magnitude",
            "{d} takes the upstream gradient's absolute value: its sign is lost.",
            lambda case: case.gradient(np.abs(case.weights)),
        )
        return
    changes: list[tuple[str, str, Callable[[Array], Array]]] = [
        ("upstream-magnitude", "is right for |upstream|: the upstream's sign is lost (abs)", np.abs),
        (
            "upstream-negative-dropped",
            "drops negative upstream gradients (as if max(0, upstream))",
            lambda u: np.maximum(u, 0),
        ),
        ("upstream-sign-only", "uses only the sign of the upstream gradient", np.sign),
        ("upstream-squared", "has the upstream gradient in it twice (squared)", np.square),
        ("upstream-clipped", "clips the upstream gradient to [-1, 1]", lambda u: np.clip(u, -1, 1)),
        (
            "only-first-row",
            "counts only the first row of the batch: the sum over the batch is missing",
            lambda u: _only(u, 0),
        ),
        (
            "only-last-row",
            "counts only the last row of the batch: overwritten rather than summed (= for +=)",
            lambda u: _only(u, -1),
        ),
        (
            "upstream-averaged",
            "uses the mean of the upstream gradient over the batch for every row",
            lambda u: _mean(u, 0),
        ),
        ("upstream-averaged", "uses the mean of each row of the upstream gradient", lambda u: _mean(u, -1)),
        ("upstream-averaged", "uses the mean of the whole upstream gradient", lambda u: np.full_like(u, u.mean())),
        (
            "upstream-summed",
            "uses the sum of the whole upstream gradient for every entry",
            lambda u: np.full_like(u, u.sum()),
        ),
        (
            "upstream-summed",
            "uses the sum of the upstream gradient over the batch for every row",
            lambda u: _mean(u, 0) * len(u),
        ),
        (
            "upstream-summed",
            "uses the sum of each row of the upstream gradient for all its entries",
            lambda u: _mean(u, -1) * u.shape[-1],
        ),
        (
            "upstream-first-entry",
            "uses the first entry of the upstream gradient for all",
            lambda u: np.full_like(u, u.flat[0]),
        ),
        ("upstream-reversed", "uses the rows of the upstream gradient in reverse order", lambda u: u[::-1]),
        ("upstream-normalised", "scales the upstream gradient to a norm of 1", lambda u: u / np.sqrt(np.sum(u**2))),
        (
            "upstream-clipped",
            "scales the upstream gradient to a norm of at most 1 (clipping, which belongs into the optimizer)",
            lambda u: u / max(1.0, float(np.sqrt(np.sum(u**2)))),
        ),
        ("upstream-transposed", "uses the upstream gradient transposed", lambda u: u.T if u.T.shape == u.shape else u),
        ("upstream-shifted", "uses the upstream gradient of the neighbouring row", lambda u: np.roll(u, 1, 0)),
        ("upstream-shifted", "uses the upstream gradient of the neighbouring row", lambda u: np.roll(u, -1, 0)),
    ]
    for cause, text, change in changes:
        yield (
            cause,
            f"{{d}} {text}.",
            lambda case, change=change: case.gradient(flat([change(u) for u in case.upstream])),  # type: ignore[misc]
        )


def _only(u: Array, row: int) -> Array:
    kept = np.zeros_like(u)
    kept[row] = u[row]
    return kept


def _mean(u: Array, axis: int) -> Array:
    return np.broadcast_to(u.mean(axis=axis, keepdims=True), u.shape)


def _parts_of_the_jacobian(first: Case) -> Iterator[Hypothesis]:
    """Some of the paths from the entry to the outputs are missing."""
    outputs, entries = first.jacobian.shape
    if outputs == entries and outputs > 1 and first.analytic.size == outputs:
        yield (
            "diagonal-only",
            "{d} has only the diagonal of the Jacobian in it: that each output also depends on the other inputs (of "
            "its row) is forgotten; the cross terms are missing.",
            lambda case: (np.diag(case.jacobian) * case.weights).reshape(case.analytic.shape),
        )
        yield (
            "off-diagonal-only",
            "{d} has only the off-diagonal terms of the Jacobian in it: the entry's own path is missing.",
            lambda case: case.numeric - (np.diag(case.jacobian) * case.weights).reshape(case.analytic.shape),
        )
    for which, text in ((-1, "last"), (0, "first")):
        yield (
            "overwritten-not-added",
            f"{{d}} keeps only the {text} of the paths by which an entry reaches the output: contributions overwrite "
            "each other instead of being summed (= for +=, or a repeated index: np.add.at; fan-out "
            "sums the gradients).",
            lambda case, which=which: _one_path(case, which),  # type: ignore[misc]
        )
    yield from _slices_missing(first)
    for axis in range(first.analytic.ndim):
        yield (
            "averaged",
            f"{{d}} has the mean along axis {axis} in every entry.",
            lambda case, axis=axis: np.broadcast_to(  # type: ignore[misc]
                case.numeric.mean(axis=axis, keepdims=True), case.analytic.shape
            ),
        )
        yield (
            "summed-over-wrong-axis",
            f"{{d}} has the sum along axis {axis} in every entry: summed over an axis too many, then broadcast.",
            lambda case, axis=axis: np.broadcast_to(  # type: ignore[misc]
                case.numeric.sum(axis=axis, keepdims=True), case.analytic.shape
            ),
        )
    if first.u.ndim > 1 and first.name in first.subject.params:
        for axes in [c for k in (1, 2, 3) for c in itertools.combinations(range(first.u.ndim), k)]:
            yield (
                "wrong-axis",
                f"{{d}} sums the contributions of the outputs over axis {' and '.join(map(str, axes))}, which is the "
                "wrong axis.",
                lambda case, axes=axes: _summed(case, axes),  # type: ignore[misc]
            )
    if first.u.ndim > 1:
        for axis in range(first.u.ndim):
            yield (
                "summed-over-wrong-axis",
                f"{{d}} is the sum of the upstream gradient over axis {axis}: the wrong axis.",
                lambda case, axis=axis: _reduced(case, axis, np.sum),  # type: ignore[misc]
            )
            yield (
                "mean-for-sum",
                f"{{d}} is the mean of the upstream gradient over axis {axis}, where a sum belongs.",
                lambda case, axis=axis: _reduced(case, axis, np.mean),  # type: ignore[misc]
            )


def _reduced(case: Case, axis: int, reduce: Any) -> Array | None:
    value = np.asarray(reduce(case.u, axis=axis))
    return value if value.shape == case.analytic.shape else None


def _summed(case: Case, axes: tuple[int, ...]) -> Array | None:
    total = (case.weights * case.jacobian.sum(axis=1)).reshape(case.y.shape).sum(axis=axes)
    return np.asarray(total) if np.shape(total) == case.analytic.shape else None


def _one_path(case: Case, which: int) -> Array:
    paths = case.weights[:, None] * case.jacobian
    if case.y.ndim == 4:  # the channels of one place are summed in any case
        shape = (*case.y.shape, -1)
        paths = paths.reshape(shape).sum(axis=1).reshape(-1, paths.shape[1])
        used = (np.abs(case.jacobian.reshape(shape)) > 1e-9).any(axis=1).reshape(paths.shape)
    else:
        used = np.abs(case.jacobian) > 1e-9 * np.abs(case.jacobian).max()
    whole = np.full(case.analytic.size, np.nan)
    for column, k in enumerate(case.known):
        rows = np.flatnonzero(used[:, column])
        whole[k] = paths[rows[which], column] if rows.size else 0.0
    return whole.reshape(case.analytic.shape)


def _slices_missing(first: Case) -> Iterator[Hypothesis]:
    """Zero in the first or last rows or columns: a loop or slice that ends too early, or starts too late."""
    for axis, size in enumerate(first.analytic.shape):
        word = "row" if axis == 0 else "column" if axis == first.analytic.ndim - 1 else "slice"
        for count, at_end in itertools.product(range(1, size), (True, False)):
            end = "last" if at_end else "first"
            side = "trailing" if at_end else "leading"
            what = f"{end} {word} ({side})" if count == 1 else f"{end} {count} {word}s ({side})"
            yield (
                f"{end}-{word}-missing" if count == 1 else f"{side}-{word}s-missing",
                f"{{d}} is zero in its {what} along axis {axis}, and right elsewhere: a loop or slice ends too early, "
                "or starts too late (a border, a stride).",
                lambda case, axis=axis, count=count, at_end=at_end: _without(  # type: ignore[misc]
                    case.numeric, axis, slice(-count, None) if at_end else slice(count)
                ),
            )


def _without(array: Array, axis: int, part: slice) -> Array:
    kept = array.copy()
    kept[(slice(None),) * axis + (part,)] = 0
    return kept


def _other_values(first: Case) -> Iterator[Hypothesis]:
    """The derivative at another point than the layer was at."""
    if first.is_large:
        return
    for key in first.subject.inputs:
        if first.y.shape == first.point[key].shape:
            yield (
                "output-for-input",
                f"{{d}} is the derivative at the output instead of the input: y stands where {key} belongs (or the "
                "derivative was taken of a value that had been through the function already).",
                lambda case, key=key: case.with_values(**{key: case.y}),  # type: ignore[misc]
            )
        for text, change in (
            ("|x|", np.abs),
            ("-x", np.negative),
            ("max(0, x)", lambda x: np.maximum(x, 0)),
            ("the batch in reverse order", lambda x: x[::-1] if np.ndim(x) else x),
            ("x with its mean taken off", lambda x: x - x.mean(axis=0) if np.ndim(x) else x),
            ("x**2", np.square),
            ("0", np.zeros_like),
        ):
            yield (
                "wrong-input",
                f"{{d}} is the derivative at {text.replace('x', key) if 'max' not in text else text} instead of {key}.",
                lambda case, key=key, change=change: case.with_values(**{key: change(case.point[key])}),  # type: ignore[misc]
            )
    for key in first.subject.variables:
        if key != first.name:
            yield (
                "transposed",
                f"{{d}} uses {key} untransposed where its transpose belongs, or the other way round.",
                lambda case, key=key: case.with_values(**{key: _transposed(case.point[key])}),  # type: ignore[misc]
            )
    for key in first.subject.params:
        for cause, text, change in (
            (f"{key}-forgotten", f"does not contain {key}: backward works as if {key} were 1", np.ones_like),
            (f"{key}-forgotten", f"does not contain {key}: backward works as if {key} were 0", np.zeros_like),
            ("transposed", f"uses {key} with its first two axes exchanged", _first_two_exchanged),
            ("kernel-flipped", f"uses {key} flipped along its last two axes (convolution for correlation)", _flipped),
            ("flipped", f"uses {key} in reverse order", lambda w: w[..., ::-1] if np.ndim(w) else w),
            (f"{key}-squared", f"has {key} in it twice", np.square),
            (f"{key}-inverted", f"divides by {key} where it should multiply, or the other way round", lambda w: 1 / w),
            (f"{key}-sign", f"uses -{key}", np.negative),
        ):
            yield (
                cause,
                f"{{d}} {text}.",
                lambda case, key=key, change=change: case.with_values(**{key: change(case.point[key])}),  # type: ignore[misc]
            )


def _transposed(w: Array) -> Array:
    if np.ndim(w) < 2 or w.shape[-1] != w.shape[-2]:
        raise ValueError("not square")
    return np.swapaxes(w, -1, -2)


def _first_two_exchanged(w: Array) -> Array:
    if np.ndim(w) < 3 or w.shape[0] != w.shape[1]:
        raise ValueError("not square")
    return np.swapaxes(w, 0, 1)


def _flipped(w: Array) -> Array:
    if np.ndim(w) < 2:
        raise ValueError("no two axes")
    return w[..., ::-1, ::-1]


def _sums_of_parts(first: Case) -> Iterator[Hypothesis]:
    """The right gradient plus a multiple of something."""
    candidates: list[tuple[str, str, Callable[[Case], Array | None]]] = []
    own = first.name in first.subject.params
    candidates.append(
        ("weight-decay" if own else "adds-input", f"{first.name} itself", lambda case: case.point[case.name])
    )
    candidates.append(("adds-upstream", "the upstream gradient", lambda case: case.u))
    candidates.append(("adds-output", "the output", lambda case: case.y))
    candidates.append(("adds-constant", "1", lambda case: np.ones_like(case.analytic)))
    candidates.append(("adds-sign", f"the sign of {first.name}", lambda case: np.sign(case.point[case.name])))
    for cause, what, part in candidates:
        value = part(first)
        if value is None or np.shape(value) != first.analytic.shape:
            continue
        difference = (first.analytic - first.numeric)[np.isfinite(first.numeric)]
        basis = np.asarray(value)[np.isfinite(first.numeric)]
        c = float(difference @ basis / (basis @ basis)) if np.any(basis) else 0.0
        if abs(c) < 1e-9:
            continue
        if cause == "adds-upstream" and abs(c + 1) < 1e-7:
            cause, text = (
                "skip-forgotten",
                "{d} lacks the upstream gradient itself: the direct path (a skip connection, or the entry's own "
                "term) is forgotten.",
            )
        elif cause == "adds-upstream" and abs(c - 1) < 1e-7:
            text = "{d} has the upstream gradient in it once too often."
        elif cause == "weight-decay":
            text = (
                f"{{d}} has {c:.4g} * {what} added to it: weight decay (regularisation) belongs into "
                "the optimizer or the loss."
            )
        else:
            text = f"{{d}} is the right gradient plus {c:.4g} times {what}."
        yield cause, text, lambda case, part=part, c=c: case.numeric + c * np.asarray(part(case))  # type: ignore[misc]


def _functions(first: Case) -> list[tuple[str, Callable[[Case], Array]]]:
    """What a factor can be a function of, entry by entry: the variable itself, the output, the other inputs."""
    arguments: list[tuple[str, Callable[[Case], Array]]] = [(first.name, lambda case: case.point[case.name])]
    if first.y.shape == first.analytic.shape:
        arguments.append(("y", lambda case: case.y))
        arguments.append(("upstream", lambda case: case.u))
    for key in first.subject.inputs:
        if key != first.name and first.point[key].shape == first.analytic.shape:
            arguments.append((key, lambda case, key=key: case.point[key]))  # type: ignore[misc]
    return arguments


def _wrong_derivative(first: Case) -> Iterator[Hypothesis]:
    """The upstream gradient times a simple function of the input or output, but the wrong one."""
    if first.u.shape != first.analytic.shape:
        return
    for (name, of), (text, function) in itertools.product(_functions(first), catalogue.FUNCTIONS):
        yield (
            _swapped_cause(first, name, function),
            f"{{d}} is exactly upstream * {text.replace('z', name)}" + _swapped_text(first, name, function, text),
            lambda case, of=of, function=function: case.u * function(of(case)),  # type: ignore[misc]
        )


def _wrong_sum(first: Case) -> Iterator[Hypothesis]:
    """A parameter's gradient as the sum of upstream times a simple function, but the wrong one."""
    if first.name not in first.subject.params or first.x.shape != first.u.shape or first.u.ndim < 1:
        return
    for axes in ((0,), tuple(range(first.u.ndim)), tuple(i for i in range(first.u.ndim) if i != 1)):
        if np.shape(first.u.sum(axis=axes)) != first.analytic.shape:
            continue
        for (name, of), (text, function) in itertools.product(
            (("x", lambda case: case.x), ("y", lambda case: case.y)), catalogue.FUNCTIONS
        ):
            yield (
                "wrong-derivative",
                f"{{d}} is exactly the sum of upstream * {text.replace('z', name)}, which is not this parameter's "
                f"derivative{_right_sum(first, axes)}.",
                lambda case, of=of, function=function, axes=axes: np.asarray(  # type: ignore[misc]
                    (case.u * function(of(case))).sum(axis=axes)
                ),
            )


def _right_sum(first: Case, axes: tuple[int, ...]) -> str:
    for name, values in (("x", first.x), ("y", first.y)):
        for text, function in catalogue.FUNCTIONS:
            if same(np.asarray((first.u * function(values)).sum(axis=axes)), first.numeric):
                return f"; the differences give the sum of upstream * {text.replace('z', name)}"
    return ""


def _wrong_factor(first: Case) -> Iterator[Hypothesis]:
    """The right gradient times a simple function of the input or output, or without it."""
    for (name, of), (text, function) in itertools.product(_functions(first), catalogue.FUNCTIONS):
        formula = text.replace("z", name)
        yield (
            "extra-factor",
            f"{{d}} is exactly the right gradient times {formula}: that factor is one too many.",
            lambda case, of=of, function=function: case.numeric * function(of(case)),  # type: ignore[misc]
        )
        yield (
            "missing-factor",
            f"{{d}} is exactly the right gradient divided by {formula}: that factor is missing.",
            lambda case, of=of, function=function: case.numeric / function(of(case)),  # type: ignore[misc]
        )


def _swapped_cause(first: Case, name: str, function: Callable[[Array], Array]) -> str:
    if name != "y" and first.y.shape == first.analytic.shape and same(first.u * function(first.y), first.numeric):
        return "input-for-output"
    if name == "y" and first.x.shape == first.analytic.shape and same(first.u * function(first.x), first.numeric):
        return "output-for-input"
    return "wrong-derivative"


def _swapped_text(first: Case, name: str, function: Callable[[Array], Array], text: str) -> str:
    cause = _swapped_cause(first, name, function)
    if cause == "input-for-output":
        return f": you used the input where the output belongs; right is upstream * {text.replace('z', 'y')}."
    if cause == "output-for-input":
        return f": you used the output where the input belongs; right is upstream * {text.replace('z', 'x')}."
    for other, values in (("y", first.y), ("x", first.x)):
        for right, candidate in catalogue.FUNCTIONS:
            if values.shape == first.analytic.shape and same(first.u * candidate(values), first.numeric):
                return f", the differences give upstream * {right.replace('z', other)}."
    return ", which is not this function's derivative."


def _catalogue(first: Case) -> Iterator[Hypothesis]:
    """The wrong formulas of the layer that forward turns out to be."""
    for mistake in catalogue.mistakes(first.subject, first.point, first.outputs, first.name):
        yield (
            mistake.cause,
            mistake.message,
            lambda case, mistake=mistake: mistake.gradient(  # type: ignore[misc]
                catalogue.Seen(case.subject, case.point, case.outputs, case.upstream)
            ),
        )
