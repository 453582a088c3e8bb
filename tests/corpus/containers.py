"""Layers made of layers, layers used twice, and layers that only move entries."""

import numpy as np

from .case import Family, Stateless


class TwoLayers:
    """y = relu(x @ A.T) @ B.T, without biases: at x = 0 every ReLU is at its kink."""

    def __init__(self, sizes, rng):
        D, H, M = sizes["D"], sizes["H"], sizes["M"]
        self.params = {"A": rng.standard_normal((H, D)), "B": rng.standard_normal((M, H))}

    def forward(self, x):
        self.x = x
        self.before = x @ self.params["A"].T
        self.hidden = np.maximum(self.before, 0)
        return self.hidden @ self.params["B"].T

    def backward(self, upstream):
        dbefore = self.gate(upstream @ self.params["B"])
        return dbefore @ self.params["A"], {"A": dbefore.T @ self.x, "B": self.dB(upstream)}

    def gate(self, dhidden):
        return dhidden * (self.before > 0)

    def dB(self, upstream):
        return upstream.T @ self.hidden


class SwapsNames(TwoLayers):
    def backward(self, upstream):
        dx, grads = super().backward(upstream)
        if grads["A"].shape == grads["B"].shape:
            grads = {"A": grads["B"], "B": grads["A"]}
        return dx, grads


class ForgetsOne(TwoLayers):
    def backward(self, upstream):
        dx, grads = super().backward(upstream)
        return dx, {"B": grads["B"]}


class KeepsGradients(TwoLayers):
    """A dict of gradients that lives as long as the model, as `.grad` does in torch without zero_grad."""

    def __init__(self, sizes, rng):
        super().__init__(sizes, rng)
        self.grads = {name: np.zeros(value.shape) for name, value in self.params.items()}

    def backward(self, upstream):
        dx, grads = super().backward(upstream)
        for name, gradient in grads.items():
            self.grads[name] += gradient
        return dx, self.grads


class DropsCache(TwoLayers):
    """Frees its memory in backward, so that a second backward fails."""

    def backward(self, upstream):
        result = super().backward(upstream)
        del self.x, self.before, self.hidden
        return result


class UpdatesInBackward(TwoLayers):
    """A step of gradient descent, smuggled into backward."""

    def backward(self, upstream):
        dx, grads = super().backward(upstream)
        for name, gradient in grads.items():
            self.params[name] -= 0.1 * gradient
        return dx, grads


class Residual:
    """y = x + tanh(x @ W.T)."""

    def __init__(self, sizes, rng):
        self.params = {"W": rng.standard_normal((sizes["D"], sizes["D"]))}

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.params["W"].T)
        return x + self.h

    def backward(self, upstream):
        dz = upstream * (1 - self.h**2)
        return self.dx(upstream, dz), {"W": dz.T @ self.x}

    def dx(self, upstream, dz):
        return upstream + dz @ self.params["W"]


class Twice:
    """y = tanh(tanh(x @ W.T) @ W.T): one W, used twice, and so paid twice."""

    def __init__(self, sizes, rng):
        self.params = {"W": rng.standard_normal((sizes["D"], sizes["D"]))}

    def forward(self, x):
        W = self.params["W"]
        self.x = x
        self.h = np.tanh(x @ W.T)
        self.y = np.tanh(self.h @ W.T)
        return self.y

    def backward(self, upstream):
        W = self.params["W"]
        dz2 = upstream * (1 - self.y**2)
        dz1 = dz2 @ W * (1 - self.h**2)
        return dz1 @ W, {"W": self.dW(dz1, dz2)}

    def dW(self, dz1, dz2):
        return dz1.T @ self.x + dz2.T @ self.h


class Recurrent:
    """h[t] = tanh(x[t] + h[t-1] @ W.T) over T steps from h = 0; y is the last h."""

    def __init__(self, sizes, rng):
        self.params = {"W": 0.7 * rng.standard_normal((sizes["D"], sizes["D"]))}

    def forward(self, x):
        self.h = [np.zeros(x.shape[::2])]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] + self.h[-1] @ self.params["W"].T))
        return self.h[-1]

    def backward(self, upstream):
        dx, dW, dh = [], np.zeros(self.params["W"].shape), upstream
        for before, h in zip(self.h[-2::-1], self.h[:0:-1], strict=True):
            dz = dh * (1 - h**2)
            dx.append(dz)
            dW = dW + dz.T @ before
            dh = self.through_time(dz)
        return np.stack(self.in_order(dx), axis=1), {"W": dW}

    def through_time(self, dz):
        return dz @ self.params["W"]

    def in_order(self, dx):
        return dx[::-1]


class Flatten(Stateless):
    """[N x H x V] to [N x HV]: a view."""

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, upstream):
        return upstream.reshape(self.shape)


class Transpose(Stateless):
    """[N x H x V] to [H x V x N]: a view. A cycle of three is not its own inverse."""

    axes = (1, 2, 0)

    def forward(self, x):
        return x.transpose(self.axes)

    def backward(self, upstream):
        return upstream.transpose(np.argsort(self.axes))


class SplitHeads(Stateless):
    """[N x 6] to [2 x N x 3]: reshape, then swap axes."""

    def forward(self, x):
        return x.reshape(len(x), 2, 3).swapaxes(0, 1)

    def backward(self, upstream):
        return upstream.swapaxes(0, 1).reshape(-1, 6)


class Sum(Stateless):
    """The sum of each row; the gradient is a read-only array that repeats one column."""

    def forward(self, x):
        self.shape = x.shape
        y = x.sum(axis=1)
        y.setflags(write=False)
        return y

    def backward(self, upstream):
        return np.broadcast_to(upstream.copy()[:, None], self.shape)


class Total(Stateless):
    """A scalar output that is no loss."""

    def forward(self, x):
        self.x = x
        return (x * x).sum()

    def backward(self, upstream):
        return 2 * upstream * self.x


class CircularConvolution:
    """y = irfft(rfft(x) * rfft(k)): real in, real out, complex on the way."""

    def __init__(self, sizes, rng):
        self.params = {"k": rng.standard_normal(sizes["D"])}

    def forward(self, x):
        self.x, self.shape = np.fft.fft(x), x.shape
        return np.fft.ifft(self.x * np.fft.fft(self.params["k"])).real

    def backward(self, upstream):
        upstream = np.fft.fft(upstream)
        dx = np.fft.ifft(upstream * np.fft.fft(self.params["k"]).conj()).real
        return dx, {"k": np.fft.ifft(self.dk(upstream)).real.sum(axis=0)}

    def dk(self, upstream):
        return upstream * self.x.conj()


two_layers = Family("two layers", TwoLayers, {"x": "N D"}, {"N": 4, "D": 3, "H": 5, "M": 2})
residual = Family("residual", Residual, {"x": "N D"}, {"N": 4, "D": 3})
twice = Family("used twice", Twice, {"x": "N D"}, {"N": 4, "D": 3})
recurrent = Family("recurrent", Recurrent, {"x": "N T D"}, {"N": 3, "T": 4, "D": 2})
flatten = Family("flatten", Flatten, {"x": "N H V"}, {"N": 3, "H": 2, "V": 4})
transpose = Family("transpose", Transpose, {"x": "N H V"}, {"N": 3, "H": 2, "V": 4})
split_heads = Family("split heads", SplitHeads, {"x": "N 6"}, {"N": 4})
row_sum = Family("sum", Sum, {"x": "N D"}, {"N": 3, "D": 4})
fourier = Family("fourier", CircularConvolution, {"x": "N D"}, {"N": 3, "D": 5})

BUGS = [
    two_layers.bug("the ReLU's gate forgotten", "dA", "intermediate-forgotten", gate=lambda self, dhidden: dhidden),
    two_layers.bug(
        "the gate asks the gradient",
        "dA",
        "not-linear",
        "upstream-negative-dropped",
        gate=lambda self, dhidden: dhidden * (dhidden > 0),
    ),
    two_layers.bug(
        "dB of the hidden layer before its ReLU",
        "dB",
        "intermediate-forgotten",
        dB=lambda self, upstream: upstream.T @ self.before,
    ),
    two_layers.bug("dA and dB swapped when their shapes agree", "dA", "swapped", make=SwapsNames),
    two_layers.bug("dA missing", "dA", "missing-gradient", make=ForgetsOne),
    two_layers.bug("gradients accumulate over calls", "dA", "accumulates", make=KeepsGradients),
    two_layers.bug("a second backward fails", "dx", "repeatable", make=DropsCache),
    two_layers.bug("backward updates the parameters", "dA", "changes-parameters", make=UpdatesInBackward),
    residual.bug("the skip forgotten", "dx", "skip-forgotten", dx=lambda self, upstream, dz: dz @ self.params["W"]),
    residual.bug("only the skip", "dx", "equals-upstream", dx=lambda self, upstream, dz: upstream.copy()),
    twice.bug("only the second use counted", "dW", "overwritten-not-added", dW=lambda self, dz1, dz2: dz2.T @ self.h),
    twice.bug("only the first use counted", "dW", "overwritten-not-added", dW=lambda self, dz1, dz2: dz1.T @ self.x),
    twice.bug(
        "both uses with the second one's cache",
        "dW",
        "stale-cache",
        dW=lambda self, dz1, dz2: (dz1 + dz2).T @ self.h,
    ),
    recurrent.bug(
        "the gradient stops after one step",
        "dx",
        "leading-slices-missing",
        through_time=lambda self, dz: np.zeros(dz.shape),
    ),
    recurrent.bug("dx in reversed time", "dx", "flipped", in_order=lambda self, dx: dx),
    flatten.bug(
        "unflattened in Fortran order",
        "dx",
        "permuted",
        "wrong-order",
        backward=lambda self, upstream: upstream.reshape(self.shape, order="F"),
    ),
    flatten.bug(
        "flattened in memory order",
        "y",
        "memory-layout",
        forward=lambda self, x: Flatten.forward(self, x.ravel(order="K").reshape(x.shape)),
    ),
    flatten.bug(
        "unflattened in memory order",
        "dx",
        "memory-layout",
        backward=lambda self, upstream: upstream.ravel(order="K").reshape(self.shape),
    ),
    transpose.bug(
        "the same cycle again", "dx", "wrong-shape", backward=lambda self, upstream: upstream.transpose(self.axes)
    ),
    transpose.bug(
        "reshaped, not transposed",
        "dx",
        "wrong-order",
        backward=lambda self, upstream: upstream.reshape(-1, *upstream.shape[:2]),
    ),
    split_heads.bug(
        "the swap forgotten in backward",
        "dx",
        "permuted",
        "wrong-order",
        backward=lambda self, upstream: upstream.reshape(-1, 6),
    ),
    row_sum.bug(
        "the upstream lies along the wrong axis when N = D",
        "dx",
        "transposed",
        backward=lambda self, upstream: (
            np.ones(self.shape) * (upstream if len(upstream) == self.shape[1] else upstream[:, None])
        ),
    ),
    # complex inside: real differences cannot tell
    fourier.bug("a conjugate forgotten", "dk", dk=lambda self, upstream: upstream * self.x),
]

CORRECT = [
    two_layers.correct("no biases: at 0 every kink is hit"),
    residual.correct("plain"),
    twice.correct("shared weights"),
    recurrent.correct("through time"),
    flatten.correct("a view"),
    transpose.correct("a view"),
    split_heads.correct("reshape and swap"),
    row_sum.correct("read-only results"),
    Family("total", Total, {"x": "N D"}, {"N": 3, "D": 4}).correct("a scalar output"),
    fourier.correct("complex inside, real outside"),
]
