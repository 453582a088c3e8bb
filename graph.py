"""Computation graphs: any directed acyclic graph of layers, made by writing the expression down (L06, L22).

    x, y, z = Input("x"), Input("y"), Input("z")
    q = x + y                       # the node of an Add
    f = q * z                       # the node of a Mul
    graph = Graph([x, y, z], f)
    graph.forward(-2, 5, -4)        # -12
    graph.backward(1)               # ((-4, -4, 3), {})

Layers called on nodes give nodes, too: `relu(fc(x))`. Every operation is a layer of the folder `layers` with a
gradient of its own; the graph adds nothing to them but the order and the sums.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handgrad.container import Container, Evaluated
from handgrad.layers import (
    Add,
    Concatenate,
    Div,
    Exp,
    Layer,
    Log,
    MatMul,
    Max,
    Mul,
    Neg,
    Power,
    Sub,
    Sum,
    Transpose,
    Workspace,
)
from handgrad.layers.workspace import UNREAD
from handgrad.losses import Loss
from handgrad.params import Array, Grads

if TYPE_CHECKING:
    from handgrad.trace import Trace


class Node:
    """A value in a graph: what `layer` gives for `inputs`, which are nodes or constants.

    Operators make nodes: + - * / @, ** a number, and `.T`, `.sum(axis)`. One operand may be a number or an array.
    """

    __array_ufunc__ = None  # so that array + node asks the node

    def __init__(self, layer: Layer, inputs: Sequence[Any], name: str = "") -> None:
        parameters = inspect.signature(layer.forward).parameters
        try:
            inspect.signature(layer.forward).bind(*inputs)
        except TypeError:
            raise TypeError(f"{layer!r} is called on ({', '.join(parameters)}), got {len(inputs)} inputs") from None
        self.inputs = tuple(x if isinstance(x, Node) else _constant(x, layer) for x in inputs)
        self.layer, self.name = layer, name

    @staticmethod
    def node_of(layer: Layer, inputs: Sequence[Any]) -> Node:
        """The node of a layer called on nodes."""
        return Node(layer, inputs)

    def named(self, name: str) -> Node:
        """Gives the node a name for messages and drawings; returns it."""
        self.name = _name(name, "named")
        return self

    def __add__(self, other: Any) -> Node:
        return Node(Add(), (self, other))

    def __radd__(self, other: Any) -> Node:
        return Node(Add(), (other, self))

    def __sub__(self, other: Any) -> Node:
        return Node(Sub(), (self, other))

    def __rsub__(self, other: Any) -> Node:
        return Node(Sub(), (other, self))

    def __mul__(self, other: Any) -> Node:
        return Node(Mul(), (self, other))

    def __rmul__(self, other: Any) -> Node:
        return Node(Mul(), (other, self))

    def __truediv__(self, other: Any) -> Node:
        return Node(Div(), (self, other))

    def __rtruediv__(self, other: Any) -> Node:
        return Node(Div(), (other, self))

    def __matmul__(self, other: Any) -> Node:
        return Node(MatMul(), (self, other))

    def __rmatmul__(self, other: Any) -> Node:
        return Node(MatMul(), (other, self))

    def __neg__(self) -> Node:
        return Node(Neg(), (self,))

    def __pow__(self, exponent: float) -> Node:
        return Node(Power(exponent), (self,))

    @property
    def T(self) -> Node:
        return Node(Transpose(), (self,))

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
        return Node(Sum(axis, keepdims), (self,))

    def __bool__(self) -> bool:
        raise TypeError("a node has no value yet; Graph(inputs, output).forward(...) computes it")

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("a node has no value yet, so it cannot be taken apart")

    def __repr__(self) -> str:
        return self.name or repr(self.layer)


class Input(Node):
    """A value that is given to the graph's `forward`."""

    inputs: tuple[Any, ...] = ()

    def __init__(self, name: str) -> None:
        self.name = _name(name, "Input")


def maximum(a: Any, b: Any) -> Any:
    """The elementwise maximum, as a node."""
    return Max()(a, b)


def concatenate(values: Sequence[Any], axis: int = -1) -> Any:
    """The values side by side along an axis, as a node."""
    if isinstance(values, Node):
        raise TypeError(f"concatenate: expected a list of values, got the node {values!r}")
    return Concatenate(axis)(*values)


def exp(x: Any) -> Any:
    """The elementwise exponential, as a node."""
    return Exp()(x)


def log(x: Any) -> Any:
    """The elementwise natural logarithm, as a node."""
    return Log()(x)


class Step(NamedTuple):
    """One layer of a graph."""

    layer: Layer
    sources: tuple[int, ...]
    """Which values it takes, by their numbers: the graph's inputs come first, its constants next, then the steps."""
    name: str


class Graph(Container):
    """The function that a graph of layers computes from `inputs` to `output`; itself a layer (L06, L10).

        forward     every layer once all of its inputs are there: in topological order
        backward    in the reverse of that order; where a value has several uses, its gradients are summed

    `inputs` is an Input or several of them, `output` a node. backward returns (dx, grads), or ((dx, dy, ...), grads)
    for several inputs; one that is not used has the gradient zero. Parameters are named by the position of their layer
    in topological order, "0.W", or of the first of a layer that occurs in several nodes.

    Raises ValueError for an output that needs an Input not among `inputs`, for a cycle, for inputs of one name, and for
    labels of a loss that are no Input of their own; TypeError for what is no node. Errors of a layer name its node.
    """

    def __init__(self, inputs: Input | Sequence[Input], output: Node) -> None:
        given: tuple[Any, ...] = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
        for node in given:
            if not isinstance(node, Input):
                raise TypeError(f"Graph: inputs must be Input nodes, got {node!r}")
        if len({node.name for node in given}) < len(given) or not given:
            raise ValueError(f"Graph: expected one Input or several of different names, got {list(given)}")
        if not isinstance(output, Node) or isinstance(output, Input):
            raise TypeError(f"Graph: output must be a node that some layer gives, got {output!r}")
        order = _topological(output)
        missing = [node for node in order if isinstance(node, Input) and node not in given]
        if missing:
            raise ValueError(
                f"Graph: the output needs the input {missing[0].name}, which is not among {[x.name for x in given]}"
            )
        computed = [node for node in order if not isinstance(node, Input)]
        _check_labels(computed)
        super().__init__(tuple(node.layer for node in computed))
        self.inputs = tuple(node.name for node in given)
        self.constants = [x for node in computed for x in node.inputs if not isinstance(x, Node)]
        number = {id(node): i for i, node in enumerate(given)}
        number |= {id(x): len(given) + i for i, x in enumerate(self.constants)}
        self._first = len(given) + len(self.constants)
        number |= {id(node): self._first + i for i, node in enumerate(computed)}
        self.steps = [
            Step(node.layer, tuple(number[id(x)] for x in node.inputs), node.name or f"{_word(node.layer)}{i}")
            for i, node in enumerate(computed)
        ]
        trained = [False] * self._first
        for step in self.steps:
            trained.append(bool(step.layer.params) or any(trained[source] for source in step.sources))
        self._trained = trained
        # A loss has no gradient by its labels.
        self._by = [step.sources[:1] if isinstance(step.layer, Loss) else step.sources for step in self.steps]

    def forward(self, *inputs: Any) -> Any:
        return self.values(*inputs)[-1]

    def backward(self, upstream: npt.ArrayLike) -> tuple[Any, Grads]:
        gradients, grads = self.gradients(upstream)
        dx = tuple(gradients[: len(self.inputs)])
        return (dx[0] if len(dx) == 1 else dx), grads

    def values(self, *inputs: Any) -> list[Any]:
        """`forward`, with the values of all nodes: inputs, constants and steps."""
        values = [*self._checked(inputs), *self.constants]
        parts = self._no_parts if self.workspace is None else self._prepared(self.workspace).parts
        caches: list[Any] = []
        try:
            for (layer, sources, _), part in zip(self.steps, parts, strict=True):
                layer.workspace = part
                values.append(layer.forward(*[values[source] for source in sources]))
                layer.workspace = None
                caches.append(layer.cache)
        except (ValueError, TypeError, RuntimeError) as error:
            raise self._located(error, len(caches)) from error.__cause__
        finally:
            for layer in self.layers:
                layer.workspace = None
        self.cache = caches, inputs
        return values

    def gradients(self, upstream: npt.ArrayLike) -> tuple[list[Any], Grads]:
        """`backward`, with the gradients by all nodes, in the order of `values`; None by what has none."""
        caches, inputs = self.recall()
        workspace = self._prepared(self.workspace or Workspace(Grads.like(self.params)))
        gradients: list[Any] = [None] * (self._first + len(self.steps))
        gradients[-1] = upstream
        i = len(self.steps)
        try:
            while i:
                i -= 1
                above = gradients[self._first + i]
                if not (workspace.wants_dx or self._trained[self._first + i]):
                    continue
                if above is None:
                    raise ValueError("a layer that uses its output returned no gradient for it")
                dx = self._backward_of(i, caches[i], workspace.parts[i], above)
                dx = dx if type(dx) is tuple else (dx,)
                if len(dx) != len(self._by[i]):
                    raise ValueError(f"backward must return {len(self._by[i])} input gradients, got {len(dx)}")
                for source, gradient in zip(self._by[i], dx, strict=True):
                    if not (workspace.wants_dx or self._trained[source]):
                        continue
                    if gradients[source] is not None:
                        gradient = _sum(gradients[source], gradient, f"sum {source}", workspace)
                    gradients[source] = gradient
        except (ValueError, TypeError, RuntimeError) as error:
            raise self._located(error, i) from error.__cause__
        for k, x in enumerate(inputs):
            if gradients[k] is None:  # unused, or class labels
                gradients[k] = np.zeros_like(self.as_input(x, what=self.inputs[k])) if workspace.wants_dx else UNREAD
        assert workspace.grads is not None
        return gradients, workspace.grads

    def evaluated(self, *inputs: Any) -> Iterator[Evaluated]:
        values = [*self._checked(inputs), *self.constants]
        for i, (layer, sources, _) in enumerate(self.steps):
            taken = tuple(values[source] for source in sources)
            try:
                values.append(layer.predict(*taken))
            except (ValueError, TypeError, RuntimeError) as error:
                raise self._located(error, i) from error.__cause__
            yield Evaluated(i, layer, taken, values[-1])

    def predict(self, *inputs: Any) -> Any:
        y = None
        for step in self.evaluated(*inputs):
            y = step.output
        return y

    def trace(self, *inputs: Any, upstream: npt.ArrayLike | None = None) -> Trace:
        """One pass on a copy, shown in the lecture's three views: `print(graph.trace(-2, 5, -4))` (L21).

        `upstream` is the gradient by the output; it can be left out where that is a single number.
        """
        from handgrad.trace import Trace

        return Trace(self, self._checked(inputs), upstream=upstream)

    def place(self, i: int) -> str:
        return f"Graph[{self.steps[i].name}]"

    @property
    def names(self) -> list[str]:
        """The names of all nodes, in the order of `values`."""
        return [*self.inputs, *map(_text, self.constants), *(step.name for step in self.steps)]

    def __repr__(self) -> str:
        """The graph in words: its inputs, and each step in topological order."""
        names = self.names
        steps = [f"{step.name} = {step.layer!r}({', '.join(names[k] for k in step.sources)})" for step in self.steps]
        return f"Graph({', '.join(self.inputs)}: {'; '.join(steps)})"

    def _checked(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(inputs) != len(self.inputs):
            raise ValueError(
                f"Graph: forward takes {len(self.inputs)} inputs ({', '.join(self.inputs)}), got {len(inputs)}"
            )
        return inputs

    def _reads_dx(self, i: int) -> bool:
        return any(self._trained[source] for source in self.steps[i].sources)


def _topological(output: Node) -> list[Node]:
    """All nodes that `output` needs, each after those that it needs itself; ValueError for a cycle."""
    order: list[Node] = []
    done: set[int] = set()
    path = {id(output)}
    stack = [(output, iter(output.inputs))]
    while stack:  # not by recursion, which ends at a depth of 1000
        node, remaining = stack[-1]
        for x in remaining:
            if id(x) in path:
                raise ValueError(f"Graph: the node {x!r} is in a cycle, it needs its own value")
            if isinstance(x, Node) and id(x) not in done:
                path.add(id(x))
                stack.append((x, iter(x.inputs)))
                break
        else:
            stack.pop()
            path.remove(id(node))
            done.add(id(node))
            order.append(node)
    return order


def _sum(a: Array, b: Array, name: str, workspace: Workspace) -> Array:
    """a + b in an array of the graph's own: a layer may still need the array that it gave."""
    out = workspace.array(name, a.shape, np.result_type(a, b), "F" if a.flags.fnc else "C")
    return np.add(a, b, out=out)


def _constant(x: Any, layer: Layer) -> Any:
    """`x` as a constant of the graph: a Python number, or an array of its own."""
    if isinstance(x, Layer):
        raise TypeError(f"{layer!r}: expected a node, got the layer {x!r}; call it on a node, {x!r}(x)")
    if type(x) in (bool, int, float):
        return x
    try:
        array = np.array(x)
    except ValueError:
        array = np.array(None)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{layer!r}: expected a node, a number or an array of real numbers, got {x!r}")
    return array


def _name(name: Any, what: str) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"{what}: expected a name such as 'x', got {name!r}")
    return name


def _check_labels(computed: Sequence[Node]) -> None:
    """A loss has no gradient by its labels, so nothing may flow through them."""
    losses = [node for node in computed if isinstance(node.layer, Loss)]
    flowing = {id(x) for node in computed for x in (node.inputs[:1] if node in losses else node.inputs)}
    for node in losses:
        for labels in node.inputs[1:]:
            if isinstance(labels, Node) and (not isinstance(labels, Input) or id(labels) in flowing):
                raise ValueError(
                    f"Graph: {node.layer!r} has no gradient by its labels, which must be a constant or an Input that "
                    f"nothing else uses; got {labels!r}"
                )


def _word(layer: Layer) -> str:
    return type(layer).__name__.lower()


def _text(constant: Any) -> str:
    return f"{constant:g}" if isinstance(constant, int | float) else f"constant {list(np.shape(constant))}"
