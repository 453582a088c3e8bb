"""Where a run's numbers stopped being finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from handgrad.container import Container
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
    for where, output in _outputs(model, x):
        if not np.isfinite(output).all():
            return f"first in the forward pass, in {where}: its output"
    return "first in the loss itself; the scores are finite"


def _outputs(model: Layer, *inputs: Array, place: str = "") -> Iterator[tuple[str, Array]]:
    """What every layer gives for `inputs`, in the order of the forward pass, with its place."""
    if not isinstance(model, Container):
        yield f"{place} {model!r}".strip(), model.predict(*inputs)
        return
    for step in model.evaluated(*inputs):
        here = _within(place, model, step.i)
        if isinstance(step.layer, Container):
            yield from _outputs(step.layer, *step.inputs, place=here)
        else:
            yield f"{here} {step.layer!r}", step.output


def _owner(model: Layer, name: str) -> tuple[str, str]:
    """The layer, with its place, that the parameter `name` belongs to, and the parameter's short name."""
    place = ""
    while isinstance(model, Container):
        position, _, name = name.partition(".")
        place = _within(place, model, int(position))
        model = model.layers[int(position)]
    return f"{place} {model!r}".strip(), name


def _within(place: str, model: Container, i: int) -> str:
    """The place of the layer i of a model which itself stands at `place`."""
    return place + model.place(i).removeprefix(model.label) if place else model.place(i)
