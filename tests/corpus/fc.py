"""Fully connected layers: y = x @ W.T + b."""

import numpy as np

from .case import Family


class FC:
    scale = 1.0

    def __init__(self, sizes, rng):
        D, M = sizes["D"], sizes["M"]
        self.params = {"W": self.scale * rng.standard_normal((M, D)), "b": self.scale * rng.standard_normal(M)}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"].T + self.params["b"]

    def backward(self, upstream):
        return self.dx(upstream), {"W": self.dW(upstream), "b": self.db(upstream)}

    def dx(self, upstream):
        return upstream @ self.params["W"]

    def dW(self, upstream):
        return upstream.T @ self.x

    def db(self, upstream):
        return upstream.sum(axis=0)


class KeepsFirstInput(FC):
    def forward(self, x):
        if not hasattr(self, "x") or self.x.shape != x.shape:
            self.x = x.copy()
        return x @ self.params["W"].T + self.params["b"]


class CopiesWeightsAtInit(FC):
    def __init__(self, sizes, rng):
        super().__init__(sizes, rng)
        self.W = self.params["W"].copy()

    def dx(self, upstream):
        return upstream @ self.W


class CopiesWeightsAtFirstBackward(FC):
    W = None

    def dx(self, upstream):
        if self.W is None:
            self.W = self.params["W"].copy()
        return upstream @ self.W


class AccumulatesOverCalls(FC):
    total = 0.0

    def dW(self, upstream):
        self.total = self.total + upstream.T @ self.x
        return self.total


class ReusesOutput(FC):
    y = None

    def forward(self, x):
        y = super().forward(x)
        if self.y is None or self.y.shape != y.shape or self.y.dtype != y.dtype:
            self.y = np.empty_like(y)
        self.y[...] = y
        return self.y


class ReusesGradient(FC):
    def __init__(self, sizes, rng):
        super().__init__(sizes, rng)
        self.gradient = np.empty_like(self.params["W"])

    def dW(self, upstream):
        return np.matmul(upstream.T, self.x, out=self.gradient)


class FlattensInput(FC):
    """CS231n's affine layer: an image is flattened on the way in, and its gradient folded on the way out."""

    def __init__(self, sizes, rng):
        super().__init__({"D": sizes["H"] * sizes["V"], "M": sizes["M"]}, rng)

    def forward(self, x):
        self.shape = x.shape
        return super().forward(x.reshape(len(x), -1))

    def dx(self, upstream):
        return super().dx(upstream).reshape(self.shape)


class SinglePrecisionInside(FC):
    """As CS231n students write it for speed: everything in float32, handed out as float64."""

    def forward(self, x):
        self.x = x.astype(np.float32)
        y = self.x @ self.params["W"].T.astype(np.float32) + self.params["b"].astype(np.float32)
        return y.astype(np.float64)

    def backward(self, upstream):
        upstream = upstream.astype(np.float32)
        dx = upstream @ self.params["W"].astype(np.float32)
        dW, db = self.dW(upstream), self.db(upstream)
        return dx.astype(np.float64), {"W": dW.astype(np.float64), "b": db.astype(np.float64)}


class SinglePrecisionForward(FC):
    def forward(self, x):
        self.x = x
        return super().forward(x).astype(np.float32).astype(np.float64)


class SinglePrecisionParameters(FC):
    def __init__(self, sizes, rng):
        super().__init__(sizes, rng)
        self.params = {name: value.astype(np.float32) for name, value in self.params.items()}

    def forward(self, x):
        return super().forward(np.asarray(x, np.float32))

    def backward(self, upstream):
        return super().backward(np.asarray(upstream, np.float32))


def offset(array, index, error):
    array[index] += error
    return array


def turned_to_fit(array, shape):
    return array if array.shape == shape else array.T


def zeros_like_filled(like, values):
    result = np.zeros_like(like)
    result[...] = values
    return result


fc = Family("fc", FC, {"x": "N D"}, {"N": 4, "D": 5, "M": 3})
image = Family("fc", FlattensInput, {"x": "N H V"}, {"N": 3, "H": 2, "V": 4, "M": 3})

BUGS = [
    fc.bug(
        "dW transposed, reshaped until it fits",
        "dW",
        "wrong-order",
        dW=lambda self, upstream: (self.x.T @ upstream).reshape(self.params["W"].shape),
    ),
    fc.bug(
        "dW has the shape of W.T",
        "dW",
        "transposed",
        dW=lambda self, upstream: self.x.T @ upstream,
    ),
    fc.bug(
        "dW transposed when W is square",
        "dW",
        "transposed",
        dW=lambda self, upstream: turned_to_fit(self.x.T @ upstream, self.params["W"].shape),
    ),
    fc.bug(
        "dx by W.T when W is square",
        "dx",
        "transposed",
        dx=lambda self, upstream: upstream @ turned_to_fit(self.params["W"].T, (upstream.shape[1], self.x.shape[1])),
    ),
    fc.bug("dW divided by N", "dW", "extra-1/N", dW=lambda self, upstream: upstream.T @ self.x / len(self.x)),
    fc.bug("dW doubled", "dW", "extra-factor-2", dW=lambda self, upstream: 2 * upstream.T @ self.x),
    fc.bug(
        "dW ignores the upstream", "dW", "upstream-ignored", dW=lambda self, upstream: np.ones_like(upstream).T @ self.x
    ),
    fc.bug(
        "dW includes weight decay",
        "dW",
        "weight-decay",
        dW=lambda self, upstream: upstream.T @ self.x + 0.1 * self.params["W"],
    ),
    fc.bug(
        "dW in float32",
        "dW",
        "single-precision",
        dW=lambda self, upstream: (upstream.T.astype(np.float32) @ self.x.astype(np.float32)).astype(float),
    ),
    fc.bug(
        "dW one entry off by 1e-4",
        "dW",
        "not-linear",
        "nonzero-at-zero-upstream",
        "single-entry",
        dW=lambda self, upstream: offset(upstream.T @ self.x, (-1, -1), 1e-4),
    ),
    fc.bug(
        "dW one entry of thirty thousand wrong",
        "dW",
        "single-entry",
        sizes={"N": 4, "D": 200, "M": 150},
        variants=(),
        dW=lambda self, upstream: offset(upstream.T @ self.x, (77, 13), 0.5 * upstream[0, 77]),
    ),
    fc.bug(
        "dW takes a shortcut for a batch of one, transposed",
        "dW",
        "wrong-order",
        dW=lambda self, upstream: (
            upstream.T @ self.x if len(self.x) > 1 else np.outer(self.x, upstream).reshape(self.params["W"].shape)
        ),
    ),
    fc.bug(
        "dW reads x in memory order",
        "dW",
        "memory-layout",
        dW=lambda self, upstream: upstream.T @ self.x.ravel(order="K").reshape(self.x.shape),
    ),
    fc.bug(
        "dx reads the upstream in memory order",
        "dx",
        "memory-layout",
        dx=lambda self, upstream: upstream.ravel(order="K").reshape(upstream.shape) @ self.params["W"],
    ),
    fc.bug("dx has the wrong sign", "dx", "sign", dx=lambda self, upstream: -upstream @ self.params["W"]),
    fc.bug(
        "dx clipped to [-1, 1]",
        "dx",
        "gradient-clipped",
        dx=lambda self, upstream: np.clip(upstream @ self.params["W"], -1, 1),
    ),
    fc.bug(
        "dx squeezed: a batch of one loses its axis",
        "dx",
        "wrong-shape",
        dx=lambda self, upstream: (upstream @ self.params["W"]).squeeze(),
    ),
    fc.bug(
        "dx truncated to integers when x is",
        "dx",
        "integer-truncated",
        dx=lambda self, upstream: zeros_like_filled(self.x, upstream @ self.params["W"]),
    ),
    fc.bug(
        "dx has a constant added",
        "dx",
        "adds-constant",
        "nonzero-at-zero-upstream",
        dx=lambda self, upstream: upstream @ self.params["W"] + 1e-3,
    ),
    fc.bug(
        "dx handed out as float32",
        "dx",
        "dtype-narrowed",
        dx=lambda self, upstream: (upstream @ self.params["W"]).astype(np.float32),
    ),
    fc.bug("db averaged over the batch", "db", "extra-1/N", db=lambda self, upstream: upstream.mean(axis=0)),
    fc.bug("db of the first row only", "db", "only-first-row", db=lambda self, upstream: upstream[0].copy()),
    fc.bug(
        "db [1 x M] instead of [M]", "db", "wrong-shape", db=lambda self, upstream: upstream.sum(axis=0, keepdims=True)
    ),
    fc.bug("db summed over the features", "db", "wrong-shape", db=lambda self, upstream: upstream.sum(axis=1)),
    fc.bug(
        "db sums the wrong axis when N = M",
        "db",
        "summed-over-wrong-axis",
        "wrong-axis",
        db=lambda self, upstream: upstream.sum(axis=1 - upstream.shape.index(len(self.params["b"]))),
    ),
    fc.bug(
        "db is the total over all features",
        "db",
        "upstream-summed",
        "summed-over-wrong-axis",
        db=lambda self, upstream: np.full_like(self.params["b"], upstream.sum()),
    ),
    fc.bug("the first input is kept for ever", "dW", "stale-cache", make=KeepsFirstInput),
    fc.bug("weights copied at construction", "dx", "stale-parameters", make=CopiesWeightsAtInit),
    fc.bug(
        "weights copied at the first backward",
        "dx",
        "stale-parameters",
        make=CopiesWeightsAtFirstBackward,
    ),
    fc.bug("dW accumulates over calls", "dW", "accumulates", make=AccumulatesOverCalls),
    fc.bug("the output's buffer is reused", "y", "reused-buffer", make=ReusesOutput),
    fc.bug("the buffer of dW is reused", "dW", "reused-buffer", make=ReusesGradient),
    image.bug(
        "the gradient's image is folded along the wrong axis",
        "dx",
        "permuted",
        "wrong-order",
        dx=lambda self, upstream: FC.dx(self, upstream).reshape(self.shape, order="F"),
    ),
]

CORRECT = [
    fc.correct("plain"),
    fc.correct("large enough that not every entry can be tried", sizes={"N": 6, "D": 120, "M": 80}, variants=()),
    fc.correct("weights of 1e8", scale=1e8),
    fc.correct("weights of 1e-8", scale=1e-8),
    fc.correct("float32 inside", make=SinglePrecisionInside),
    fc.correct("forward rounds to float32", make=SinglePrecisionForward),
    fc.correct("float32 parameters", make=SinglePrecisionParameters),
    image.correct("flattens images, as in CS231n"),
]
