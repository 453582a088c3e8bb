"""Layers, a model, a loss and an optimizer that stand in for the other parts' code: unlike any that students write."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any

import numpy as np
from numpy import array as new_array

from handgrad.layers.base import Layer, Param
from handgrad.losses.base import Loss
from handgrad.optim.sgd import SGD
from handgrad.params import Array

LEARNING_RATE = 0.1
"""Of the optimizer among them, which has no use for it."""


def _refuse_other_than_arrays(given: Any, method: str, instead: str) -> None:
    """TypeError where a layer is handed a pair, a list, a dictionary or nothing."""
    if given is None or isinstance(given, tuple | list | Mapping):
        kind = "None" if given is None else f"a {type(given).__name__}"
        raise TypeError(f"a layer's {method} was given {kind}; it takes an array, {instead}")


def _refuse_other_upstreams(upstream: Any, shape: tuple[int, ...]) -> None:
    """TypeError where `upstream` is no array, ValueError where it has not the output's shape."""
    _refuse_other_than_arrays(upstream, "backward", "dL/d(its output)")
    if np.shape(upstream) != shape:
        raise ValueError(f"a layer of output {shape} was given upstream {np.shape(upstream)}")


class Pick(Layer):
    """Output j is column columns[j] of x, k[j] times: changes shapes, and does not commute with the other toys."""

    k = Param("[m]")

    def __init__(self, k: Array, columns: Array) -> None:
        self.dtype = k.dtype
        self.k, self.columns = k, columns

    def __repr__(self) -> str:
        return "the layer"

    def forward(self, x: Array) -> Array:
        _refuse_other_than_arrays(x, "forward", "the output of the layer before it")
        if not self.takes(x):
            raise ValueError(f"a layer of {self.columns.max() + 1} inputs or more was given an array {np.shape(x)}")
        self.cache = x
        return np.take(x, self.columns, axis=1) * self.k

    def takes(self, x: Array) -> bool:
        """Whether there are all the columns of it."""
        return np.ndim(x) == 2 and np.shape(x)[1] > self.columns.max()

    def backward(self, upstream: Array) -> tuple[Array, dict[str, Array]]:
        x = self.recall()
        if not self.takes(x):
            raise ValueError(
                f"a layer of {self.columns.max() + 1} inputs or more found an array {np.shape(x)} in its cache, "
                "which its own forward did not put there"
            )
        _refuse_other_upstreams(upstream, (len(x), len(self.columns)))
        dx, dk = np.zeros_like(x), np.zeros_like(self.k)
        for j, column in enumerate(self.columns):
            dx[:, column] += self.k[j] * upstream[:, j]
            dk[j] = np.vdot(upstream[:, j], x[:, column])
        return dx, {"k": dk}


class Bend(Layer):
    """y = x |x|; no parameters."""

    def forward(self, x: Array) -> Array:
        _refuse_other_than_arrays(x, "forward", "the output of the layer before it")
        self.cache = x
        return x * np.abs(x)

    def backward(self, upstream: Array) -> tuple[Array, dict[str, Array]]:
        x = self.recall()
        _refuse_other_upstreams(upstream, np.shape(x))
        return np.asarray(2 * np.abs(x) * upstream), {}


class Stretch(Layer):
    """y = x exp(t) + s; two parameters of one entry each."""

    t = Param("[1]")
    s = Param("[1]")

    def __init__(self, t: Array, s: Array) -> None:
        self.dtype = t.dtype
        self.t, self.s = t, s

    def forward(self, x: Array) -> Array:
        _refuse_other_than_arrays(x, "forward", "the output of the layer before it")
        self.cache = x * np.exp(self.t)
        return np.asarray(self.cache + self.s)

    def backward(self, upstream: Array) -> tuple[Array, dict[str, Array]]:
        stretched = self.recall()
        _refuse_other_upstreams(upstream, np.shape(stretched))
        dt, ds = np.vdot(stretched, upstream), upstream.sum()
        return upstream * np.exp(self.t), {"t": np.array([dt]), "s": np.array([ds])}


class Watched(Pick):
    """A model that notes what it is handed; with `fixed` it computes gradients from that rather than its input."""

    def __init__(self, k: Array, columns: Array, fixed: Array | None = None) -> None:
        super().__init__(k, columns)
        self.fixed = fixed
        self.seen: dict[str, Any] = {}

    def __repr__(self) -> str:
        return "the model"

    def forward(self, x: Array) -> Array:
        self.seen["x"] = new_array(x)
        return super().forward(x)

    def predict(self, *inputs: Any) -> Any:
        return Pick(self.k, self.columns).forward(*inputs)  # unseen: it is no forward pass of training

    def backward(self, upstream: Array) -> tuple[Array, dict[str, Array]]:
        self.seen["upstream"] = new_array(upstream)
        if self.fixed is not None:
            self.cache = self.fixed[: len(upstream)]
        return super().backward(upstream)


class WatchedLoss(Loss):
    """mean |scores - labels|^3, which notes what it is handed; with `fixed` its gradient is that, always.

    Fixed values are never 1: one that is handed to backward for its upstream shows.
    """

    def __init__(self, nan_at: int = 0, fixed: Array | None = None) -> None:
        self.nan_at, self.fixed = nan_at, fixed
        self.seen: dict[str, Any] = {}
        self.calls, self.rows = 0, len(fixed) if fixed is not None else 0
        self.of_forward: dict[str, Any] = {}
        """What model and loss were handed by the loop's forward step, where a guard notes it."""

    def __repr__(self) -> str:
        return "the loss"

    def forward(self, scores: Any, labels: Any) -> float:
        self.seen.update(scores=new_array(scores), labels=new_array(labels))
        self.calls, self.rows = self.calls + 1, len(labels)
        self.cache = scores - labels
        if self.fixed is not None:
            return 1.5 + self.calls % 3
        return float("nan") if self.calls == self.nan_at else float(np.mean(np.abs(self.cache) ** 3))

    def predict(self, *inputs: Any) -> float:
        self.rows = len(inputs[1])
        return WatchedLoss(0, self.fixed).forward(*inputs)  # unseen: it is no forward pass of training

    def backward(self, upstream: float = 1.0) -> Array:
        if self.fixed is not None:
            return self.fixed[: self.rows] * upstream
        off = self.recall()
        return np.asarray(3 * off * np.abs(off) * upstream / off.size)

    def hits(self, scores: Array, labels: Array) -> int:
        return int(np.count_nonzero(scores[:, 0] * labels[:, 0] > 0))


class WatchedOptimizer(SGD):
    """Halves the parameters and adds a 64th of the gradients; notes what it is handed. With more they would grow."""

    def step(self, grads: Mapping[str, Array]) -> None:
        if not isinstance(grads, Mapping) or set(grads) != set(self.params):
            got = f"names {sorted(grads)}" if isinstance(grads, Mapping) else f"a {type(grads).__name__}"
            raise TypeError(
                f"optimizer.step was given {got}; it takes the gradients by name, {{{', '.join(self.params)}}}: "
                "the second of the pair that model.backward returns"
            )
        self.seen = {name: new_array(grads[name]) for name in grads}
        self.steps = getattr(self, "steps", 0) + 1
        for name, array in self.params.items():
            array /= 2
            array += grads[name] / 64


# As Python's own messages name them: 'the model' object has no attribute 'foward', the optimizer.step() missing ...
for _kind, _name in (
    *dict.fromkeys((Pick, Bend, Stretch), "the layer").items(),
    (Watched, "the model"),
    (WatchedLoss, "the loss"),
    (WatchedOptimizer, "the optimizer"),
):
    _kind.__name__ = _name
    for _method, _function in vars(_kind).items():
        if isinstance(_function, FunctionType):
            _function.__qualname__ = f"{_name}.{_method}"
