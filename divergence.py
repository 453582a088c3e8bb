"""Where a run's numbers stopped being finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from handgrad.layers import Layer
from handgrad.model import Sequential
from handgrad.params import Array


def first_nonfinite(model: Layer, x: Array, last_grads: Mapping[str, Array] | None) -> str:
    """One sentence on where the first NaN or infinity of a step arose: layer, direction and parameter.

    `x` is the batch whose loss was not finite, `last_grads` are the gradients of the step before it.
    """
    if not np.isfinite(x).all():
        row = int(np.argwhere(~np.isfinite(x))[0][0])
        return f"first in the input: row {row} of the batch holds a NaN or an infinity"
    broken = [name for name, gradient in (last_grads or {}).items() if not np.isfinite(gradient).all()]
    if broken:  # backward runs from the last layer to the first
        where, parameter = _owner(model, broken[-1])
        earliest = [name for name in broken if _owner(model, name)[0] == where]
        parameter = _owner(model, earliest[0])[1]
        return f"first in the backward pass of the step before, in {where}: the gradient of {parameter}"
    for name, array in model.params.items():
        if not np.isfinite(array).all():
            where, parameter = _owner(model, name)
            return f"first in the update of the step before, in {where}: the parameter {parameter}"
    for where, layer in _leaves(model):
        x = layer.predict(x)
        if not np.isfinite(x).all():
            return f"first in the forward pass, in {where}: its output"
    return "first in the loss itself; the scores are finite"


def _leaves(model: Layer, place: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer in the order of the forward pass, with its place."""
    if isinstance(model, Sequential):
        for i, layer in enumerate(model.layers):
            yield from _leaves(layer, f"{place or 'Sequential'}[{i}]")
    else:
        yield f"{place} {model!r}".strip(), model


def _owner(model: Layer, name: str) -> tuple[str, str]:
    """The layer, with its place, that the parameter `name` belongs to, and the parameter's short name."""
    place = ""
    while isinstance(model, Sequential):
        position, _, name = name.partition(".")
        place = f"{place or 'Sequential'}[{position}]"
        model = model.layers[int(position)]
    return f"{place} {model!r}".strip(), name
