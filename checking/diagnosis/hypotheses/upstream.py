"""The right formula with something else in the place of the upstream gradient."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from handgrad.checking.diagnosis.evidence import Case, own_numbers, same
from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis
from handgrad.checking.subject import parameters
from handgrad.checking.values import flat, handed
from handgrad.params import Array


def not_linear(case: Case) -> tuple[str, str] | None:
    """Cause and message where backward is not linear in the upstream gradient; multiples by powers of 2 are exact."""
    scale = float(np.abs(case.analytic).max(initial=0.0))
    again = np.asarray(case.subject.gradients(case.point, handed(case.upstream))[case.name], np.float64)
    if np.any(np.abs(again - case.analytic) > 1e-9 * scale):
        return "not-repeatable", (
            "a new copy of the layer with the same arguments gives another {d}: backward draws random numbers, "
            "or works from something outside the layer, or from what np.empty holds."
        )
    changed = _parameters_changed(case)
    if changed:
        return "changes-parameters", (
            f"backward changes the parameter {changed}, and {{d}} is not right for what it was in forward. The update "
            "is the optimizer's: backward returns gradients and changes nothing."
        )
    bends: list[tuple[float, Array]] = []
    for factor in (1024.0, 1 / 1024, -1.0):
        upstream = handed([factor * u for u in case.upstream])
        got = np.asarray(case.subject.gradients(case.point, upstream)[case.name], np.float64) / factor
        if np.any(np.abs(got - case.analytic) > 1e-6 * scale):
            bends.append((factor, got))
    if not bends:
        return None
    factor, got = bends[0]
    if factor == 1024 and np.abs(got).max() < 0.9 * scale and -1.0 not in dict(bends):
        return "upstream-clipped", (
            "for 1024 times the upstream gradient {d} is less than 1024 times itself: backward clips; clipping belongs "
            "into the optimizer."
        )
    return "not-linear", (
        f"for {factor:g} times the upstream gradient {{d}} is not {factor:g} times itself: backward must be linear in "
        "the upstream (no abs, square, sign, clip or gate of it, and nothing added)."
    )


def _parameters_changed(case: Case) -> str:
    """The name of a parameter that backward changes; "" when it changes none."""
    layer = case.subject.at(case.point)
    case.subject.forward(layer, case.point)
    case.subject.backward(layer, handed(case.upstream))
    params = parameters(layer)
    return next((name for name in case.subject.params if not np.array_equal(params[name], case.point[name])), "")


def upstream_ignored(first: Case) -> Iterator[Hypothesis]:
    if first.weights.size > 1:
        yield Hypothesis(
            "upstream-ignored",
            "{d} does not depend on the upstream gradient: backward gives what an upstream of ones would. Multiply by "
            "upstream (chain rule: dL/dx = upstream * local).",
            lambda case: case.gradient(np.ones_like(case.weights)),
        )
    yield Hypothesis(
        "equals-upstream",
        "{d} is just the upstream gradient: the local derivative is missing.",
        lambda case: case.u if case.u.shape == case.analytic.shape else None,
    )
    if first.u.shape == first.analytic.shape and np.all(first.u != 0):
        ratio = first.analytic / first.u
        if np.ptp(ratio) < 1e-8 * np.abs(ratio).max() and ratio.size > 1:
            c = float(ratio.flat[0])
            name = next((f" ({name})" for name, value in own_numbers(first).items() if abs(value - c) < 1e-9), "")
            yield Hypothesis(
                "equals-upstream",
                f"{{d}} is just {c:.6g}{name} times the upstream gradient, whatever the input: the local derivative (a "
                "mask, a gate) is missing.",
                lambda case: float(ratio.flat[0]) * case.u,
            )
    if first.u.ndim == 0:
        yield Hypothesis(
            "equals-upstream",
            "{d} is just the upstream gradient everywhere: the local derivative is missing.",
            lambda case: np.full_like(case.analytic, case.u),
        )


def other_upstream(first: Case) -> Iterator[Hypothesis]:
    """The right formula with something else in the place of the upstream gradient."""
    if first.weights.size < 2:
        yield Hypothesis(
            "upstream-magnitude",
            "{d} takes the upstream gradient's absolute value: its sign is lost.",
            lambda case: case.gradient(np.abs(case.weights)),
        )
        return
    keeps_small_ones = _is_right_for_a_small_upstream(first)
    changes: list[tuple[str, str, Callable[[Array], Array | None]]] = [
        ("upstream-magnitude", "is right for |upstream|: the upstream's sign is lost (abs)", np.abs),
        (
            "upstream-negative-dropped",
            "drops negative upstream gradients (as if max(0, upstream))",
            lambda u: np.clip(u, 0, None),
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
            "last-row-missing",
            "lacks the last row of the batch: a loop ends one too early",
            lambda u: _without(u, -1),
        ),
        (
            "first-row-missing",
            "lacks the first row of the batch: a loop starts one too late",
            lambda u: _without(u, 0),
        ),
        *(
            (
                "loop-too-short",
                f"counts the places along axis {axis} of the output only up to the size of axis {other}: a loop or "
                "slice runs over the wrong size",
                lambda u, axis=axis, other=other: _only(u, slice(u.shape[other]), axis),
            )
            for axis, other in itertools.permutations(range(1, first.u.ndim), 2)
            if first.u.shape[other] < first.u.shape[axis]
        ),
        *(
            (
                "overwritten-not-added",
                f"counts only the {'last' if k else 'first'} place along axis {axis} of the output: overwritten rather "
                "than summed (= for +=), or the loop ends too early",
                lambda u, axis=axis, k=k: _only(u, k, axis),
            )
            for axis in range(1, first.u.ndim)
            for k in (-1, 0)
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
        (
            "upstream-clipped",
            "scales the upstream gradient to a norm of at most 1 (clipping, which belongs into the optimizer)",
            lambda u: u / max(1.0, _norm(u)) if keeps_small_ones else None,
        ),
        ("upstream-normalised", "scales the upstream gradient to a norm of 1", lambda u: u / _norm(u)),
        ("upstream-transposed", "uses the upstream gradient transposed", lambda u: u.T if u.T.shape == u.shape else u),
        ("upstream-shifted", "uses the upstream gradient of the neighbouring row", lambda u: np.roll(u, 1, 0)),
        ("upstream-shifted", "uses the upstream gradient of the neighbouring row", lambda u: np.roll(u, -1, 0)),
    ]
    for cause, text, change in changes:
        yield Hypothesis(
            cause,
            f"{{d}} {text}.",
            lambda case, change=change: _with_upstream(case, change),  # type: ignore[misc]
            speaks_of_sizes=cause == "loop-too-short",
        )


def _with_upstream(case: Case, change: Callable[[Array], Array | None]) -> Array | None:
    changed = [new for new in map(change, case.upstream) if new is not None]
    return case.gradient(flat(changed)) if len(changed) == len(case.upstream) else None


def _is_right_for_a_small_upstream(case: Case) -> bool:
    small = 2.0**-30
    got = case.subject.gradients(case.point, handed([small * u for u in case.upstream]))[case.name]
    return same(np.asarray(got, np.float64) / small, case.numeric, 1e-6)


def _norm(u: Array) -> float:
    return float(np.sqrt(np.sum(u**2)))


def _only(u: Array, place: int | slice, axis: int = 0) -> Array:
    kept = np.zeros_like(u)
    where = (slice(None),) * axis + (place,)
    kept[where] = u[where]
    return kept


def _without(u: Array, row: int) -> Array:
    kept = u.copy()
    kept[row] = 0
    return kept


def _mean(u: Array, axis: int) -> Array:
    return np.broadcast_to(u.mean(axis=axis, keepdims=True), u.shape)
