"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from handgrad.blas import add_scaled, scale_and_add
from handgrad.files import PathLike, check_arrays, read_npz, write_npz
from handgrad.params import Array, Grads, Params, join, split


class SGD:
    """Stochastic gradient descent with momentum and weight decay, on the flat vector of all parameters (L07).

        g = dL/dW + weight_decay * W        the decay does not depend on the batch size
        v = momentum * v + g                v = 0 at first
        W = W - lr * v                      or, with nesterov:  W = W - lr * (g + momentum * v)

    `decay` says which parameters the weight decay is for: "weights" (those of two or more dimensions, so no
    bias), "all", or a collection of names such as {"0.W", "2.W"}. `lr` may be changed between steps.
    Raises ValueError for a learning rate that is not positive, a momentum outside [0, 1), a negative decay.
    """

    def __init__(
        self,
        params: Params,
        lr: float,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        decay: str | Collection[str] = "weights",
    ) -> None:
        if not isinstance(params, Params):
            raise TypeError(f"SGD: params must be a layer's or model's .params, got {type(params).__name__}")
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise TypeError(f"SGD: {name} must be a number, got {value!r}")
        if not 0 < lr < np.inf:
            raise ValueError(f"SGD: lr must be a positive number, got {lr!r}")
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum must lie in [0, 1), got {momentum!r}")
        if nesterov and momentum == 0:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        if not 0 <= weight_decay < np.inf:
            raise ValueError(f"SGD: weight_decay must be a number >= 0, got {weight_decay!r}")
        self.params = params
        self.lr, self.momentum, self.nesterov = lr, momentum, nesterov
        self.weight_decay, self.decay = weight_decay, decay
        flat = params.flat
        self._velocity = np.zeros_like(flat)
        self._decay_rates = self._rates(decay)
        self._decayed, self._update = np.empty_like(flat), np.empty_like(flat)

    def step(self, grads: Mapping[str, Array]) -> None:
        """Updates every parameter in place; `grads` has one gradient for each name and is not changed."""
        w, gradient = self.params.flat, self._vector(grads)
        if w.dtype != self._update.dtype:
            self._follow(w)
        # BEGIN SOLUTION sgd.step points=12
        g, v, update = gradient, self._velocity, self._update
        if self.weight_decay:
            g = np.multiply(w, self._decay_rates, out=self._decayed)
            g += gradient
        if self.momentum:
            scale_and_add(v, self.momentum, g)
            if self.nesterov:
                np.multiply(v, self.momentum, out=update)
                update += g
            g = update if self.nesterov else v
        add_scaled(w, -self.lr, g, update)
        # END SOLUTION

    @property
    def state(self) -> dict[str, Array]:
        """The velocities by parameter name; empty without momentum. Writing into an array changes the state."""
        return split(self._velocity, self.params.shapes) if self.momentum else {}

    def save(self, path: PathLike) -> None:
        """Writes the state to an .npz file, beside its place first."""
        write_npz(path, self.state)

    def load(self, path: PathLike) -> None:
        """Restores a saved state. ValueError lists what is missing, unexpected or of a wrong shape."""
        found, state = read_npz(path), self.state
        check_arrays(found, state, str(path))
        for name, array in state.items():
            array[...] = found[name]

    def __repr__(self) -> str:
        nesterov = ", nesterov=True" if self.nesterov else ""
        return f"SGD(lr={self.lr}, momentum={self.momentum}{nesterov}, weight_decay={self.weight_decay})"

    def _vector(self, grads: Mapping[str, Array]) -> Array:
        """The gradients as one vector in the parameters' order; ValueError when names or shapes differ."""
        vector = grads.vector_of(self.params) if type(grads) is Grads else None
        if vector is not None:
            return vector
        shapes = self.params.shapes
        if grads.keys() != shapes.keys():
            missing = ", ".join(shapes.keys() - grads.keys()) or "none"
            unexpected = ", ".join(grads.keys() - shapes.keys()) or "none"
            raise ValueError(f"SGD.step: grads must name the parameters; missing {missing}; unexpected {unexpected}")
        for name, shape in shapes.items():
            if np.shape(grads[name]) != shape:
                raise ValueError(f"SGD.step: gradient {name} must be {shape}, got {np.shape(grads[name])}")
        return join(np.asarray(grads[name]) for name in shapes)

    def _rates(self, decay: str | Collection[str]) -> Array:
        """weight_decay where a parameter decays and 0 elsewhere, along the flat vector."""
        params = self.params
        if decay == "weights":
            decay = [name for name in params if params[name].ndim > 1]
        elif decay == "all":
            decay = list(params)
        unknown = [repr(decay)] if isinstance(decay, str) else [name for name in decay if name not in params]
        if unknown:
            known = ", ".join(params)
            raise ValueError(f'SGD: decay must be "weights", "all" or names of {known}; got {", ".join(unknown)}')
        rates = np.zeros_like(params.flat)
        for name, view in split(rates, params.shapes).items():
            view[...] = self.weight_decay if name in decay else 0
        return rates

    def _follow(self, w: Array) -> None:
        """Takes on the dtype that the parameters have been converted to."""
        self._velocity = self._velocity.astype(w.dtype)
        self._decay_rates = self._decay_rates.astype(w.dtype)
        self._decayed, self._update = np.empty_like(w), np.empty_like(w)
