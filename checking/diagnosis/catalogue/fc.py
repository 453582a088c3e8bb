"""Mistakes in a fully connected layer, y = x W' + b."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handgrad.checking.diagnosis.catalogue.mistake import Mistake, same_numbers
from handgrad.checking.diagnosis.evidence import Case
from handgrad.params import Array


def mistakes(case: Case) -> Sequence[Mistake]:
    """Those of this gradient, where forward is x W' + b, or x W + b; none otherwise."""
    if not is_affine(case):
        return ()
    return FC_INPUT if case.is_input else FC_WEIGHT if case.name == "W" else FC_BIAS


def is_affine(case: Case) -> bool:
    W, b = case.point.get("W"), case.point.get("b")
    if W is None or case.x.ndim != 2:
        return False
    for weights in (W.T, W):
        if weights.ndim == 2 and weights.shape[0] == case.x.shape[1]:
            y = case.x @ weights
            if b is not None and b.size in (1, y.shape[1]):
                y = y + b.ravel()
            if same_numbers(y, case.y):
                return True
    return False


FC_INPUT: list[Mistake] = [
    Mistake(
        "transposed",
        "{d} is upstream @ W.T: right is upstream @ W, as W is [out x in] (or W transposed the other way).",
        lambda s: _product(s.u, s.point["W"].T, s.x.shape),
    ),
    Mistake(
        "transposed",
        "{d} is upstream @ W: W is used untransposed where its transpose belongs.",
        lambda s: _product(s.u, s.point["W"], s.x.shape),
    ),
    Mistake(
        "upstream-ignored",
        "{d} is y W: the output stands where the upstream gradient belongs, dx = upstream W.",
        lambda s: _product(s.y, s.point["W"], s.x.shape),
    ),
    Mistake(
        "upstream-ignored",
        "{d} is x W' W: the output without its bias stands where the upstream gradient belongs, dx = upstream W.",
        lambda s: _product(s.x, s.point["W"].T @ s.point["W"], s.x.shape),
    ),
    Mistake(
        "bias-added",
        "{d} has the bias added to it: the bias does not enter the input's gradient.",
        lambda s: _plus(_product(s.u, s.point["W"], s.x.shape), s.point.get("b")),
    ),
]


FC_WEIGHT: list[Mistake] = [
    Mistake(
        "transposed",
        "{d} is x.T @ upstream: right is upstream.T @ x, which is [out x in].",
        lambda s: _product(s.x.T, s.u, s.point["W"].shape),
    ),
    Mistake(
        "transposed",
        "{d} is upstream.T @ x: right is x.T @ upstream for a W of [in x out].",
        lambda s: _product(s.u.T, s.x, s.point["W"].shape),
    ),
    Mistake(
        "output-for-input",
        "{d} is upstream.T @ y: the output stands where the input x belongs.",
        lambda s: _product(s.u.T, s.y, s.point["W"].shape),
    ),
    Mistake(
        "input-forgotten",
        "{d} is upstream' times ones: the input x is missing, dW = upstream' x.",
        lambda s: _product(s.u.T, np.ones_like(s.x), s.point["W"].shape),
    ),
    Mistake(
        "upstream-ignored",
        "{d} is y' x: the output stands where the upstream gradient belongs, dW = upstream' x.",
        lambda s: _product(s.y.T, s.x, s.point["W"].shape),
    ),
]

FC_BIAS: list[Mistake] = [
    Mistake(
        "upstream-ignored",
        "{d} is all ones: that is dy/db, and the chain rule multiplies it by the upstream gradient; db is the sum of "
        "upstream's rows.",
        lambda s: np.ones(s.point[s.name].shape),
    ),
    Mistake(
        "equals-parameter",
        "{d} is the bias itself: db is the sum of upstream's rows.",
        lambda s: s.point[s.name],
    ),
]


def _product(a: Array, b: Array, shape: tuple[int, ...]) -> Array | None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        return None
    product: Array = a @ b
    return product if product.shape == shape else None


def _plus(a: Array | None, b: Array | None) -> Array | None:
    if a is None or b is None or b.size != a.shape[-1]:
        return None
    return np.asarray(a + b.ravel())
