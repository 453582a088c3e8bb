"""What every layer is and keeps to: the contract, and the little that all layers share.

1. `forward(x)` keeps what backward needs in `self.cache`, and nothing else of the call.
2. `backward(upstream)` returns (input gradient, {name: parameter gradient}): the vector-Jacobian product of
   the last forward, for any upstream, any number of times. Nothing is accumulated, nothing updated.
3. Nothing passed in is changed; nothing returned is changed by a later call.
4. The output has the parameters' dtype; a layer without parameters keeps its input's floating dtype.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from handgrad.layers.products import column_major, product
from handgrad.layers.workspace import Workspace
from handgrad.params import Array, Params, copy_into

Self = TypeVar("Self", bound="Layer")
QUIET = nullcontext()


class Param:
    """Declares a parameter in a layer's class body: `W = Param("[out x in]")`.

    The first assignment to `layer.W` creates the array, a copy in the layer's dtype. Later ones write into it
    (ValueError for another shape), because optimizers and models hold on to the array.
    """

    def __init__(self, shape: str = "") -> None:
        self.__doc__ = f"Parameter {shape}".rstrip()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, layer: None, owner: type) -> Param: ...
    @overload
    def __get__(self, layer: Layer, owner: type) -> Array: ...
    def __get__(self, layer: Layer | None, owner: type) -> Param | Array:
        if layer is None:
            return self
        try:
            return layer._arrays[self.name]
        except (KeyError, AttributeError):
            raise AttributeError(f"{layer.label} has no parameter {self.name}") from None

    def __set__(self, layer: Layer, value: npt.ArrayLike) -> None:
        arrays = layer.__dict__.setdefault("_arrays", {})
        if self.name in arrays:
            copy_into(arrays[self.name], value, f"{layer.label}: parameter {self.name}")
        else:
            arrays[self.name] = np.array(value, layer.dtype, order="C")
            layer.__dict__.pop("_params", None)


class Layer(ABC):
    """A differentiable function with parameters. Subclasses write `forward` and `backward`."""

    cache: Any = None
    """What the last forward left for backward; None before any forward."""

    workspace: Workspace | None = None
    dtype: np.dtype[Any] = np.dtype(np.float32)
    """The parameters' dtype, and that of integer input."""

    _arrays: Mapping[str, Array] = {}  # each layer with parameters has a dictionary of its own
    _params: Params

    @abstractmethod
    def forward(self, *inputs: Any) -> Any:
        """The layer's output for `inputs`; leaves in `self.cache` what backward needs."""

    @abstractmethod
    def backward(self, *upstream: Any) -> Any:
        """(dL/dx, {name: dL/dparameter}) for the upstream gradient dL/dy of the last forward."""

    def __call__(self, *inputs: Any) -> Any:
        """`forward`; but with nodes of a graph among the inputs, the node of the layer's output (see graph.py)."""
        for x in inputs:
            if hasattr(x, "node_of"):
                return x.node_of(self, inputs)
        return self.forward(*inputs)

    def predict(self, *inputs: Any) -> Any:
        """The output in use rather than in training: keeps no cache, and leaves a pending backward as it was."""
        kept = self.cache, self.workspace
        self.cache = self.workspace = None
        try:
            return self.forward(*inputs)
        finally:
            self.cache, self.workspace = kept

    def forget(self) -> None:
        """Drops the cache."""
        self.cache = None

    @property
    def params(self) -> Params:
        """The parameters by name: `layer.params["W"]` and `layer.W` are the same array."""
        if "_params" not in self.__dict__:
            arrays = self.__dict__.setdefault("_arrays", {})
            self._params = Params({name: (arrays, name) for name in arrays})
        return self._params

    def astype(self: Self, dtype: npt.DTypeLike) -> Self:
        """Converts the parameters in place to another floating `dtype`; returns the layer itself."""
        self.dtype = floating(dtype)
        for arrays, name in self.params.places().values():
            arrays[name] = arrays[name].astype(self.dtype)
        self.forget()
        return self

    # What forward and backward are written with.

    def as_input(self, x: npt.ArrayLike, *features: int, what: str = "input") -> Array:
        """`x` as a floating array [B x features...] (any shape without `features`), converted at most once.

        Raises ValueError for another shape or an empty batch, TypeError for what is no real number.
        """
        if type(x) is not np.ndarray or (x.dtype != self.dtype and not self._keeps(x.dtype)):
            x = self._converted(x, what)
        if (features and x.shape[1:] != features) or not x.size:
            wanted = " x ".join(map(str, ("B", *features))) if features else "B x ..."
            empty = "; B >= 1 is needed" if 0 in x.shape[:1] else ""
            raise ValueError(f"{self.label}: {what} must be [{wanted}], got {x.shape}{empty}")
        return x

    def _converted(self, x: npt.ArrayLike, what: str) -> Array:
        try:
            array = np.asarray(x)
        except ValueError:
            raise ValueError(f"{self.label}: {what} must be a rectangular array, got rows that differ") from None
        if array.dtype.kind not in "buif":
            raise TypeError(f"{self.label}: {what} must be real numbers, got dtype {array.dtype}")
        native = array.dtype.newbyteorder("=")
        return array.astype(native if self._keeps(native) else self.dtype, copy=False)

    def _keeps(self, dtype: np.dtype[Any]) -> bool:
        """Whether the layer computes in its input's dtype: without parameters, in any floating one."""
        return not self._arrays and dtype.kind == "f" and dtype.isnative

    def as_upstream(self, upstream: npt.ArrayLike, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """The gradient from above as an array of the output's shape and dtype; ValueError for another shape.

        A dtype that cannot hold a gradient, such as that of a mask x > 0 which was cached, changes nothing.
        """
        if type(upstream) is np.ndarray and upstream.dtype == dtype and upstream.shape == shape:
            return upstream
        array = self._converted(upstream, "upstream")
        if array.shape != shape:
            raise ValueError(f"{self.label}: upstream must have the output's shape {shape}, got {array.shape}")
        return array.astype(dtype, copy=False) if np.dtype(dtype).kind == "f" else array

    def recall(self) -> Any:
        """What the last forward cached; RuntimeError when there was none."""
        if self.cache is None:
            raise RuntimeError(f"{self.label}: backward found self.cache empty; call forward first, which must fill it")
        return self.cache

    def out(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike | None = None) -> Array:
        """An uninitialised array to write a result into: new, or the training loop's own under that name."""
        dtype = self.dtype if dtype is None else dtype
        return np.empty(shape, dtype) if self.workspace is None else self.workspace.array(name, shape, dtype)

    def out_like(self, name: str, x: Array, dtype: npt.DTypeLike | None = None) -> Array:
        """Such an array of x's shape, memory order and dtype: elementwise work is fast in one order only."""
        if self.workspace is None:
            return np.empty_like(x, dtype)
        return self.workspace.array(name, x.shape, x.dtype if dtype is None else dtype, "F" if x.flags.fnc else "C")

    def zero(self, x: Array) -> Array | int:
        """0 to compare x with: while training an array of x's form, with which NumPy's maximum takes a third."""
        return 0 if self.workspace is None else self.workspace.zeros(x.shape, x.dtype, "F" if x.flags.fnc else "C")

    def product(self, name: str, a: Array, b: Array, like: Array | None = None) -> Array:
        """The matrix product a b in such an array: in the memory order of `like`, else in the quickest one."""
        if like is not None:
            return product(a, b, self.out_like(name, like))
        shape = a.shape[0], b.shape[1]
        order: Any = "F" if column_major(*shape) else "C"
        if self.workspace is None:
            return product(a, b, np.empty(shape, a.dtype, order))
        return product(a, b, self.workspace.array(name, shape, a.dtype, order))

    def keep(self, y: Array) -> Array:
        """`y` for the cache: a copy, since the caller may edit what forward returns; not so while training."""
        return y.copy(order="K") if self.workspace is None else y

    def quiet(self) -> AbstractContextManager[object]:
        """Silences NumPy's warnings where overflow gives the right result; a training loop has done so already."""
        return np.errstate(over="ignore", invalid="ignore") if self.workspace is None else QUIET

    @property
    def wants_dx(self) -> bool:
        """Whether somebody reads the input gradient."""
        return self.workspace is None or self.workspace.wants_dx

    @property
    def label(self) -> str:
        """How messages name the layer."""
        return repr(self)

    def __repr__(self) -> str:
        """The call that makes such a layer: the arguments without a default, then those that differ from it."""
        arguments = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = getattr(self, name, parameter.default)
            if name == "rng" or parameter.kind is parameter.VAR_POSITIONAL:
                continue
            if parameter.default is parameter.empty:
                arguments.append("..." if value is parameter.empty else _literal(value))
            elif value != parameter.default:
                arguments.append(f"{name}={_literal(value)}")
        return f"{type(self).__name__}({', '.join(arguments)})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("cache", "workspace")}


def floating(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """`dtype` as a NumPy dtype; TypeError unless it is a floating one."""
    try:
        converted = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be a floating type such as 'float64', got {dtype!r}") from None
    if converted.kind != "f":
        raise TypeError(f"dtype must be a floating type such as 'float64', got {converted}")
    return converted.newbyteorder("=")


def _literal(value: Any) -> str:
    if isinstance(value, np.dtype):
        return repr(value.name)
    if isinstance(value, np.generic):
        return repr(value.item())
    return getattr(value, "__name__", None) or repr(value)
