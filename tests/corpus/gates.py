"""Layers of several inputs: the gates of a computation graph, and what is built of them."""

import numpy as np

from .case import Family, Stateless
from .softmax import softmax_of


class Gate(Stateless):
    """y = f(a, b); `slopes` are dy/da and dy/db."""

    def forward(self, a, b):
        self.a, self.b = a, b
        self.y = self.f(a, b)
        return self.y

    def backward(self, upstream):
        da, db = self.slopes(self.a, self.b)
        return upstream * da, upstream * db


class Add(Gate):
    def f(self, a, b):
        return a + b

    def slopes(self, a, b):
        return 1.0, 1.0


class Subtract(Gate):
    def f(self, a, b):
        return a - b

    def slopes(self, a, b):
        return 1.0, -1.0


class Multiply(Gate):
    def f(self, a, b):
        return a * b

    def slopes(self, a, b):
        return b, a


class Divide(Gate):
    def f(self, a, b):
        return a / b

    def slopes(self, a, b):
        return 1 / b, -a / b**2


class Max(Gate):
    """A tie goes to a."""

    def f(self, a, b):
        return np.where(a >= b, a, b)

    def slopes(self, a, b):
        return a >= b, b > a


class Hypot(Gate):
    """y = sqrt(a^2 + b^2), with the subgradient 0 at the origin."""

    def f(self, a, b):
        return np.hypot(a, b)

    def slopes(self, a, b):
        y = np.where(self.y == 0, 1, self.y)
        return a / y, b / y


class LogAddExp(Gate):
    def f(self, a, b):
        return np.logaddexp(a, b)

    def slopes(self, a, b):
        return np.exp(a - self.y), np.exp(b - self.y)


class OnlyFirst(Gate):
    """y = a^2: b is read by nobody, and its gradient is zero."""

    def f(self, a, b):
        return a * a

    def slopes(self, a, b):
        return 2 * a, np.zeros(b.shape)


class EditsProductInPlace(Multiply):
    def backward(self, upstream):
        da = upstream * self.b
        self.a *= upstream
        return da, self.a.copy()


class MatMul(Gate):
    def f(self, a, b):
        return a @ b

    def backward(self, upstream):
        return self.da(upstream), self.db(upstream)

    def da(self, upstream):
        return upstream @ self.b.T

    def db(self, upstream):
        return self.a.T @ upstream


class AddRow(Gate):
    """y = a + b with b broadcast along the rows of a."""

    def f(self, a, b):
        return a + b

    def backward(self, upstream):
        return upstream.copy(), self.db(upstream)

    def db(self, upstream):
        return upstream.sum(axis=0)


class Concatenate(Gate):
    def f(self, a, b):
        return np.concatenate([a, b], axis=1)

    def backward(self, upstream):
        at = self.split()
        return upstream[:, :at].copy(), upstream[:, at:].copy()

    def split(self):
        return self.a.shape[1]


class Choose(Gate):
    """y = a where the mask says so, b elsewhere."""

    def forward(self, a, b, mask):
        self.mask = mask
        return np.where(mask, a, b)

    def backward(self, upstream):
        return np.where(self.mask, upstream, 0), np.where(self.mask, 0, upstream)


class Blend(Stateless):
    """y = t * a + (1 - t) * b: three inputs."""

    def forward(self, a, b, t):
        self.a, self.b, self.t = a, b, t
        return t * a + (1 - t) * b

    def backward(self, upstream):
        return upstream * self.t, upstream * (1 - self.t), self.dt(upstream)

    def dt(self, upstream):
        return upstream * (self.a - self.b)


class Attention(Stateless):
    """y = softmax(q k^T / sqrt(D)) v."""

    def forward(self, q, k, v):
        self.q, self.k, self.v = q, k, v
        self.p = softmax_of(q @ k.T / self.scale())
        return self.p @ v

    def scale(self):
        return np.sqrt(self.q.shape[1])

    def backward(self, upstream):
        dp = upstream @ self.v.T
        dscores = self.p * (dp - (dp * self.p).sum(axis=1, keepdims=True)) / self.scale()
        return self.dq(dscores), self.dk(dscores), self.p.T @ upstream

    def dq(self, dscores):
        return dscores @ self.k

    def dk(self, dscores):
        return dscores.T @ self.q


class Embedding:
    """y = x + W[tokens]: a token may occur twice, and then its row is paid twice."""

    def __init__(self, sizes, rng):
        self.params = {"W": rng.standard_normal((sizes["V"], sizes["D"]))}

    def forward(self, x, tokens):
        self.tokens = tokens
        return x + self.params["W"][tokens]

    def backward(self, upstream):
        dW = np.zeros(self.params["W"].shape)
        self.add(dW, upstream)
        return upstream.copy(), {"W": dW}

    def add(self, dW, upstream):
        np.add.at(dW, self.tokens, upstream)


def add_at_once(self, dW, upstream):
    dW[self.tokens] += upstream


def tokens(sizes, rng):
    return (rng.integers(0, sizes["V"], sizes["N"]),)


def mask(sizes, rng):
    return (rng.random((sizes["N"], sizes["D"])) < 0.5,)


def whole(*names):
    """Small whole numbers, in which ties between the inputs and exact zeros are common."""
    return lambda sizes, rng: tuple(rng.integers(-1, 2, (sizes["N"], sizes["D"])).astype(float) for _ in names)


def gate(name, layer, **common):
    return Family(name, layer, {"a": "N D", "b": "N D"}, {"N": 3, "D": 4}, **common)


add = gate("add", Add)
subtract = gate("subtract", Subtract)
multiply = gate("multiply", Multiply)
divide = gate("divide", Divide, domain={"b": (0.1, np.inf)})
maximum = gate("max", Max, point=whole("a", "b"))
hypot = gate("hypot", Hypot)
logaddexp = gate("logaddexp", LogAddExp)
choose = gate("choose", Choose, extra=mask)
add_row = Family("add row", AddRow, {"a": "N D", "b": "D"}, {"N": 3, "D": 4})
matmul = Family("matmul", MatMul, {"a": "N D", "b": "D M"}, {"N": 3, "D": 4, "M": 5})
concatenate = Family("concatenate", Concatenate, {"a": "N D", "b": "N E"}, {"N": 3, "D": 3, "E": 3})
blend = Family("blend", Blend, {"a": "N D", "b": "N D", "t": "N D"}, {"N": 3, "D": 4})
attention = Family("attention", Attention, {"q": "N D", "k": "M D", "v": "M E"}, {"N": 3, "M": 4, "D": 2, "E": 5})
embedding = Family("embedding", Embedding, {"x": "N D"}, {"N": 6, "D": 3, "V": 4}, extra=tokens)

BUGS = [
    add.bug(
        "both gradients are the upstream itself",
        "da",
        "aliases-upstream",
        "aliases-gradient",
        backward=lambda self, upstream: (upstream, upstream),
    ),
    add.bug(
        "both gradients are one array",
        "da",
        "aliases-gradient",
        backward=lambda self, upstream: (upstream.copy(),) * 2,
    ),
    subtract.bug("db lacks its sign", "db", "sign", slopes=lambda self, a, b: (1.0, 1.0)),
    multiply.bug("gradients swapped", "da", "swapped", slopes=lambda self, a, b: (a, b)),
    multiply.bug(
        "the kept input is overwritten in backward",
        "da",
        "changes-input",
        make=EditsProductInPlace,
    ),
    divide.bug("db lacks its square", "db", "extra-factor", slopes=lambda self, a, b: (1 / b, -a / b)),
    divide.bug("db lacks its sign", "db", "sign", slopes=lambda self, a, b: (1 / b, a / b**2)),
    maximum.bug("a tie is paid twice", "da", "tie", slopes=lambda self, a, b: (a >= b, b >= a)),
    maximum.bug("a tie is paid to nobody", "da", "tie", slopes=lambda self, a, b: (a > b, b > a)),
    maximum.bug("the smaller one is paid", "da", "swapped", slopes=lambda self, a, b: (a < b, a >= b)),
    hypot.bug("NaN at the origin", "da", "nan", slopes=lambda self, a, b: (a / self.y, b / self.y)),
    hypot.bug(
        "2 at the origin, where no subgradient exceeds 1",
        "da",
        "wrong-at-zero",
        slopes=lambda self, a, b: tuple(np.where(self.y == 0, 2, s) for s in Hypot.slopes(self, a, b)),
    ),
    logaddexp.bug("inf at 1e3: log(e^a + e^b)", "y", "overflow", f=lambda self, a, b: np.log(np.exp(a) + np.exp(b))),
    choose.bug(
        "the mask forgotten",
        "da",
        "equals-upstream",
        backward=lambda self, upstream: (upstream.copy(), upstream.copy()),
    ),
    choose.bug(
        "the mask inverted",
        "da",
        "swapped",
        backward=lambda self, upstream: (np.where(self.mask, 0, upstream), np.where(self.mask, upstream, 0)),
    ),
    add_row.bug("db not summed over the rows", "db", "wrong-shape", db=lambda self, upstream: upstream.copy()),
    matmul.bug(
        "da by b where b.T belongs, when b is square",
        "da",
        "transposed",
        da=lambda self, upstream: upstream @ (self.b if self.b.shape[0] == self.b.shape[1] else self.b.T),
    ),
    concatenate.bug(
        "split in equal halves", "da", "wrong-shape", split=lambda self: (self.a.shape[1] + self.b.shape[1]) // 2
    ),
    blend.bug("dt lacks b", "dt", "wrong-derivative", dt=lambda self, upstream: upstream * self.a),
    attention.bug(
        "the scale forgotten for k",
        "dk",
        "missing-1/sqrt(D)",
        dk=lambda self, dscores: dscores.T @ self.q * self.scale(),
    ),
    attention.bug(
        "dk untransposed when N = M",
        "dk",
        "transposed",
        dk=lambda self, dscores: (dscores if len(self.q) == len(self.k) else dscores.T) @ self.q,
    ),
    embedding.bug(
        "repeated tokens are paid once: dW[tokens] += upstream", "dW", "overwritten-not-added", add=add_at_once
    ),
]

CORRECT = [
    multiply.correct("plain"),
    divide.correct("a divisor away from 0"),
    maximum.correct("ties to a"),
    maximum.correct("ties in halves", slopes=lambda self, a, b: (np.heaviside(a - b, 0.5), np.heaviside(b - a, 0.5))),
    hypot.correct("0 at the origin", point=whole("a", "b")),
    gate("only a", OnlyFirst).correct("b is not read"),
    choose.correct("a mask as an extra argument"),
    add_row.correct("a broadcast input"),
    concatenate.correct("unequal parts", sizes={"N": 3, "D": 2, "E": 5}),
    blend.correct("three inputs"),
    attention.correct("three inputs"),
    embedding.correct("repeated tokens"),
]
