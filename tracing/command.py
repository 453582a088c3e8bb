"""The command line of the trace."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from handgrad.expression import parse_model
from handgrad.files import written
from handgrad.graph_expression import is_model, parse_graph
from handgrad.losses import BinaryCE, Loss, SoftmaxCE
from handgrad.model import Sequential
from handgrad.params import Array
from handgrad.trace import Trace

EPILOG = """examples:
  handgrad trace "FC(4, 3), ReLU(), FC(3, 2)" --svg net.svg
  handgrad trace "q = x + y; f = q * z" x=-2 y=5 z=-4
  handgrad trace "relu(x)" x=1,-2,3,-1 --upstream 4,-1,5,9
  handgrad trace "u = w @ x; p = sigmoid(u); L = -log(p)" w=0.5,-1 x=2,1"""

NUMBERS = "numbers such as -2, or 1,2,3 for a vector, or 1,2;3,4 for rows"


def add_arguments(parser: argparse.ArgumentParser, losses: Iterable[str]) -> None:
    """What the command takes."""
    parser.description = "Shows one pass of a small net or an expression: graph, products with sizes, chain rule."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("expression", metavar="EXPRESSION", help="layers, or an expression of inputs (see below)")
    parser.add_argument("given", nargs="*", default=[], metavar="NAME=VALUES", help=f"an input: {NUMBERS}")
    parser.add_argument("--labels", metavar="VALUES", help="of a net's rows, for its loss (random)")
    parser.add_argument("--loss", choices=losses, help="behind a net, unless --upstream is given (SoftmaxCE)")
    parser.add_argument("--upstream", metavar="VALUES", help="the gradient by the output, where that is no number")
    parser.add_argument("--weight", metavar="NAME", help="whose path the picture highlights (the first parameter)")
    parser.add_argument("--svg", metavar="FILE", help="draw the graph")
    parser.add_argument(
        "--seed", type=_seed, default=0, help="of weights, and of a net's x and labels if not given (0)"
    )


def run(arguments: argparse.Namespace, losses: Mapping[str, type[Loss]]) -> int:
    """Prints the three views and writes the picture; ValueError or TypeError for what cannot be used."""
    if arguments.svg is not None and not arguments.svg.endswith(".svg"):
        raise ValueError(f"--svg: expected a file named .svg, got {arguments.svg!r}")
    text = arguments.expression.strip()
    trace = (_trace_of_model if is_model(text) else _trace_of_expression)(text, arguments, losses)
    weight = None if arguments.weight is None else arguments.weight.strip()
    trace.weight(weight)  # refuses one that is not there, picture or not
    ending = ""
    if arguments.svg is not None:
        try:
            picture = trace.svg(weight, graphviz=True)
        except ImportError as error:
            picture, ending = trace.svg(weight, graphviz=False), f" without Graphviz ({error})"
        with written(arguments.svg, "w", encoding="utf-8") as file:
            file.write(picture)
        ending = f"\n\nwritten to {arguments.svg}{ending}"
    print(f"{trace}{ending}", flush=True)
    return 0


def _trace_of_model(text: str, arguments: argparse.Namespace, losses: Mapping[str, type[Loss]]) -> Trace:
    rng = np.random.default_rng(arguments.seed)
    model = parse_model(text, rng)
    given = _given(arguments.given, ["x"])
    labels = None if arguments.labels is None else parse_values(arguments.labels, "--labels")
    if arguments.upstream is not None and (labels is not None or arguments.loss):
        raise ValueError("--upstream takes the place of a loss; leave out --labels and --loss")
    rows = labels.shape[0] if labels is not None and labels.ndim else 1 if labels is not None else 2
    x = _batch(model, given.get("x"), rows, rng)
    if arguments.upstream is not None:
        return model.trace(x, upstream=parse_values(arguments.upstream, "--upstream"))
    loss = losses[arguments.loss or "SoftmaxCE"]()
    if labels is None:
        labels = _random_labels(model.predict(x), loss, rng)
    elif labels.ndim < 2 and not (labels % 1).any():  # classes
        labels = np.atleast_1d(labels).astype(int)
    return model.trace(x, labels, loss=loss)


def _batch(model: Sequential, x: Array | None, rows: int, rng: np.random.Generator) -> Array:
    """The net's input; one instance becomes a batch of one."""
    shape = model.input_shape()
    if x is None:
        if shape is None:
            raise ValueError("the layers do not say how wide their input is; add x=..., such as x=1,-2,3")
        return rng.standard_normal((rows, *shape)).round(1)
    return x if shape is None else np.atleast_2d(x)


def _random_labels(scores: Array, loss: Loss, rng: np.random.Generator) -> Array:
    classes = scores.shape[-1] if scores.ndim > 1 else 1
    if classes > 1 or isinstance(loss, SoftmaxCE):
        return rng.integers(0, classes, len(scores))
    if isinstance(loss, BinaryCE):
        return rng.integers(0, 2, scores.shape)
    return rng.standard_normal(scores.shape).round(1)


def _trace_of_expression(text: str, arguments: argparse.Namespace, losses: Mapping[str, type[Loss]]) -> Trace:
    for option in ("labels", "loss"):
        if getattr(arguments, option) is not None:
            raise ValueError(f"--{option} goes with layers such as FC(4, 3), ReLU(), not with an expression")
    graph = parse_graph(text, np.random.default_rng(arguments.seed))
    given = _given(arguments.given, graph.inputs)
    missing = [name for name in graph.inputs if name not in given]
    if missing:
        raise ValueError(f"the input {missing[0]} has no value; add {missing[0]}=..., {NUMBERS}")
    upstream = None if arguments.upstream is None else parse_values(arguments.upstream, "--upstream")
    return graph.trace(*(given[name] for name in graph.inputs), upstream=upstream)


def _given(arguments: Sequence[str], names: Sequence[str]) -> dict[str, Array]:
    """The values of the inputs by name."""
    given: dict[str, Array] = {}
    for argument in arguments:
        name, sign, text = (part.strip() for part in argument.partition("="))
        if not sign:
            raise ValueError(f"expected NAME=VALUES such as {names[0]}=1,2, got {argument.strip()!r}")
        if name not in names:
            raise ValueError(f"there is no input {name!r}; expected a value of {', '.join(names)}")
        if name in given:
            raise ValueError(f"the input {name} is given twice")
        given[name] = parse_values(text, name)
    return given


def parse_values(text: str, what: str) -> Array:
    """-2 is a number, 1,2 a vector, 1,2;3,4 a matrix, and so is 1,2; with one row."""
    rows = text.strip().removesuffix(";").split(";")
    try:
        values: Any = [[float(entry) for entry in row.strip().removesuffix(",").split(",")] for row in rows]
    except ValueError:
        raise ValueError(f"{what}: expected {NUMBERS}, got {text.strip()!r}") from None
    if len({len(row) for row in values}) > 1:
        raise ValueError(f"{what}: expected rows of one length, got {text.strip()!r}")
    array = np.array(values)
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: expected finite numbers, got {text.strip()!r}")
    if ";" in text:
        return array
    return array[0] if "," in text else array.reshape(())


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number >= 0, got {text.strip()!r}")
    return int(text)
