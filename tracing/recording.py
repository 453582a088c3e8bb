"""One forward and one backward pass of a model, with every value, gradient and local derivative kept."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handgrad.container import Container
from handgrad.graph import Graph, Input, Node
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.model import Sequential
from handgrad.params import Array
from handgrad.tracing.notation import written


@dataclass(eq=False)
class Value:
    """An input, a parameter, or what a layer computed, which is a step."""

    name: str
    made: str
    """How: `x + y`, `FC(4, 3)(x)`; `input`, or what a parameter is called in the model, `params["0.W"]`."""
    value: Array
    gradient: Array | None = None
    """None for labels, which have none."""
    layer: Layer | None = None
    arguments: tuple[Value | float | Array, ...] = ()
    """What the layer was called on: values and constants."""
    parameters: dict[str, Value] = field(default_factory=dict)
    """By their short names."""
    name_in_model: str = ""
    """A parameter's: 0.W."""
    uses: list[Use] = field(default_factory=list)
    """By the steps that take this value."""


@dataclass(eq=False)
class Use:
    """A wire of the graph: `source` is taken by the step `target`."""

    source: Value
    target: Value
    gradient: Array | None = None
    """What flows back on this wire, a summand of the source's gradient; None where nothing does."""
    local: Array | None = None
    """The step's derivative by the source, where the step's value is a single number."""


class Recording:
    """All values of a pass in topological order, the output last.

    What is differentiated, `symbol`, is the output, or a loss L behind it where the gradient by the output was given.
    """

    def __init__(self, values: list[Value], upstream_is_given: bool) -> None:
        self.values, self.output = values, values[-1]
        self.steps = [value for value in values if value.layer is not None]
        self.upstream_is_given = upstream_is_given
        self.symbol = _unique("L", {value.name for value in values}) if upstream_is_given else self.output.name

    def derivative(self, value: Value) -> str:
        """dL/dx."""
        return f"d{self.symbol}/d{value.name}"


def recorded(model: Container, inputs: Sequence[Any], loss: Loss | None, upstream: Any) -> Recording:
    """A pass on a copy of the model, with the loss behind it; `inputs` are the model's, then the loss's labels."""
    model, loss = copy.deepcopy((model, loss))
    graph = _expanded(model, loss)
    made = graph.values(*inputs)
    gradients, grads = graph.gradients(_ones_for(made[-1], graph) if upstream is None else upstream)
    caches, _ = graph.cache

    taken: set[str] = set()
    values = [
        Value(_unique(name, taken), "input", np.array(value), np.array(gradient))
        for name, value, gradient in zip(graph.inputs, made, gradients, strict=False)
    ]
    numbered: list[Any] = [*values, *graph.constants]  # as the graph numbers them
    parameters = _parameters(model, graph, grads)
    for step, cache in zip(graph.steps, caches, strict=True):
        number = len(numbered)
        own = {key: parameters[id(arrays), key] for arrays, key in step.layer.params.places().values()}
        for parameter in own.values():
            if parameter not in values:
                parameter.name = _unique(parameter.name, taken)
                values.append(parameter)
        arguments = tuple(numbered[source] for source in step.sources)
        how = written(step.layer, [x.name if isinstance(x, Value) else x for x in arguments])
        value = Value(_unique(step.name, taken), how, np.array(made[number]), None, step.layer, arguments, own)
        if gradients[number] is not None:
            value.gradient = np.array(gradients[number])
        _connect(value, cache)
        numbered.append(value)
        values.append(value)
    for value in values:
        if value.uses and all(use.gradient is None for use in value.uses):
            value.gradient = None
    return Recording(values, upstream is not None)


def _ones_for(output: Any, graph: Graph) -> Array:
    """The gradient of the output by itself; ValueError unless it is a single number."""
    if np.size(output) > 1:
        raise ValueError(
            f"trace: the output {graph.names[-1]} is of shape {np.shape(output)} and no number, so the gradient by it "
            "must be given: upstream, of that shape"
        )
    return np.ones(np.shape(output))


def _parameters(model: Container, graph: Graph, grads: Mapping[str, Array]) -> dict[tuple[int, str], Value]:
    """The parameters by where they are kept: W0 is the model's "0.W"."""
    gradients = {(id(arrays), key): grads[name] for name, (arrays, key) in graph.params.places().items()}
    found = {}
    for name, (arrays, key) in model.params.places().items():
        position, _, short = name.rpartition(".")
        gradient = gradients[id(arrays), key].copy()
        found[id(arrays), key] = Value(short + position, f'params["{name}"]', arrays[key].copy(), gradient)
        found[id(arrays), key].name_in_model = name
    return found


def _connect(step: Value, cache: Any) -> None:
    """Adds the step's uses to its sources, each with what flows back on it."""
    layer = step.layer
    assert layer is not None
    layer.cache = cache
    flowing = _by_source(layer, step.gradient, len(step.arguments))
    local = _by_source(
        layer, np.ones(step.value.shape, step.value.dtype) if step.value.size == 1 else None, len(step.arguments)
    )
    layer.cache = None
    sources: list[tuple[int | str, Any]] = [*enumerate(step.arguments), *step.parameters.items()]
    for key, source in sources:
        if isinstance(source, Value):
            source.uses.append(Use(source, step, flowing.get(key), local.get(key)))


def _by_source(layer: Layer, upstream: Array | None, count: int) -> dict[int | str, Array]:
    """The layer's gradients by position of the input and by name of the parameter."""
    if upstream is None:
        return {}
    result = layer.backward(upstream)
    dx, grads = (result, {}) if isinstance(layer, Loss) else result
    by_input = dx if isinstance(dx, tuple) else (dx,)
    return {key: np.array(gradient) for key, gradient in [*enumerate(by_input[:count]), *grads.items()]}


def _expanded(model: Container, loss: Loss | None) -> Graph:
    """The model as one graph, in which containers are taken apart; with the loss as its last node."""
    inputs = [Input(name) for name in (model.inputs if isinstance(model, Graph) else ["x"])]
    name = "" if isinstance(model, Graph) else "y" if loss is None else "s"
    output = _node(model, inputs, "", name)
    if loss is not None:
        labels = Input("labels")
        output = Node(loss, (output, labels), "L")
        inputs.append(labels)
    if isinstance(output, Input):
        raise ValueError(f"trace: expected a model of at least one layer, got {model!r}")
    return Graph(inputs, output)


def _node(layer: Layer, inputs: Sequence[Any], place: str, name: str) -> Any:
    """The node `name` of a layer's output; of a container taken apart, whose other nodes are named by `place`."""
    values = list(inputs)
    if isinstance(layer, Sequential):
        for i, part in enumerate(layer.layers):
            inner = f"{place}.{i}" if place else f"h{i}"
            values.append(_node(part, values[-1:], inner, name if i == len(layer.layers) - 1 else inner))
    elif isinstance(layer, Graph):
        values += layer.constants
        for i, step in enumerate(layer.steps):
            inner = f"{place}.{step.name}" if place else step.name
            taken = [values[source] for source in step.sources]
            values.append(_node(step.layer, taken, inner, name if name and i == len(layer.steps) - 1 else inner))
    else:
        return Node(layer, inputs, name)
    return values[-1]


def _unique(name: str, taken: set[str]) -> str:
    """The name, with a number where another value has it already."""
    candidates = itertools.chain([name], (f"{name}_{k}" for k in itertools.count(2)))
    chosen = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(chosen)
    return chosen
