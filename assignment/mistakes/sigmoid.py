"""Mistakes in the sigmoid."""

from __future__ import annotations

import numpy as np
import scipy.special

from handgrad.assignment.mistakes.formula import PRODUCTS, SHAPES, Formula
from handgrad.params import Array


def _sigmoid(x: Array) -> Array:
    return np.asarray(scipy.special.expit(x))


def _half(x: Array, form: str) -> Array:
    """The sigmoid with half precision in it, in one of the HALVES."""
    half, own = np.float16, x.dtype
    h = x.astype(half)
    e, small = np.exp(np.negative(h)), np.exp(np.minimum(h, np.negative(h)))
    return {
        "of the input": _sigmoid(h.astype(own)),
        "of the output": _sigmoid(x).astype(half),
        "throughout": np.reciprocal(np.add(e, half(1))),
        "throughout, stable": np.divide(np.where(h < 0, small, half(1)), np.add(small, half(1))),
    }[form]


HALVES = ("of the input", "of the output", "throughout", "throughout, stable")


def _changing(x: Array, changed: Array, y: Array) -> Array:
    """`y`, with other numbers put into the input."""
    x[...] = changed
    return y


LARGEST = float(np.log(np.finfo(np.float64).max))
"""Beyond it the exponential is infinite."""

FORWARD: dict[str, tuple[str, Formula]] = {
    "sign": (
        "the sign of x is wrong, or exp(-x) stands in the place of the 1 above: y = 1 / (1 + exp(-x))",
        lambda p, x: _sigmoid(-x),
    ),
    "no one": ("the 1 + is missing: y = 1 / (1 + exp(-x))", lambda p, x: np.exp(x)),
    "exp alone": (
        "y is exp(-x) or 1 + exp(-x), no reciprocal of it (brackets?): y = 1 / (1 + exp(-x))",
        lambda p, x: np.exp(-x),
    ),
    "no reciprocal": (
        "y is exp(-x) or 1 + exp(-x), no reciprocal of it (brackets?): y = 1 / (1 + exp(-x))",
        lambda p, x: 1 + np.exp(-x),
    ),
    "minus": ("1 - exp(-x) stands where 1 + exp(-x) belongs", lambda p, x: -1 / np.expm1(-x)),
    "tanh": ("y is tanh(x); the sigmoid is y = 1 / (1 + exp(-x))", lambda p, x: np.tanh(x)),
    "tanh of x": (
        "y is the sigmoid of 2 x: in (1 + tanh(z)) / 2 the argument z is x / 2",
        lambda p, x: _sigmoid(2 * x),
    ),
    "two": ("y is 2 s(x) - 1; the sigmoid is y = 1 / (1 + exp(-x))", lambda p, x: 2 * _sigmoid(x) - 1),
    "derivative": (
        "y is the sigmoid's derivative s (1 - s); forward gives s",
        lambda p, x: _sigmoid(x) * (1 - _sigmoid(x)),
    ),
    "softmax": (
        "y is a softmax over each row; the sigmoid is elementwise, y = 1 / (1 + exp(-x))",
        lambda p, x: scipy.special.softmax(x, axis=1),
    ),
    "softmax of all": (
        "y is a softmax; the sigmoid is elementwise, y = 1 / (1 + exp(-x))",
        lambda p, x: scipy.special.softmax(x),
    ),
    "logarithm": ("y is the logarithm of the sigmoid", lambda p, x: -np.logaddexp(0, -x)),
    "softplus": ("y is log(1 + exp(x)), the softplus", lambda p, x: np.logaddexp(0, x)),
    "twice": ("the sigmoid is applied twice", lambda p, x: _sigmoid(_sigmoid(x))),
    "absolute": ("y is the sigmoid of |x|: the sign of x counts", lambda p, x: _sigmoid(np.abs(x))),
    "base two": ("2 is raised to the power -x; it is e: y = 1 / (1 + exp(-x))", lambda p, x: _sigmoid(x * np.log(2))),
    "identity": ("the input comes back as it is: y = 1 / (1 + exp(-x))", lambda p, x: x),
    "step": ("y is 1 where x > 0 and else 0: y = 1 / (1 + exp(-x))", lambda p, x: (x > 0).astype(x.dtype)),
    "rounded": ("y is rounded to 0 or 1", lambda p, x: np.round(_sigmoid(x))),
    "large over large": (
        "exp(x) / (1 + exp(x)) is inf / inf, NaN, where x is large: y = 1 / (1 + exp(-x))",
        lambda p, x: np.where(x < LARGEST, _sigmoid(x), np.nan),
    ),
    "softsign": (
        "y is x / (1 + |x|) or a like curve: y = 1 / (1 + exp(-x))",
        lambda p, x: 0.5 + 0.5 * x / (1 + np.abs(x)),
    ),
    **{
        f"line {slope}": (
            "y is a straight line between 0 and 1 (a hard sigmoid): y = 1 / (1 + exp(-x))",
            lambda p, x, slope=slope: np.clip(0.5 + slope * x, 0, 1),
        )
        for slope in (0.2, 0.25, 1 / 6)
    },
    **{
        f"clipped x {most}": (
            f"x is clipped at {most}: for large x the sigmoid goes on; make it stable without a clip",
            lambda p, x, most=most: _sigmoid(np.clip(x, -most, most)),
        )
        for most in (1, 2, 4, 5, 6, 8, 10, 15, 16, 20, 30)
    },
    **{
        f"clipped y {least}": (
            f"y is kept {least} away from 0 and 1 (an epsilon): for large |x| it is not the sigmoid",
            lambda p, x, least=least: np.clip(_sigmoid(x), least, 1 - least),
        )
        for least in (1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
    },
    **{
        f"epsilon {least}": (
            f"an epsilon of {least} stands in the denominator: y = 1 / (1 + exp(-x))",
            lambda p, x, least=least: _sigmoid(x) / (1 + least * _sigmoid(x)),
        )
        for least in (1e-9, 1e-8, 1e-7, 1e-6)
    },
    **{
        f"half precision {form}": (
            "half precision (float16) has three digits only: calculate with x as it is",
            lambda p, x, form=form: _half(x, form),
        )
        for form in HALVES
    },
    **{
        f"{value} where negative": (
            "where x is negative the sigmoid is not calculated: it is exp(x) / (1 + exp(x)) there",
            lambda p, x, of=of: np.where(x >= 0, _sigmoid(x), of(x)),
        )
        for value, of in (("0", np.zeros_like), ("1", np.ones_like), ("x", np.asarray))
    },
    **{
        f"{value} where positive": (
            "where x is positive the sigmoid is not calculated: it is 1 / (1 + exp(-x)) there",
            lambda p, x, of=of: np.where(x < 0, _sigmoid(x), of(x)),
        )
        for value, of in (("0", np.zeros_like), ("1", np.ones_like), ("x", np.asarray))
    },
    "exp where negative": (
        "where x is negative y is exp(x), and the division by 1 + exp(x) is missing",
        lambda p, x: np.where(x >= 0, _sigmoid(x), np.exp(np.minimum(x, 0))),
    ),
    "0 at 0": (
        "where x is exactly 0 neither of the two formulas is asked: y is 1/2 there, x >= 0 and x < 0 are all numbers",
        lambda p, x: np.where(x == 0, 0, _sigmoid(x)),
    ),
    **{
        f"{change} put into x": (
            "x is changed in place (by -=, *=, out=x or x[...] =): whoever passed it in still needs it",
            lambda p, x, of=of: _changing(x, of(x), _sigmoid(x)),
        )
        for change, of in (
            ("-x", np.negative),
            ("exp", lambda x: np.exp(-x)),
            ("y", _sigmoid),
            ("-|x|", lambda x: -abs(x)),
        )
    },
    **{
        f"shape {shape}": (
            "y has another shape than x: x may have any number of axes, and y has the same",
            lambda p, x, shaped=shaped: shaped(_sigmoid(x)),
        )
        for shape, shaped in SHAPES.items()
    },
}

BACKWARD: dict[str, tuple[str, Formula]] = {
    "square": (
        "y is squared, as in the derivative of tanh: the sigmoid's is y * (1 - y)",
        lambda p, u, x: (u * _sigmoid(x) * (1 + _sigmoid(x)) * _sigmoid(-x), {}),
    ),
    "of tanh": (
        "1 - y^2 is the derivative of tanh: the sigmoid's is y * (1 - y)",
        lambda p, u, x: (u * (1 + _sigmoid(x)) * _sigmoid(-x), {}),
    ),
    "applied again": (
        "y is the sigmoid's output already; here the sigmoid is applied to it once more: dx = upstream * y * (1 - y)",
        lambda p, u, x: (u * _sigmoid(_sigmoid(x)) * _sigmoid(-_sigmoid(x)), {}),
    ),
    "root": (
        "the root of the sigmoid's derivative is taken: dx is upstream times the derivative itself",
        lambda p, u, x: (u / np.cosh(x / 2) / 2, {}),
    ),
    **{
        f"no brackets {number}": (
            "brackets are missing: upstream multiplies the whole of y * (1 - y)",
            lambda p, u, x, form=form: (form(u, _sigmoid(x)), {}),
        )
        for number, form in enumerate((lambda u, y: u * y - y, lambda u, y: u * y - y**2))
    },
    **{
        f"product {form}": (
            "a matrix product (@ or dot) stands where upstream and the derivative are multiplied entry by entry: "
            "dx = upstream * y * (1 - y)",
            lambda p, u, x, product=product: (product(u, _sigmoid(x) * _sigmoid(-x)), {}),
        )
        for form, product in PRODUCTS.items()
    },
    **{
        f"dx's shape {shape}": (
            "dx has another shape than x: x may have any number of axes, and dx has the same",
            lambda p, u, x, shaped=shaped: (shaped(u * _sigmoid(x) * _sigmoid(-x)), {}),
        )
        for shape, shaped in SHAPES.items()
    },
}
