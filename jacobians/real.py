"""What a Jacobian would take at a real size, which is why it is never built."""

from __future__ import annotations

import numpy as np

from handgrad.jacobians.extent import Extent, in_bytes
from handgrad.jacobians.values import parse_layer
from handgrad.layers import FC, Layer
from handgrad.losses import Loss
from handgrad.model import Sequential

REAL_FEATURES, REAL_OUTPUTS, REAL_CLASSES = 784, 256, 10
"""The usual sizes that a tiny layer is compared with: images of 28 x 28 pixels, a hidden layer, ten classes."""


def at_real_size(layer: Layer, count: int, by: str, words: str | None, batch: int, rng: np.random.Generator) -> str:
    """What the same Jacobian would take at a real size: of the layer in words, else of a usual one of this kind.

    `count` is how many inputs it takes. An empty text where no usual size is known.
    """
    if words is not None:
        real = parse_layer(words, rng, "--real")
    elif isinstance(layer, FC):
        real = FC(REAL_FEATURES, REAL_OUTPUTS, bias=layer.bias, rng=rng)
    else:
        real = layer
    if isinstance(real, Loss):
        shape: tuple[int, ...] = (batch, REAL_CLASSES)
        outputs: tuple[int, ...] = ()
    else:
        shape = (batch, *(features_of(real) or (REAL_FEATURES,)))
        try:
            outputs = np.shape(real.predict(*[np.ones(shape, np.float32)] * count))
        except (ValueError, TypeError, MemoryError) as error:
            if words is None:
                return ""
            raise ValueError(f"--real cannot be run on an input [B x {shape[1]}]: {error}") from None
    is_parameter = by in layer.params
    if is_parameter and by not in real.params:
        known = f"it has {', '.join(real.params)}" if real.params else "it has no parameters"
        raise ValueError(f"--real: {real.label} must have the parameter {by}, {known}")
    entries = real.params[by].shape if is_parameter else shape
    extent = Extent(outputs, entries, f"entries of {by}" if is_parameter or count > 1 else "inputs", is_parameter)
    at = "" if real is layer and layer.params else "At a real size, "
    gradient = in_bytes(8 * int(np.prod(entries)))
    return (
        f"{at}{real!r} with a batch of {batch}: {extent},\n"
        f"{extent.numbers:,} numbers, {in_bytes(extent.nbytes)} in float64. backward returns upstream @ J itself, "
        f"{gradient}, and builds none of it."
    )


def features_of(layer: Layer) -> tuple[int, ...] | None:
    """The shape of one instance, if the layer's sizes tell it."""
    if isinstance(layer, FC):
        return (layer.in_features,)
    return layer.input_shape() if isinstance(layer, Sequential) else None
