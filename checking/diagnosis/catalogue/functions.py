"""Simple functions of an entry, which a wrong factor may be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from handgrad.params import Array


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


FUNCTIONS: list[tuple[str, Callable[[Array], Array]]] = [
    ("z", lambda z: z),
    ("(1 - z)", lambda z: 1 - z),
    ("z * (1 - z)", lambda z: z * (1 - z)),
    ("(1 - z**2)", lambda z: 1 - z**2),
    ("(1 - z)**2", lambda z: (1 - z) ** 2),
    ("(1 + z**2)", lambda z: 1 + z**2),
    ("(1 + z)", lambda z: 1 + z),
    ("z**2", lambda z: z**2),
    ("exp(z)", np.exp),
    ("exp(-z)", lambda z: np.exp(-z)),
    ("(z > 0)", lambda z: (z > 0).astype(float)),
    ("(z < 0)", lambda z: (z < 0).astype(float)),
    ("|z|", np.abs),
    ("max(0, z)", lambda z: np.clip(z, 0, None)),
    ("min(0, z)", lambda z: np.minimum(z, 0)),
    ("sign(z)", np.sign),
    ("sigmoid(z)", sigmoid),
    ("(1 - sigmoid(z))", lambda z: 1 - sigmoid(z)),
    ("sigmoid(z) * (1 - sigmoid(z))", lambda z: sigmoid(z) * (1 - sigmoid(z))),
    ("tanh(z)", np.tanh),
    ("(1 - tanh(z)**2)", lambda z: 1 - np.tanh(z) ** 2),
    ("(1 - tanh(z))", lambda z: 1 - np.tanh(z)),
    ("z * (1 + z)", lambda z: z * (1 + z)),
    ("2 * z", lambda z: 2 * z),
    ("2 * z**2", lambda z: 2 * z**2),
    ("z**3", lambda z: z**3),
    ("cos(z)", np.cos),
    ("sin(z)", np.sin),
    ("log(z)", np.log),
    ("1 / (1 + z**2)", lambda z: 1 / (1 + z**2)),
    ("sqrt(z)", np.sqrt),
    ("1 / z", lambda z: 1 / z),
    ("1 / (1 + |z|)", lambda z: 1 / (1 + np.abs(z))),
    ("1 / (1 + |z|)**2", lambda z: 1 / (1 + np.abs(z)) ** 2),
    ("(z == 0)", lambda z: (z == 0).astype(float)),
    ("(z != 0)", lambda z: (z != 0).astype(float)),
]
"""Simple functions of one number, as (text with z, function)."""

MIXED = "input and output are mixed up. Write the derivative in one of them"
LACKS_X = "of a product x * sigmoid(x) the second term lacks its factor x; right is y + sigmoid(x) * (1 - y)"
OF_THE_OUTPUT = (
    "the sigmoid's derivative is written with y, which is x * sigmoid(x) here; right is y + sigmoid(x) * (1 - y)"
)

PAIRS: list[tuple[str, str, Callable[[Array, Array], Array]]] = [
    ("x * (1 - y)", MIXED, lambda x, y: x * (1 - y)),
    ("y * (1 - x)", MIXED, lambda x, y: y * (1 - x)),
    ("(1 - x * y)", MIXED, lambda x, y: 1 - x * y),
    ("(sigmoid(x) + y * (1 - y))", OF_THE_OUTPUT, lambda x, y: sigmoid(x) + y * (1 - y)),
    ("(sigmoid(x) + x * (1 - x))", "the sigmoid's derivative is written with x", lambda x, y: sigmoid(x) + x * (1 - x)),
    ("(sigmoid(x) + sigmoid(x) * (1 - sigmoid(x)))", LACKS_X, lambda x, y: sigmoid(x) + sigmoid(x) * (1 - sigmoid(x))),
    ("(y + y * (1 - y))", OF_THE_OUTPUT, lambda x, y: y + y * (1 - y)),
]
"""Functions of input and output together, each with what is wrong about it."""
