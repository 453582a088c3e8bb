"""Softmax and its relatives, over the last axis."""

import numpy as np

from .case import Family, Stateless


def softmax_of(x):
    z = np.exp(x - x.max(axis=-1, keepdims=True))
    return z / z.sum(axis=-1, keepdims=True)


class Softmax(Stateless):
    """y = e^x / sum(e^x); dx = y * (upstream - sum(upstream * y))."""

    temperature = 1.0

    def forward(self, x):
        self.y = self.softmax(x / self.temperature)
        return self.y

    def softmax(self, x):
        return softmax_of(x)

    def backward(self, upstream):
        return self.y * (upstream - (upstream * self.y).sum(axis=-1, keepdims=True)) / self.temperature


class LogSoftmax(Stateless):
    def forward(self, x):
        self.y = self.log_softmax(x)
        return self.y

    def log_softmax(self, x):
        x = x - x.max(axis=-1, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))

    def backward(self, upstream):
        return upstream - np.exp(self.y) * upstream.sum(axis=-1, keepdims=True)


class LogSumExp(Stateless):
    def forward(self, x):
        top = x.max(axis=-1)
        self.p = softmax_of(x)
        return top + np.log(np.exp(x - top[:, None]).sum(axis=-1))

    def backward(self, upstream):
        return upstream[:, None] * self.p


def by_jacobian(self, upstream):
    """The same gradient by the full Jacobian of every row, as the textbook draws it."""
    jacobian = self.y[:, :, None] * (np.eye(self.y.shape[1]) - self.y[:, None, :])
    return np.einsum("nc,ncd->nd", upstream, jacobian)


def ties(sizes, rng):
    return (rng.integers(0, 2, (sizes["N"], sizes["C"])).astype(float),)


softmax = Family("softmax", Softmax, {"x": "N C"}, {"N": 3, "C": 5})
log_softmax = Family("log-softmax", LogSoftmax, {"x": "N C"}, {"N": 3, "C": 5})
logsumexp = Family("logsumexp", LogSumExp, {"x": "N C"}, {"N": 3, "C": 5})

BUGS = [
    softmax.bug(
        "the Jacobian's diagonal only",
        "dx",
        "diagonal-only",
        backward=lambda self, upstream: upstream * self.y * (1 - self.y),
    ),
    softmax.bug(
        "the sum runs over the batch",
        "dx",
        "wrong-axis",
        backward=lambda self, upstream: self.y * (upstream - (upstream * self.y).sum(axis=0)),
    ),
    softmax.bug(
        "the sum runs over the batch when N = C",
        "dx",
        "wrong-axis",
        backward=lambda self, upstream: (
            self.y * (upstream - (upstream * self.y).sum(axis=upstream.shape.index(upstream.shape[-1]), keepdims=True))
        ),
    ),
    softmax.bug(
        "the sum lacks y",
        "dx",
        "missing-weight-y",
        backward=lambda self, upstream: self.y * (upstream - upstream.sum(axis=-1, keepdims=True)),
    ),
    softmax.bug(
        "every row uses the first row's y",
        "dx",
        "one-row-right",
        backward=lambda self, upstream: self.y[0] * (upstream - (upstream @ self.y[0])[:, None]),
    ),
    softmax.bug(
        "the temperature forgotten",
        "dx",
        "extra-factor-temperature",
        temperature=0.5,
        backward=lambda self, upstream: self.y * (upstream - (upstream * self.y).sum(axis=-1, keepdims=True)),
    ),
    softmax.bug(
        "NaN at 1e3: the maximum is not subtracted",
        "y",
        "overflow",
        softmax=lambda self, x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
    ),
    softmax.bug(
        "0 / 0 at 1e3: one maximum for all rows",
        "y",
        "overflow",
        softmax=lambda self, x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(axis=-1, keepdims=True),
    ),
    log_softmax.bug(
        "the sum of the upstream taken for 1",
        "dx",
        "missing-sum",
        backward=lambda self, upstream: upstream - np.exp(self.y),
    ),
    log_softmax.bug(
        "the upstream summed over the batch",
        "dx",
        "wrong-axis",
        backward=lambda self, upstream: upstream - np.exp(self.y) * upstream.sum(axis=0),
    ),
    log_softmax.bug(
        "-inf at 1e3: the log of a softmax",
        "y",
        "overflow",
        log_softmax=lambda self, x: np.log(softmax_of(x)),
    ),
    logsumexp.bug("the upstream ignored", "dx", "upstream-ignored", backward=lambda self, upstream: self.p.copy()),
]

CORRECT = [
    softmax.correct("ties and constant rows", point=ties),
    softmax.correct("by its full Jacobian", backward=by_jacobian),
    softmax.correct("sharp: a temperature of 0.01", temperature=0.01),
    log_softmax.correct("plain"),
    logsumexp.correct("a vector from a matrix"),
]
