"""One small pass in the lecture's three views: the graph, the products with their sizes, the chain rule (L21)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handgrad.container import Container
from handgrad.losses import Loss
from handgrad.tracing import plain, with_graphviz
from handgrad.tracing.chain import chain_rule
from handgrad.tracing.drawing import drawing
from handgrad.tracing.products import products
from handgrad.tracing.recording import Value, recorded
from handgrad.tracing.text import array_text, table

MOST_DRAWN = 150


class Trace:
    """What `model.trace(...)` gives: `print(trace)` shows the three views, `trace.svg()` draws the graph.

        trace.values          every input, parameter and step, each with its value and gradient; the output is the last
        trace["q"].gradient   one of them; a parameter's name is W0 or, as in the model, 0.W

    All of it is computed on a copy of the model. `loss` is put behind the model, and the last of `inputs` are its
    labels then. `upstream` is the gradient by the output; ValueError where it is left out and the output is no number.
    """

    def __init__(
        self, model: Container, inputs: Sequence[Any], *, loss: Loss | None = None, upstream: Any = None
    ) -> None:
        self._recording = recorded(model, inputs, loss, upstream)
        self.values = self._recording.values

    def __getitem__(self, name: str) -> Value:
        for value in self.values:
            if name in (value.name, value.name_in_model):
                return value
        raise KeyError(f"the trace has no value {name!r}; it has {', '.join(value.name for value in self.values)}")

    def __str__(self) -> str:
        views = {
            "The graph: values forward, gradients backward": self.graph(),
            "The products and their sizes": self.products(),
            "The chain rule": self.chain_rule(),
        }
        return "\n\n".join(f"{i}  {title}\n\n{view}" for i, (title, view) in enumerate(views.items(), 1))

    def graph(self) -> str:
        """View 1: a line for every value, what it is computed from, and its gradient."""
        rows = []
        for value in self.values:
            what = value.name if value.made == "input" else f"{value.name} = {value.made}"
            gradient = value.gradient
            back = "" if gradient is None else f"{self._recording.derivative(value)} = {array_text(gradient)}"
            rows.append((what, f"= {array_text(value.value)}", back))
        return table(rows)

    def products(self) -> str:
        """View 2: every layer's formulas, forward and then backward, with the sizes put in (L20)."""
        return products(self._recording)

    def chain_rule(self) -> str:
        """View 3: each derivative as the sum over all paths of products of local derivatives (L08, L18)."""
        return chain_rule(self._recording)

    def svg(self, weight: str | None = None, *, graphviz: bool | None = None) -> str:
        """View 1 as an SVG picture; the path of the gradient from the output to `weight` is highlighted (L19).

        `weight` is by default the first parameter, or else the first input. Graphviz draws where it is installed
        (handgrad[graph]), and a plain layout of our own elsewhere; `graphviz=` True or False chooses.
        ValueError for a weight that is not there or has no gradient, and for more values than anybody could read;
        ImportError where Graphviz is chosen and missing.
        """
        if len(self.values) > MOST_DRAWN:
            raise ValueError(f"trace: a picture has at most {MOST_DRAWN} values, this graph has {len(self.values)}")
        picture = drawing(self._recording, self.weight(weight))
        if graphviz is not False:
            try:
                return with_graphviz.svg(picture)
            except ImportError:
                if graphviz:
                    raise
        return plain.svg(picture)

    def _repr_svg_(self) -> str | None:
        """What a notebook shows; it prints a graph that is too large."""
        return None if len(self.values) > MOST_DRAWN else self.svg(graphviz=False)

    def weight(self, name: str | None = None) -> Value:
        """The value whose path is highlighted; ValueError for one that is not there or has no gradient."""
        with_gradient = [value for value in self.values if value.gradient is not None]
        if name is None:
            return min(with_gradient, key=lambda value: (value.layer is not None, not value.name_in_model))
        for value in with_gradient:
            if name in (value.name, value.name_in_model):
                return value
        names = ", ".join(value.name for value in with_gradient)
        raise ValueError(f"trace: expected as weight one of {names}, got {name!r}")
