"""Sequential: layers in a row, which is the chain rule in a row."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.files import PathLike, check_arrays, read_npz, write_npz
from handgrad.layers import FC, Layer, Workspace
from handgrad.layers.workspace import UNREAD
from handgrad.params import Array, Grads, Params, Place

ABOUT = "about."
"""Before the names of the texts that a file of weights holds beside the weights."""


class Sequential(Layer):
    """Layers applied one after the other; itself a layer, so that Sequentials nest (L04, L05, L08).

        forward     h0 = x,  h(l) = layer l of h(l-1)
        backward    from the last layer to the first: dL/dh(l-1) and dL/dW(l) of dL/dh(l)

    Parameters and gradients are named by position, "0.W", and lie in one vector each: `params.flat`,
    `grads.flat`. A layer that occurs twice has its parameters once, and their gradients are summed.
    Errors say in which layer they arose: `Sequential[2] FC(128, 10): input must be ...`.
    """

    def __init__(self, *layers: Layer) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                mend = f"; write {layer.__name__}(...)" if isinstance(layer, type) else ""
                raise TypeError(f"Sequential[{i}] must be a layer, got {layer!r}{mend}")
        self.layers = layers
        self._params, self._names = self._named_parameters()
        self._no_parts: list[None] = [None] * len(layers)
        self._first = next((i for i, names in enumerate(self._names) if names), 0)
        _ = self._params.flat  # joins them now, so that arrays taken from the model stay the model's

    def forward(self, x: npt.ArrayLike) -> Any:
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

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, Grads]:
        caches = self.recall()
        workspace = self._prepared(self.workspace or Workspace(Grads.like(self.params)))
        dx, i = upstream, len(self.layers)
        first = 0 if workspace.wants_dx else self._first
        try:
            while i > first:
                i -= 1
                dx = self._backward_of(self.layers[i], caches[i], workspace.parts[i], dx)
        except (ValueError, TypeError, RuntimeError) as error:
            raise self._located(error, i) from error.__cause__
        assert workspace.grads is not None
        return (np.asarray(dx) if workspace.wants_dx else UNREAD), workspace.grads

    def _backward_of(self, layer: Layer, cache: Any, part: Workspace, upstream: npt.ArrayLike) -> npt.ArrayLike:
        """The layer's input gradient; its parameters' gradients go to their places in the model's `grads`."""
        kept, layer.cache, layer.workspace = layer.cache, cache, part
        try:
            dx, own = layer.backward(upstream)
        finally:
            layer.cache, layer.workspace = kept, None
        if own.keys() != part.targets.keys():
            raise ValueError(f"backward must return gradients of {list(part.targets)}, got {list(own)}")
        for key, (target, is_sum) in part.targets.items():
            gradient = own[key]
            if gradient is target:  # a layer that writes it there by itself
                continue
            if np.shape(gradient) != target.shape:
                raise ValueError(f"gradient of {key} must be {target.shape}, got {np.shape(gradient)}")
            if is_sum:
                target += gradient
            else:
                target[...] = gradient
        return dx  # type: ignore[no-any-return]

    def _prepared(self, workspace: Workspace) -> Workspace:
        """The workspace with a part for each layer, in which gradients are written to their places in `grads`."""
        if workspace.parts:
            return workspace
        if workspace.grads is None:  # a model in a model: the arrays are given one by one
            arrays = {name: workspace.array("d" + name, p.shape, p.dtype) for name, p in self.params.items()}
            workspace.grads = Grads(arrays)
        for i, names in enumerate(self._names):
            part = Workspace(wants_dx=workspace.wants_dx or i != self._first)
            for key, (name, is_sum) in names.items():
                part.targets[key] = workspace.grads[name], is_sum
                if not is_sum:
                    part.keep("d" + key, workspace.grads[name])
            workspace.parts.append(part)
        return workspace

    def predict(self, x: npt.ArrayLike) -> Any:
        for i, layer in enumerate(self.layers):
            try:
                x = layer.predict(x)
            except (ValueError, TypeError, RuntimeError) as error:
                raise self._located(error, i) from error.__cause__
        return x

    def forget(self) -> None:
        super().forget()
        for layer in self.layers:
            layer.forget()

    def astype(self, dtype: npt.DTypeLike) -> Sequential:
        """Converts all parameters in place to another floating `dtype`; returns the model itself."""
        for layer in self.layers:
            layer.astype(dtype)
        return super().astype(dtype)

    def save(self, path: PathLike, about: Mapping[str, str] | None = None) -> None:
        """Writes the weights, the model's repr and the texts `about` as .npz, beside its place first."""
        texts = {ABOUT + key: np.array(text) for key, text in {"model": repr(self), **(about or {})}.items()}
        write_npz(path, {**self.params, **texts})

    def load(self, path: PathLike) -> Sequential:
        """Reads saved weights into this model and returns it; it stays as it was unless all of them fit.

        ValueError lists every name that is missing, unexpected or of a wrong shape.
        """
        found = {name: array for name, array in read_npz(path).items() if not name.startswith(ABOUT)}
        check_arrays(found, self.params, str(path))
        for name, array in self.params.items():
            array[...] = found[name]
        return self

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

    @property
    def label(self) -> str:
        return "Sequential"

    def _named_parameters(self) -> tuple[Params, list[dict[str, tuple[str, bool]]]]:
        """All parameters, and for each layer: short name -> (name here, whether a later layer has it too)."""
        places: dict[str, Place] = {}
        names: list[dict[str, tuple[str, bool]]] = []
        known: dict[tuple[int, str], str] = {}
        for i, layer in enumerate(self.layers):
            names.append({})
            for key, (arrays, short) in layer.params.places().items():
                name = known.setdefault((id(arrays), short), f"{i}.{key}")
                places[name] = arrays, short
                names[i][key] = name, False
        met: set[str] = set()
        for own in reversed(names):  # the order of backward: the first to come writes, the others add
            for key, (name, _) in own.items():
                own[key] = name, name in met
                met.add(name)
        params = Params(places)
        dtypes: dict[str, str] = {}
        for name, array in params.items():
            dtypes.setdefault(str(array.dtype), name)
        if len(dtypes) > 1:
            found = ", ".join(f"{name} is {dtype}" for dtype, name in dtypes.items())
            raise TypeError(f"Sequential: all parameters must have one dtype, but {found}; layer.astype mends it")
        if dtypes:
            self.dtype = np.dtype(next(iter(dtypes)))
        return params, names

    def _located(self, error: Exception, i: int) -> Exception:
        """The same error, its message led by the place in the model where it arose."""
        message, label = str(error), self.layers[i].label
        if type(error) not in (ValueError, TypeError, RuntimeError):
            return error
        if message.startswith("Sequential["):
            message = f"Sequential[{i}]{message[len('Sequential') :]}"
        else:
            message = f"Sequential[{i}] " + (message if message.startswith(label) else f"{label}: {message}")
        return type(error)(message).with_traceback(error.__traceback__)

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
