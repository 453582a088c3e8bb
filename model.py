"""Sequential: layers in a row, which is the chain rule in a row."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handgrad.container import Container, Evaluated
from handgrad.layers import FC, Layer, Workspace
from handgrad.layers.workspace import UNREAD
from handgrad.losses import Loss, SoftmaxCE
from handgrad.params import Array, Grads

if TYPE_CHECKING:
    from handgrad.trace import Trace


class Sequential(Container):
    """Layers applied one after the other; itself a layer, so that Sequentials nest (L04, L05, L08).

        forward     h0 = x,  h(l) = layer l of h(l-1)
        backward    from the last layer to the first: dL/dh(l-1) and dL/dW(l) of dL/dh(l)

    Parameters, gradients and errors go by position: `params["0.W"]`, `Sequential[2] FC(128, 10): input must be ...`.

    `train()` sets `workspace`: memory that results may be written into, and used again at each step. Gradients are the
    same with it as without; dL/dx may be anything unless `workspace.wants_dx`. A loop that ignores it is right as well.
    """

    def __init__(self, *layers: Layer) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                mend = f"; write {layer.__name__}(...)" if isinstance(layer, type) else ""
                raise TypeError(f"Sequential[{i}] must be a layer, got {layer!r}{mend}")
        super().__init__(layers)
        self._first = next((i for i, layer in enumerate(layers) if layer.params), 0)

    def forward(self, x: npt.ArrayLike) -> Any:
        # BEGIN SOLUTION sequential.forward points=6
        parts = self._no_parts if self.workspace is None else self._prepared(self.workspace).parts
        caches: list[Any] = []
        try:
            for layer, part in zip(self.layers, parts, strict=True):
                layer.workspace = part
                x = layer.forward(x)
                caches.append(layer.cache)
        except (ValueError, TypeError, RuntimeError) as error:
            raise self._located(error, len(caches)) from error.__cause__
        finally:
            for layer in self.layers:
                layer.workspace = None
        self.cache = caches
        return x
        # END SOLUTION

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, Grads]:
        # BEGIN SOLUTION sequential.backward points=12
        caches = self.recall()
        workspace = self._prepared(self.workspace or Workspace(Grads.like(self.params)))
        dx, i = upstream, len(self.layers)
        first = 0 if workspace.wants_dx else self._first
        try:
            while i > first:
                i -= 1
                dx = self._backward_of(i, caches[i], workspace.parts[i], dx)
        except (ValueError, TypeError, RuntimeError) as error:
            raise self._located(error, i) from error.__cause__
        assert workspace.grads is not None
        return (np.asarray(dx) if workspace.wants_dx else UNREAD), workspace.grads
        # END SOLUTION

    def evaluated(self, x: npt.ArrayLike) -> Iterator[Evaluated]:
        for i, layer in enumerate(self.layers):
            try:
                y = layer.predict(x)
            except (ValueError, TypeError, RuntimeError) as error:
                raise self._located(error, i) from error.__cause__
            yield Evaluated(i, layer, (x,), y)
            x = y

    def predict(self, x: npt.ArrayLike) -> Any:
        for step in self.evaluated(x):
            x = step.output
        return x

    def trace(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        *,
        loss: Loss | None = None,
        upstream: npt.ArrayLike | None = None,
    ) -> Trace:
        """One pass on a copy, shown in the lecture's three views: `print(model.trace(x, labels))` (L21).

        With labels y the last node is the loss, by default SoftmaxCE(). Without, `upstream` is the gradient by the
        model's output. ValueError for both, or for neither unless the output is a single number.
        """
        try:
            from handgrad.trace import Trace
        except ModuleNotFoundError:  # as in a handout
            raise ImportError("Sequential.trace: a handout comes without tracing, handgrad.trace") from None
        if loss is not None and not isinstance(loss, Loss):
            raise TypeError(f"Sequential.trace: loss must be a Loss such as SoftmaxCE(), got {loss!r}")
        if y is None:
            if loss is not None:
                raise ValueError(f"Sequential.trace: {loss!r} needs labels: trace(x, y, loss=...)")
            return Trace(self, [x], upstream=upstream)
        if upstream is not None:
            raise ValueError("Sequential.trace: give labels y, whose loss comes last, or upstream, not both")
        return Trace(self, [x, y], loss=loss or SoftmaxCE())

    def _reads_dx(self, i: int) -> bool:
        return i > self._first

    def summary(self, input_shape: tuple[int, ...] | None = None) -> str:
        """A table of layers, output shapes and numbers of parameters.

        `input_shape` is that of one instance; by default it is read off the first fully connected layer.
        """
        shape = input_shape or self.input_shape()
        x = None if shape is None else np.zeros((1, *shape), self.dtype)
        rows = [("", "layer", "output", "parameters"), ("", "input", _batch(x), "")]
        rows += self._summary_rows("", x)
        rows.append(("", "total", "", f"{sum(array.size for array in self.params.values()):,}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            f"{i:<{widths[0]}}  {layer:<{widths[1]}}  {output:<{widths[2]}}  {count:>{widths[3]}}".rstrip()
            for i, layer, output, count in rows
        ]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def __repr__(self) -> str:
        """A call that makes a model of the same structure; layers that occur twice get a name."""
        return _call(self, Counter(map(id, _all_layers(self))), {})

    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of one instance as the first fully connected layer has it; None without such a layer."""
        for layer in self.layers:
            if isinstance(layer, FC):
                return (layer.in_features,)
            if isinstance(layer, Sequential) and (shape := layer.input_shape()):
                return shape
        return None

    def _summary_rows(self, place: str, x: Array | None) -> list[tuple[str, str, str, str]]:
        rows: list[tuple[str, str, str, str]] = []
        seen: set[int] = set()
        for i, layer in enumerate(self.layers):
            if isinstance(layer, Sequential):
                rows += layer._summary_rows(f"{place}{i}.", x)
            try:
                x = None if x is None else layer.predict(x)
            except (ValueError, TypeError, RuntimeError) as error:
                raise self._located(error, i) from None
            if not isinstance(layer, Sequential):
                size = sum(math.prod(array.shape) for array in layer.params.values())
                count = "shared" if id(layer) in seen and size else f"{size:,}"
                rows.append((f"{place}{i}", repr(layer), _batch(x), count))
            seen.add(id(layer))
        return rows


def _all_layers(model: Sequential) -> Iterator[Layer]:
    """Every layer of the model and of those in it, as often as it occurs."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, Sequential):
            yield from _all_layers(layer)


def _call(model: Sequential, times: Mapping[int, int], names: dict[int, str]) -> str:
    """The model as a call; `names` are of the layers that occur more than once and have been written already."""
    parts = []
    for layer in model.layers:
        known = names.get(id(layer))
        if known is None and times[id(layer)] > 1:
            names[id(layer)] = f"shared{len(names) or ''}"
        text = known or (_call(layer, times, names) if isinstance(layer, Sequential) else repr(layer))
        parts.append(text if known or times[id(layer)] == 1 else f"{names[id(layer)]} := {text}")
    return f"Sequential({', '.join(parts)})"


def _batch(x: Array | None) -> str:
    return "?" if x is None else "[" + " x ".join(["B", *map(str, x.shape[1:])]) + "]"
