"""The command `handgrad jacobian`."""

from __future__ import annotations

import argparse
import inspect
import os
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.checking.subject import quiet
from handgrad.extras import need
from handgrad.jacobian import chain, jacobian
from handgrad.jacobians.extent import sizes
from handgrad.jacobians.real import at_real_size, features_of
from handgrad.jacobians.text import largest_difference
from handgrad.jacobians.values import parse_input, parse_labels, parse_layer, parse_numbers, random_numbers
from handgrad.layers import Layer
from handgrad.losses import Loss, SoftmaxCE
from handgrad.model import Sequential
from handgrad.params import Array

PICTURES = (".png", ".pdf", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prints the full Jacobian of a layer, model or loss at a tiny input: its shape, its structure, and its product "
        "with an upstream gradient beside what backward returns."
    )
    parser.add_argument("layer", metavar="LAYER", help='such as "ReLU()", "FC(4, 3), ReLU(), FC(3, 2)", "SoftmaxCE()"')
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NUMBERS",
        help="1,-2,3,-1 or rows '1,2;3,4' or sizes 2x3 of a random one (random); once for each input of the layer",
    )
    parser.add_argument(
        "--by", metavar="NAME", help="the input or the parameter to differentiate by, such as W (input)"
    )
    parser.add_argument("--upstream", metavar="NUMBERS", help="of the output's shape, to multiply with (random)")
    parser.add_argument("--labels", metavar="NUMBERS", help="of a loss: class numbers 0,2 or rows (random)")
    parser.add_argument("--real", metavar="LAYERS", help="the layer at its real size, to say the bytes (a usual size)")
    parser.add_argument("--real-batch", type=_whole(1, 10_000), default=64, metavar="ROWS", help="and its batch (64)")
    parser.add_argument("--plot", metavar="FILE", help="draw where it is zero, as .png, .pdf or .svg")
    parser.add_argument("--seed", type=_whole(0), default=0, help="of everything random (0)")


def run(arguments: argparse.Namespace) -> int:
    """Prints, and draws, what `arguments` say. ValueError or TypeError, in one sentence, for what cannot be used."""
    _must_be_drawable(arguments.plot)
    rng = np.random.default_rng(arguments.seed)
    layer = parse_layer(arguments.layer, rng)
    inputs, extra = _point(layer, arguments, rng)
    with quiet():
        y = layer.predict(*inputs, *extra)
    upstream = None if arguments.upstream is None else _upstream(arguments.upstream, np.shape(y))
    by = 0 if arguments.by is None else arguments.by
    try:
        found = jacobian(layer, *inputs, by=by, extra=extra, upstream=upstream, seed=arguments.seed)
    except ValueError as error:
        raise ValueError(f"--{error}" if str(error).startswith("by must") else str(error)) from None
    told = [str(found)]
    real = at_real_size(layer, len(inputs), found.by, arguments.real, arguments.real_batch, rng)
    if real:
        told.append(real)
    if isinstance(layer, Sequential) and not found.extent.is_parameter and len(layer.layers) > 1:
        told.append(_chain(layer, inputs[0], found.matrix))
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


def _point(
    layer: Layer, arguments: argparse.Namespace, rng: np.random.Generator
) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
    """The inputs, and a loss's labels. A vector becomes a batch of one where the layer takes no vector."""
    is_loss = isinstance(layer, Loss)
    if arguments.labels is not None and not is_loss:
        raise ValueError(f"--labels are for losses, {layer.label} takes none")
    given = tuple(parse_input(words, rng) for words in arguments.input)
    if not given:
        shape = (2 if is_loss else 1, *(features_of(layer) or (4,)))
        given = tuple(random_numbers(shape, rng) for _ in range(_inputs_of(layer)))
    count = _inputs_of(layer)
    if len(given) != count:
        raise ValueError(f"--input: {layer.label} has {count} input{'s' * (count > 1)}, got {len(given)}")
    labels = None if arguments.labels is None else parse_labels(arguments.labels)
    tries = [given]
    if len(given) == 1 and given[0].ndim == 1:
        tries.append((given[0][None],))
    refused: Exception | None = None
    for inputs in tries:
        extra: tuple[Any, ...] = ()
        if is_loss:
            extra = (_random_labels(layer, inputs[0], rng) if labels is None else labels,)
        try:
            with quiet():
                layer.predict(*inputs, *extra)
            return inputs, extra
        except (ValueError, TypeError) as error:
            refused = error
    shapes = " and ".join(str(list(x.shape)) for x in tries[-1])
    raise ValueError(f"LAYER cannot be run on the input {shapes}: {refused}")


def _inputs_of(layer: Layer) -> int:
    """How many inputs forward takes, without labels; two where it takes any number."""
    parameters = inspect.signature(layer.forward).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    return 1 if isinstance(layer, Loss) else len(parameters)


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


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """An argparse type: a whole number from `low` to `high`."""
    wanted = f"a whole number >= {low}" + ("" if high is None else f" and <= {high:,}")

    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise argparse.ArgumentTypeError(f"expected {wanted}, got {text.strip()!r}")
        return int(text)

    return whole
