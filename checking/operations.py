"""How the operations of computation graphs are checked: two operands with shapes that NumPy broadcasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handgrad.checking.specimen import Specimen

Domain = Mapping[str, tuple[float | None, float | None]]

SHAPES = {
    "": {"a": "N D", "b": "N D"},
    "b repeated": {"a": "N D", "b": "D"},
    "a and b repeated": {"a": "N 1 D", "b": "M 1"},
}

PRODUCTS = {
    "": {"a": "N D", "b": "D M"},
    "a row": {"a": "D", "b": "D M"},
    "a column": {"a": "N D", "b": "D"},
    "two vectors": {"a": "D", "b": "D"},
    "stacks, repeated": {"a": "K N D", "b": "L 1 D M"},
}


def _elementwise(
    forward: Callable[..., Any], mathematics: Mapping[str, str], domain: Domain | None = None
) -> list[Specimen]:
    return [
        Specimen(
            inputs=inputs,
            sizes={"N": 4, "D": 5, "M": 3},
            forward=lambda layer, a, b: forward(a, b),
            mathematics={name: f"{formula}, summed over what was repeated" for name, formula in mathematics.items()},
            domain=domain,
            about=about,
            only_ours=True,
        )
        for about, inputs in SHAPES.items()
    ]


def _unary(forward: Callable[..., Any], formula: str, domain: Domain | None = None, *arguments: Any) -> list[Specimen]:
    return [
        Specimen(
            lambda sizes: arguments,
            forward=lambda layer, x: forward(x),
            mathematics={"dx": formula},
            domain=domain,
            only_ours=True,
        )
    ]


OPERATIONS: dict[str, list[Specimen]] = {
    "Add": _elementwise(np.add, {"da": "da = upstream", "db": "db = upstream"}),
    "Sub": _elementwise(np.subtract, {"da": "da = upstream", "db": "db = -upstream"}),
    "Mul": _elementwise(np.multiply, {"da": "da = upstream * b", "db": "db = upstream * a"}),
    "Div": _elementwise(np.divide, {"da": "da = upstream / b", "db": "db = -upstream * a / b^2"}, {"b": (0.5, None)}),
    "Max": _elementwise(np.maximum, {"da": "da = upstream where a >= b", "db": "db = upstream where a < b"}),
    "Neg": _unary(np.negative, "dx = -upstream"),
    "Exp": _unary(np.exp, "dx = upstream * y, with the output y = exp(x)", {"x": (None, 700)}),
    "Log": _unary(np.log, "dx = upstream / x", {"x": (0, None)}),
    "Power": _unary(lambda x: x**3, "dx = upstream * exponent * x^(exponent - 1)", None, 3),
    "Transpose": _unary(np.transpose, "dx = upstream'"),
    "Sum": [
        Specimen(
            options={"axis": axis, "keepdims": keepdims},
            inputs={"x": "N D M"},
            sizes={"N": 4, "D": 5, "M": 3},
            forward=lambda layer, x: x.sum(layer.axis, keepdims=layer.keepdims),
            mathematics={"dx": "dx = upstream, repeated along the summed axes"},
            about=about,
            only_ours=True,
        )
        for about, axis, keepdims in (("", None, False), ("one axis", -1, False), ("two axes kept", (0, 2), True))
    ],
    "Concatenate": [
        Specimen(
            inputs={"x0": "N D", "x1": "N M"},
            forward=lambda layer, *xs: np.concatenate(xs, axis=-1),
            mathematics={"dx0": "dx0 = its columns of upstream", "dx1": "dx1 = its columns of upstream"},
            only_ours=True,
        )
    ],
    "MatMul": [
        Specimen(
            inputs=inputs,
            sizes={"N": 4, "D": 5, "M": 3, "K": 2, "L": 2},
            forward=lambda layer, a, b: a @ b,
            mathematics={"da": "da = upstream b'", "db": "db = a' upstream"},
            about=about,
            only_ours=True,
        )
        for about, inputs in PRODUCTS.items()
    ],
}
