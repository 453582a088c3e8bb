"""How an operation is written: `x + y` rather than Add()(x, y)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handgrad.layers import Add, Concatenate, Div, Exp, Layer, Log, MatMul, Max, Mul, Neg, Power, Sub, Sum, Transpose
from handgrad.tracing.text import number_text, size_text

SYMBOLS: dict[type[Layer], str] = {
    Add: "{0} + {1}",
    Sub: "{0} - {1}",
    Mul: "{0} * {1}",
    Div: "{0} / {1}",
    MatMul: "{0} @ {1}",
    Neg: "-{0}",
    Transpose: "{0}.T",
    Max: "maximum({0}, {1})",
    Exp: "exp({0})",
    Log: "log({0})",
}


def written(layer: Layer, arguments: Sequence[Any]) -> str:
    """The layer called on arguments: names of values, and constants."""
    words = [x if isinstance(x, str) else constant_text(x) for x in arguments]
    if type(layer) in SYMBOLS:
        return SYMBOLS[type(layer)].format(*words)
    if isinstance(layer, Power):
        return f"{words[0]} ** {number_text(layer.exponent)}"
    if isinstance(layer, Sum) and not layer.keepdims:
        return f"sum({words[0]})" if layer.axis is None else f"sum({words[0]}, {layer.axis})"
    if isinstance(layer, Concatenate):
        return f"concatenate({', '.join(words)})"
    return f"{layer!r}({', '.join(words)})"


def constant_text(constant: Any) -> str:
    """A number, or the size of an array."""
    return number_text(constant) if np.ndim(constant) == 0 else f"constant {size_text(np.shape(constant))}"
