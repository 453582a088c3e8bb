"""The fully connected layer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer, Param, floating
from handgrad.layers.initializers import Initializer, initializer, name_of
from handgrad.layers.products import sum_of_rows
from handgrad.layers.workspace import UNREAD
from handgrad.params import Array
from handgrad.randomness import generator


class FC(Layer):
    """Fully connected: every output is a weighted sum of all inputs, y = W x + b for each row (L14).

        forward     y  = x W' + b           x [B x in] -> y [B x out]
        backward    dx = upstream W         [B x in]
                    dW = upstream' x        [out x in], one row w_i per output
                    db = sum of upstream's rows

    W starts as `init` says ("he", "glorot", "zeros" or a callable (shape, rng) -> array), b as zeros.
    `rng` is the generator or seed that W is drawn from.
    """

    W = Param("[out x in]")
    b = Param("[out]")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        init: str | Initializer = "he",
        rng: np.random.Generator | int | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
                raise ValueError(f"FC: {name} must be a whole number >= 1, got {size!r}")
        self.in_features, self.out_features = int(in_features), int(out_features)
        self.bias, self.init, self.dtype = bool(bias), name_of(init), floating(dtype)
        W = np.asarray(initializer(init)((self.out_features, self.in_features), generator(rng)))
        if W.shape != (self.out_features, self.in_features):
            raise ValueError(f"FC: init must give [out x in] = {out_features, in_features}, got {W.shape}")
        self.W = W
        if bias:
            self.b = np.zeros(out_features)

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x, self.in_features)
        # BEGIN SOLUTION fc.forward points=6
        self.cache = x
        y = self.product("y", x, self.W.T)
        if self.bias:
            y += self.b
        return y
        # END SOLUTION

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        x: Array = self.recall()
        upstream = self.as_upstream(upstream, (len(x), self.out_features), self.dtype)
        # BEGIN SOLUTION fc.backward points=12
        grads = {"W": self.product("dW", upstream.T, x, like=self.W)}
        if self.bias:
            grads["b"] = sum_of_rows(upstream, self.out_like("db", self.b))
        dx = self.product("dx", upstream, self.W, like=x) if self.wants_dx else UNREAD
        return dx, grads
        # END SOLUTION
