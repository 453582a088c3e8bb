"""What a mistaken layer computes, as a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from handgrad.params import Array

Formula: TypeAlias = Callable[..., Any]
"""(parameters, *inputs) -> what a mistaken forward gives; (parameters, upstream, *inputs) -> what a backward does."""


def only(condition: Any, value: Any) -> Any:
    """The value where the mistake can be made at all."""
    if not condition:
        raise ValueError("the mistake cannot be made at these sizes")
    return value


def _product(first: Array, second: Array, turned: str = "") -> Array:
    """The product, of the "first" or the "second" factor's transpose."""
    factors = [one.T if name in turned else one for name, one in (("first", first), ("second", second))]
    return np.asarray(np.dot(*factors))


PRODUCTS: dict[str, Callable[[Array, Array], Array]] = {
    "a b": _product,
    "a b'": lambda a, b: _product(a, b, "second"),
    "a' b": lambda a, b: _product(a, b, "first"),
    "b a": lambda a, b: _product(b, a),
    "b a'": lambda a, b: _product(b, a, "second"),
    "b' a": lambda a, b: _product(b, a, "first"),
}
"""Matrix products of two arrays, where they are multiplied entry by entry."""

SHAPES: dict[str, Callable[[Array], Array]] = {
    "[B x rest]": lambda a: a.reshape(len(a), -1),
    "two axes": lambda a: np.atleast_2d(a),
    "flat": lambda a: a.ravel(),
    "transposed": lambda a: a.T,
}
"""Other shapes of an array."""
