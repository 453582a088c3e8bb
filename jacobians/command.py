"""The command `handgrad jacobian`."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.extras import need
from handgrad.jacobian import chain, jacobian
from handgrad.jacobians.extent import Extent, in_bytes, sizes
from handgrad.jacobians.text import largest_difference
from handgrad.jacobians.values import parse_input, parse_labels, parse_layer, parse_numbers, random_numbers
from handgrad.layers import FC, Layer
from handgrad.losses import Loss, SoftmaxCE
from handgrad.model import Sequential
from handgrad.params import Array

PICTURES = (".png", ".pdf", ".svg")

REAL_FEATURES, REAL_OUTPUTS, REAL_CLASSES = 784, 256, 10
"""The usual sizes that a tiny layer is compared with: images of 28 x 28 pixels, a hidden layer, ten classes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prints the full Jacobian of a layer, model or loss at a tiny input: its shape, its structure, and its product "
        "with an upstream gradient beside what backward returns."
    )
    parser.add_argument("layer", metavar="LAYER", help='such as "ReLU()", "FC(4, 3), ReLU(), FC(3, 2)", "SoftmaxCE()"')
    parser.add_argument(
        "--input", metavar="NUMBERS", help="1,-2,3,-1 or rows '1,2;3,4' or sizes 2x3 of a random one (random)"
    )
    parser.add_argument(
        "--by", metavar="NAME", help="the input or the parameter to differentiate by, such as W (input)"
    )
    parser.add_argument("--upstream", metavar="NUMBERS", help="of the output's shape, to multiply with (random)")
    parser.add_argument("--labels", metavar="NUMBERS", help="of a loss: class numbers 0,2 or rows (random)")
    parser.add_argument("--real", metavar="LAYERS", help="the layer at its real size, to say the bytes (a usual size)")
    parser.add_argument("--real-batch", type=_whole(1), default=64, metavar="ROWS", help="and its batch (64)")
    parser.add_argument("--plot", metavar="FILE", help="draw where it is zero, as .png, .pdf or .svg")
    parser.add_argument("--seed", type=_whole(0), default=0, help="of everything random (0)")


def with_values_joined(words: Sequence[str]) -> list[str]:
    """`--input -1,2` as `--input=-1,2`: argparse would take -1,2 for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in ("--input", "--upstream", "--labels") and re.match(r"-(\d|\.\d|inf|nan)", word):
            joined[-1] += "=" + word
        else:
            joined.append(word)
    return joined


def run(arguments: argparse.Namespace) -> int:
    """Prints, and draws, what `arguments` say. ValueError or TypeError, in one sentence, for what cannot be used."""
    _must_be_drawable(arguments.plot)
    rng = np.random.default_rng(arguments.seed)
    layer = parse_layer(arguments.layer, rng)
    x, extra = _point(layer, arguments, rng)
    y = layer.predict(x, *extra)
    upstream = None if arguments.upstream is None else _upstream(arguments.upstream, np.shape(y))
    by = 0 if arguments.by is None else arguments.by
    try:
        found = jacobian(layer, x, by=by, extra=extra, upstream=upstream, seed=arguments.seed)
    except ValueError as error:
        raise ValueError(f"--{error}" if str(error).startswith("by must") else str(error)) from None
    told = [str(found)]
    real = _real(layer, found.by, arguments, rng)
    if real:
        told.append(real)
    if isinstance(layer, Sequential) and not found.extent.is_parameter and len(layer.layers) > 1:
        told.append(_chain(layer, x, found.matrix))
    if arguments.plot:
        found.plot(arguments.plot)
        told.append(f"written to {arguments.plot}")
    print("\n\n".join(told))
    return 0


def _must_be_drawable(name: str | None) -> None:
    if name is None:
        return
    if Path(name).suffix.lower() not in PICTURES:
        raise ValueError(f"--plot: expected a file named {', '.join(PICTURES)}, got {name!r}")
    folder = Path(name).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK) or Path(name).is_dir():
        raise ValueError(f"--plot {name}: no file can be written there")
    try:
        need("matplotlib", "plot")
    except ImportError as error:
        raise ValueError(f"--plot: {error}") from None


def _point(layer: Layer, arguments: argparse.Namespace, rng: np.random.Generator) -> tuple[Array, tuple[Any, ...]]:
    """The input, and a loss's labels. A vector becomes a batch of one where the layer takes no vector."""
    is_loss = isinstance(layer, Loss)
    if arguments.labels is not None and not is_loss:
        raise ValueError(f"--labels are for losses, {layer.label} takes none")
    if arguments.input is None:
        features = _features(layer) or (4,)
        x = random_numbers((2 if is_loss else 1, *features), rng)
    else:
        x = parse_input(arguments.input, rng)
    labels = None if arguments.labels is None else parse_labels(arguments.labels)
    tries = [x, x[None]] if x.ndim == 1 else [x]
    refused: Exception | None = None
    for shaped in tries:
        extra: tuple[Any, ...] = ()
        if is_loss:
            extra = (_random_labels(layer, shaped, rng) if labels is None else labels,)
        try:
            layer.predict(shaped, *extra)
            return shaped, extra
        except (ValueError, TypeError) as error:
            refused = error
    raise ValueError(f"LAYER cannot be run on the input {list(tries[-1].shape)}: {refused}")


def _random_labels(layer: Layer, scores: Array, rng: np.random.Generator) -> Array:
    if isinstance(layer, SoftmaxCE):
        return np.asarray(rng.integers(0, scores.shape[-1], scores.shape[:-1]))
    return np.asarray(rng.integers(0, 2, scores.shape))


def _upstream(words: str, shape: tuple[int, ...]) -> Array:
    """The numbers in the output's shape: a vector for a batch of one, a single number for a scalar."""
    numbers = parse_numbers(words, "--upstream")
    if numbers.ndim == 1 and shape in ((), (1,), (1, numbers.size)) and numbers.size == np.prod(shape):
        numbers = numbers.reshape(shape)
    if numbers.shape != shape:
        wanted = f"have the output's shape {sizes(shape)}" if shape else "be one number"
        raise ValueError(f"--upstream must {wanted}, got {list(numbers.shape)}")
    return numbers


def _features(layer: Layer) -> tuple[int, ...] | None:
    """The shape of one instance, if the layer's sizes tell it."""
    if isinstance(layer, FC):
        return (layer.in_features,)
    return layer.input_shape() if isinstance(layer, Sequential) else None


def _real(layer: Layer, by: str, arguments: argparse.Namespace, rng: np.random.Generator) -> str:
    """What the same Jacobian would take at a real size: that of --real, else of a usual layer of this kind."""
    batch = arguments.real_batch
    if arguments.real is not None:
        real = parse_layer(arguments.real, rng, "--real")
    elif isinstance(layer, FC):
        real = FC(REAL_FEATURES, REAL_OUTPUTS, bias=layer.bias, rng=rng)
    else:
        real = layer
    if isinstance(real, Loss):
        shape: tuple[int, ...] = (batch, REAL_CLASSES)
        outputs: tuple[int, ...] = ()
    else:
        shape = (batch, *(_features(real) or (REAL_FEATURES,)))
        try:
            outputs = (batch, *np.shape(real.predict(np.zeros((1, *shape[1:]), np.float32)))[1:])
        except (ValueError, TypeError) as error:
            if arguments.real is None:
                return ""
            raise ValueError(f"--real cannot be run on an input [B x {shape[1]}]: {error}") from None
    is_parameter = by in layer.params
    if is_parameter and by not in real.params:
        known = f"it has {', '.join(real.params)}" if real.params else "it has no parameters"
        raise ValueError(f"--real: {real.label} must have the parameter {by}, {known}")
    entries = real.params[by].shape if is_parameter else shape
    extent = Extent(outputs, entries, f"entries of {by}" if is_parameter else "inputs", is_parameter)
    at = "" if real is layer and layer.params else "At a real size, "
    gradient = in_bytes(8 * int(np.prod(entries)))
    return (
        f"{at}{real!r} with a batch of {batch}: {extent},\n"
        f"{extent.numbers:,} numbers, {in_bytes(extent.nbytes)} in float64. backward returns upstream @ J itself, "
        f"{gradient}, and builds none of it."
    )


def _chain(model: Sequential, x: npt.ArrayLike, whole: Array) -> str:
    """The layers' Jacobians, last first, and their product beside the model's (L18)."""
    try:
        factors = chain(model, x)
    except ValueError as error:
        return f"The layers' Jacobians are not multiplied: {error}."
    numbered = list(enumerate(factors))[::-1]
    width = max(len(f"[{i}] {factor.layer}") for i, factor in numbered)
    lines = [f"{f'[{i}] {f.layer}':<{width}}  {f.extent}  {f.structure.partition(':')[0]}" for i, f in numbered]
    product = reduce(np.matmul, [factor.matrix for _, factor in numbered])
    return "\n".join(
        [
            "The chain rule: the layers' Jacobians, the last layer's first, multiply to the model's.",
            *lines,
            f"largest difference between their product and the matrix above  {largest_difference(product, whole)}",
        ]
    )


def _whole(low: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"expected a whole number >= {low}, got {text!r}")
        return int(text)

    return whole
