"""Mistakes in the fully connected layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handgrad.assignment.mistakes.formula import Formula, only
from handgrad.params import Array


def _sums(p: Mapping[str, Array], x: Array) -> Array:
    """x W', index by index."""
    return np.asarray(np.einsum("bi,oi->bo", x, p["W"]))


def _product(a: Array, b: Array) -> Array:
    return np.asarray(a @ b)


def _positive(x: Array) -> Array:
    """The positive entries, 0 for the others."""
    return np.asarray(x.clip(0))


FORWARD: dict[str, tuple[str, Formula]] = {
    "truncated": (
        "y is cut to whole numbers: an array of integers was made for it",
        lambda p, x: np.trunc(_sums(p, x) + p.get("b", 0)),
    ),
    "product truncated": (
        "x W' is cut to whole numbers: an array of integers was made for it",
        lambda p, x: np.trunc(_sums(p, x)) + p.get("b", 0),
    ),
    "no bias": ("the bias b is missing: y = x W' + b", lambda p, x: only("b" in p, _sums(p, x))),
    "bias twice": ("the bias b is added twice", lambda p, x: _sums(p, x) + 2 * p["b"]),
    "bias minus": ("the sign of the bias is wrong: y = x W' + b", lambda p, x: _sums(p, x) - p["b"]),
    "bias on W": (
        "the bias is added to W, x (W + b)', and so multiplied by x; it is added to the product: y = x W' + b",
        lambda p, x: _sums(p, x) + x.sum(axis=1, keepdims=True) * p["b"],
    ),
    "bias in the sum": (
        "b is added once for each input; it is added once for each output, after the sum over the inputs",
        lambda p, x: only(x.shape[1] > 1, _sums(p, x) + x.shape[1] * p["b"]),
    ),
    "bias in the first row": (
        "b is added to the first row only: every row of the batch has it",
        lambda p, x: only(len(x) > 1, _sums(p, x) + (np.arange(len(x)) == 0)[:, None] * p["b"]),
    ),
    "last input left out": (
        "the last input is left out of the sum: y = x W' + b, over all inputs",
        lambda p, x: _sums(p, x) - x[:, -1:] * p["W"][:, -1] + p.get("b", 0),
    ),
    "first input left out": (
        "the first input is left out of the sum: y = x W' + b, over all inputs",
        lambda p, x: _sums(p, x) - x[:, :1] * p["W"][:, 0] + p.get("b", 0),
    ),
    "bias first": ("only the first entry of the bias is used: y = x W' + b", lambda p, x: _sums(p, x) + p["b"][0]),
    "bias mean": ("the bias's mean or sum is used, not its entries", lambda p, x: _sums(p, x) + p["b"].mean()),
    "bias sum": ("the bias's mean or sum is used, not its entries", lambda p, x: _sums(p, x) + p["b"].sum()),
    "bias times": ("the product is multiplied by the bias: y = x W' + b", lambda p, x: _sums(p, x) * p["b"]),
    "bias column": (
        "the bias runs along the batch: entry j belongs to output j, the columns of y",
        lambda p, x: only(len(p["b"]) == len(x), _sums(p, x) + p["b"][:, None]),
    ),
    "bias alone": ("the product x W' is missing: y = x W' + b", lambda p, x: np.zeros((len(x), 1)) + p["b"]),
    "not transposed": (
        "W is not transposed: W is [out x in], so y = x W' + b",
        lambda p, x: x @ p["W"] + p.get("b", 0),
    ),
    "not transposed, no bias": ("W is not transposed and b is missing: y = x W' + b", lambda p, x: x @ p["W"]),
    "W first": (
        "W stands before x, whose rows are the instances: y = x W' + b",
        lambda p, x: _product(p["W"], x) + p.get("b", 0),
    ),
    "bias along the batch": (
        "b is added to W x', [out x B], along the batch: entry j belongs to output j, y = x W' + b",
        lambda p, x: (_product(p["W"], x.T) + p["b"]).T,
    ),
    "W first, x transposed": (
        "W x' is [out x B], and y is [B x out]: y = x W' + b",
        lambda p, x: _product(p["W"], x.T) + p.get("b", 0),
    ),
    "x transposed": ("x is transposed: y = x W' + b", lambda p, x: _product(x.T, p["W"].T) + p.get("b", 0)),
    "transposed result": ("y is transposed: it is [B x out]", lambda p, x: (_sums(p, x) + p.get("b", 0)).T),
    "averaged": ("y is divided by the batch size", lambda p, x: (_sums(p, x) + p.get("b", 0)) / len(x)),
    "by features": ("y is divided by the number of inputs", lambda p, x: _sums(p, x) / x.shape[1] + p.get("b", 0)),
    "reshaped": (
        "W is reshaped rather than transposed, which mixes its entries: W is [out x in], so y = x W' + b",
        lambda p, x: only(min(p["W"].shape) > 1, x @ p["W"].reshape(p["W"].shape[::-1]) + p.get("b", 0)),
    ),
    "by root": (
        "y is divided by the square root of the number of inputs: y = x W' + b",
        lambda p, x: (_sums(p, x) + p.get("b", 0)) / np.sqrt(x.shape[1]),
    ),
    "product by root": (
        "y is divided by the square root of the number of inputs: y = x W' + b",
        lambda p, x: _sums(p, x) / np.sqrt(x.shape[1]) + p.get("b", 0),
    ),
    "negative": ("the sign of y is wrong", lambda p, x: -(_sums(p, x) + p.get("b", 0))),
    "relu": (
        "y is cut at 0; a fully connected layer has no nonlinearity",
        lambda p, x: _positive(_sums(p, x) + p.get("b", 0)),
    ),
    "elementwise": (
        "W and x are multiplied entry by entry; y = x W' is a matrix product",
        lambda p, x: only(len(x) == len(p["W"]), x * p["W"]),
    ),
}


def _gradients(
    p: Mapping[str, Array], u: Array, x: Array, **mistaken: Callable[..., Any]
) -> tuple[Any, dict[str, Any]]:
    """What backward returns, with `dx`, `dW` and `db` made by these functions of (u, x, W) where they are given."""
    right: dict[str, Callable[..., Any]] = {
        "dx": lambda u, x, W: np.einsum("bo,oi->bi", u, W),
        "dW": lambda u, x, W: np.einsum("bo,bi->oi", u, x),
        "db": lambda u, x, W: np.einsum("bo->o", u),
    }
    made = {name: formula(u, x, p["W"]) for name, formula in (right | mistaken).items()}
    return made["dx"], {"W": made["dW"], **({"b": made["db"]} if "b" in p else {})}


def _with_d(p: Mapping[str, Array], u: Array, x: Array) -> tuple[Any, dict[str, Any]]:
    dx, grads = _gradients(p, u, x)
    return dx, {f"d{name}": g for name, g in grads.items()}


BACKWARD: dict[str, tuple[str, Formula]] = {
    **{
        f"x in db, {by.__name__}": (
            "x is in db, which is the sum of upstream's rows: y changes with b alike whatever x is",
            lambda p, u, x, by=by: _gradients(p, u, x, db=lambda u, x, W: by(np.einsum("bo,bi->oi", u, x), axis=1)),
        )
        for by in (np.sum, np.mean)
    },
    "dx by W'": (
        "W is transposed in dx: dx = upstream W, with W [out x in] as it is",
        lambda p, u, x: _gradients(p, u, x, dx=lambda u, x, W: _product(u, W.T)),
    ),
    **{
        f"dW as {number}": (
            "upstream and x are multiplied as they do not fit: dW = upstream' x, the first factor transposed",
            lambda p, u, x, form=form: _gradients(p, u, x, dW=form),
        )
        for number, form in enumerate(
            (
                lambda u, x, W: _product(u, x),
                lambda u, x, W: _product(x, u),
                lambda u, x, W: _product(u, x.T),
                lambda u, x, W: _product(x, u.T),
                lambda u, x, W: _product(x.T, u.T),
            )
        )
    },
    "names with d": ("the gradients are named dW and db: their names are the parameters', W and b", _with_d),
}
