"""Mistakes in the ReLU."""

from __future__ import annotations

import numpy as np
import scipy.special

from handgrad.assignment.mistakes.formula import PRODUCTS, SHAPES, Formula
from handgrad.params import Array


def _positive(x: Array) -> Array:
    """The positive entries, 0 for the others."""
    return np.asarray(x.clip(0))


FORWARD: dict[str, tuple[str, Formula]] = {
    "identity": ("negative entries pass; y = max(0, x)", lambda p, x: x),
    "absolute": ("y is |x|: negative entries must become 0, y = max(0, x)", lambda p, x: np.abs(x)),
    "twice": ("y is twice max(0, x): in (x + |x|) / 2 the half is missing", lambda p, x: 2 * _positive(x)),
    "half": ("y is half of max(0, x)", lambda p, x: _positive(x) / 2),
    "minimum": ("y is min(0, x): the positive entries pass, y = max(0, x)", lambda p, x: np.minimum(x, 0)),
    "negative": ("the sign of y is wrong: y = max(0, x)", lambda p, x: -_positive(x)),
    "flipped": ("y is max(0, -x): the positive entries pass, y = max(0, x)", lambda p, x: _positive(-x)),
    "gate": (
        "y is the gate (x > 0), not the value that passes it: y = max(0, x)",
        lambda p, x: (x > 0).astype(x.dtype),
    ),
    "largest": (
        "y is the largest entry of the batch or 0: the maximum is taken of each entry and 0",
        lambda p, x: np.full_like(x, max(0, x.max())),
    ),
    "columns' largest": (
        "np.max(x, 0) is the largest entry along axis 0; entry by entry it is np.maximum(x, 0)",
        lambda p, x: x.max(axis=0),
    ),
    "rows' largest": (
        "y is the largest entry of each row: the maximum is taken of each entry and 0",
        lambda p, x: _positive(x.max(axis=1, keepdims=True)),
    ),
    "softplus": ("y is log(1 + exp(x)), the softplus: y = max(0, x)", lambda p, x: np.logaddexp(0, x)),
    "elu": (
        "negative entries are exp(x) - 1 (ELU); they must become 0, y = max(0, x)",
        lambda p, x: np.where(x > 0, x, np.expm1(x)),
    ),
    "gelu-like": ("y is x sigmoid(x): y = max(0, x)", lambda p, x: x * scipy.special.expit(x)),
    "squared": ("y is max(0, x) squared", lambda p, x: _positive(x) ** 2),
    **{
        f"leaky {slope}": (
            f"negative entries leak with a slope of {slope}; they must become 0, y = max(0, x)",
            lambda p, x, slope=slope: np.where(x > 0, x, slope * x),
        )
        for slope in (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5)
    },
    **{
        f"cut at {most}": (
            f"y is cut at {most}; y = max(0, x) has no upper end",
            lambda p, x, most=most: np.clip(x, 0, most),
        )
        for most in (1, 6)
    },
    **{
        f"from {least}": (
            f"the threshold is {least}, not 0: y = max(0, x)",
            lambda p, x, least=least: np.maximum(x, least),
        )
        for least in (-1, 1, 0.01, 0.1, 0.5, 1e-8, 1e-7, 1e-6)
    },
    "positive entries alone": (
        "the positive entries alone are returned: y has the shape of x, and 0 for the others",
        lambda p, x: x[x > 0],
    ),
    "half precision": (
        "half precision (float16) has three digits only: calculate with x as it is",
        lambda p, x: _positive(x.astype(np.float16)),
    ),
    **{
        f"shape {shape}": (
            "y has another shape than x: x may have any number of axes, and y has the same",
            lambda p, x, shaped=shaped: shaped(_positive(x)),
        )
        for shape, shaped in SHAPES.items()
    },
}


def _gate(x: Array) -> Array:
    """1 where x is positive, 0 elsewhere."""
    return np.asarray((np.sign(x) + 1) // 2 * np.abs(np.sign(x)))


BACKWARD: dict[str, tuple[str, Formula]] = {
    "sign": (
        "the derivative is taken to be the sign of x, -1 where x is negative; it is 0 there: dx = upstream * (x > 0)",
        lambda p, u, x: (u * np.sign(x), {}),
    ),
    "compared last": (
        "brackets are missing, the product is compared with 0: dx = upstream * (x > 0)",
        lambda p, u, x: (u * x > 0, {}),
    ),
    "upstream of positive entries alone": (
        "the entries where x is positive alone are returned: dx has the shape of x, and 0 for the others",
        lambda p, u, x: (u[x > 0], {}),
    ),
    **{
        f"product {form}": (
            "a matrix product (@ or dot) stands where upstream and the gate are multiplied entry by entry: "
            "dx = upstream * (x > 0)",
            lambda p, u, x, product=product: (product(u, _gate(x)), {}),
        )
        for form, product in PRODUCTS.items()
    },
    **{
        f"dx's shape {shape}": (
            "dx has another shape than x: x may have any number of axes, and dx has the same",
            lambda p, u, x, shaped=shaped: (shaped(u * _gate(x)), {}),
        )
        for shape, shaped in SHAPES.items()
    },
}
