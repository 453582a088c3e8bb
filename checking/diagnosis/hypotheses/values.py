"""The derivative at another point than the layer was at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from handgrad.checking.diagnosis.evidence import Case, same
from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis
from handgrad.params import Array


def stale(first: Case) -> Iterator[Hypothesis]:
    """The derivative with the parameters that the layer was made with, not those it has now."""
    if first.subject.params:
        yield Hypothesis(
            "stale-parameters",
            "{d} is the derivative for the parameters that the layer was made with, not for those it has now: a "
            "copy of them was kept. Use the parameters themselves in every call.",
            lambda case: case.with_values(**{name: case.subject.at_hand[name] for name in case.subject.params}),
        )


def other_values(first: Case) -> Iterator[Hypothesis]:
    """The derivative at another point than the layer was at."""
    if first.is_large:
        return
    for key in first.subject.inputs:
        if first.y.shape == first.point[key].shape:
            yield Hypothesis(
                "output-for-input",
                f"{{d}} is the derivative at the output instead of the input: y stands where {key} belongs (or the "
                "derivative was taken of a value that had been through the function already).",
                lambda case, key=key: _derivative_at(case, key, case.y),  # type: ignore[misc]
            )
        for text, change in (
            ("|x|", np.abs),
            ("-x", np.negative),
            ("max(0, x)", lambda x: np.clip(x, 0, None)),
            ("the batch in reverse order", lambda x: x[::-1] if np.ndim(x) else x),
            ("x with its mean taken off", lambda x: x - x.mean(axis=0) if np.ndim(x) else x),
            ("x**2", np.square),
        ):
            yield Hypothesis(
                "wrong-input",
                f"{{d}} is the derivative at {text.replace('x', key) if 'max' not in text else text} instead of {key}.",
                lambda case, key=key, change=change: _derivative_at(case, key, change(case.point[key])),  # type: ignore[misc]
            )
    for key in (*first.subject.inputs, first.name):
        yield Hypothesis(
            "gate-forgotten",
            f"{{d}} is the derivative at {key} = 0, it lacks what depends on {key}'s value: the local derivative of a "
            f"gate or an activation inside (x > 0, 1 - y^2, a mask), or a term in which {key} is a factor.",
            lambda case, key=key: case.with_values(**{key: np.zeros_like(case.point[key])}),  # type: ignore[misc]
        )
    for key in first.subject.variables:
        if key != first.name:
            yield Hypothesis(
                "transposed",
                f"{{d}} uses {key} untransposed where its transpose belongs, or the other way round.",
                lambda case, key=key: case.with_values(**{key: _transposed(case.point[key])}),  # type: ignore[misc]
            )
    for key in first.subject.params:
        for cause, text, change in (
            (f"{key}-forgotten", f"does not contain {key}: backward works as if {key} were 1", np.ones_like),
            (
                f"{key}-forgotten",
                f"lacks the path through {key}, as if {key} were 0: the contributions of all paths are summed",
                np.zeros_like,
            ),
            ("transposed", f"uses {key} with its first two axes exchanged", _first_two_exchanged),
            ("kernel-flipped", f"uses {key} flipped along its last two axes (convolution for correlation)", _flipped),
            ("flipped", f"uses {key} in reverse order", lambda w: w[..., ::-1] if np.ndim(w) else w),
            (f"{key}-squared", f"has {key} in it twice", np.square),
            (f"{key}-inverted", f"divides by {key} where it should multiply, or the other way round", lambda w: 1 / w),
            (f"{key}-sign", f"uses -{key}", np.negative),
        ):
            yield Hypothesis(
                cause,
                f"{{d}} {text}.",
                lambda case, key=key, change=change: case.with_values(**{key: change(case.point[key])}),  # type: ignore[misc]
            )


def _derivative_at(case: Case, key: str, values: Array) -> Array | None:
    """None where it is the same as at 0: then nothing tells that it was taken at these values."""
    there, at_zero = (case.with_values(**{key: v}) for v in (values, np.zeros_like(values)))
    return None if there is None or (at_zero is not None and same(there, at_zero, 1e-6)) else there


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
