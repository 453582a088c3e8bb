"""Where a run's numbers stopped being finite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from handgrad.container import Container, leaves
from handgrad.layers import Layer
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
    for path, _, output in leaves(model, x):
        if not np.isfinite(output).all():
            return f"first in the forward pass, in {_place(model, path)}: its output"
    return "first in the loss itself; the scores are finite"


def _owner(model: Layer, name: str) -> tuple[str, str]:
    """The layer, with its place, that the parameter `name` belongs to, and the parameter's short name."""
    *path, short = name.split(".")
    return _place(model, map(int, path)), short


def _place(model: Layer, path: Iterable[int]) -> str:
    """The layer at those positions, one in another, as messages name it: `Sequential[0][2] FC(4, 3)`."""
    place = ""
    for i in path:
        assert isinstance(model, Container)
        here = model.place(i)
        place += here.removeprefix(model.label) if place else here
        model = model.layers[i]
    return f"{place} {model!r}".strip()
