"""Models of layers, however these are joined: all their parameters under one roof."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from handgrad.files import PathLike, check_arrays, read_npz, write_npz
from handgrad.layers import Layer, Workspace
from handgrad.losses import Loss
from handgrad.params import Grads, Params, Place

Self = TypeVar("Self", bound="Container")

ABOUT = "about."
"""Before the names of the texts that a file of weights holds beside the weights."""


class Evaluated(NamedTuple):
    """One layer's part in a forward pass."""

    i: int
    """The layer's position in the container."""
    layer: Layer
    inputs: tuple[Any, ...]
    output: Any


class Container(Layer):
    """A layer made of layers, `layers`, in the order of the forward pass and as often as they occur.

    Parameters and gradients are named by position, "0.W", and lie in one vector each: `params.flat`,
    `grads.flat`. A layer that occurs twice has its parameters once, and their gradients are summed.
    Errors say in which layer they arose: `Sequential[2] FC(128, 10): input must be ...`.
    """

    inputs: tuple[str, ...] = ()
    """The names of the inputs, where these have any, as in a graph."""

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.layers = layers
        self._params, self._names = self._named_parameters()
        self._no_parts: list[None] = [None] * len(layers)
        _ = self._params.flat  # joins them now, so that arrays taken from the model stay the model's

    @abstractmethod
    def evaluated(self, *inputs: Any) -> Iterator[Evaluated]:
        """A forward pass in use (`predict`), layer by layer."""

    def place(self, i: int) -> str:
        """Where layer i stands, as messages say it: `Sequential[2]`."""
        return f"{self.label}[{i}]"

    def forget(self) -> None:
        super().forget()
        for layer in self.layers:
            layer.forget()

    def astype(self: Self, dtype: npt.DTypeLike) -> Self:
        """Converts all parameters in place to another floating `dtype`; returns the model itself."""
        for layer in self.layers:
            layer.astype(dtype)
        return super().astype(dtype)

    def save(self, path: PathLike, about: Mapping[str, str] | None = None) -> None:
        """Writes the weights, the model's repr and the texts `about` as .npz, beside its place first."""
        texts = {ABOUT + key: np.array(text) for key, text in {"model": repr(self), **(about or {})}.items()}
        write_npz(path, {**self.params, **texts})

    def load(self: Self, path: PathLike) -> Self:
        """Reads saved weights into this model and returns it; it stays as it was unless all of them fit.

        ValueError lists every name that is missing, unexpected or of a wrong shape.
        """
        found = {name: array for name, array in read_npz(path).items() if not name.startswith(ABOUT)}
        check_arrays(found, self.params, str(path))
        for name, array in self.params.items():
            array[...] = found[name]
        return self

    @property
    def label(self) -> str:
        return type(self).__name__

    # What the forward and backward passes of containers are written with.

    def _reads_dx(self, i: int) -> bool:
        """Whether layer i's input gradient is needed where nobody reads the container's own."""
        return True

    def _backward_of(self, i: int, cache: Any, part: Workspace, upstream: Any) -> Any:
        """Layer i's input gradient; its parameters' gradients go to their places in the model's `grads`."""
        layer = self.layers[i]
        kept, layer.cache, layer.workspace = layer.cache, cache, part
        try:
            result = layer.backward(upstream)
        finally:
            layer.cache, layer.workspace = kept, None
        if type(result) is not tuple and isinstance(layer, Loss):
            return result
        dx, own = result
        if not own and not part.targets:
            return dx
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
        return dx

    def _prepared(self, workspace: Workspace) -> Workspace:
        """The workspace with a part for each layer, in which gradients are written to their places in `grads`."""
        if workspace.parts:
            return workspace
        if workspace.grads is None:  # a model in a model: the arrays are given one by one
            arrays = {name: workspace.array("d" + name, p.shape, p.dtype) for name, p in self.params.items()}
            workspace.grads = Grads(arrays)
        for i, names in enumerate(self._names):
            part = Workspace(wants_dx=workspace.wants_dx or self._reads_dx(i))
            for key, (name, is_sum) in names.items():
                part.targets[key] = workspace.grads[name], is_sum
                if not is_sum:
                    part.keep("d" + key, workspace.grads[name])
            workspace.parts.append(part)
        return workspace

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
            raise TypeError(f"{self.label}: all parameters must have one dtype, but {found}; layer.astype mends it")
        if dtypes:
            self.dtype = np.dtype(next(iter(dtypes)))
        return params, names

    def _located(self, error: Exception, i: int) -> Exception:
        """The same error, its message led by the place in the model where it arose."""
        message, label, place = str(error), self.layers[i].label, self.place(i)
        if type(error) not in (ValueError, TypeError, RuntimeError):
            return error
        if message.startswith(f"{label}[") and isinstance(self.layers[i], Container):
            message = place + message[len(label) :]
        else:
            message = f"{place} " + (message if message.startswith(label) else f"{label}: {message}")
        return type(error)(message).with_traceback(error.__traceback__)


def leaves(model: Layer, *inputs: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Layer, Any]]:
    """Every layer that is no container, in the order of a forward pass in use, with its positions and its output."""
    if not isinstance(model, Container):
        yield path, model, model.predict(*inputs)
        return
    for step in model.evaluated(*inputs):
        here = (*path, step.i)
        if isinstance(step.layer, Container):
            yield from leaves(step.layer, *step.inputs, path=here)
        else:
            yield here, step.layer, step.output
