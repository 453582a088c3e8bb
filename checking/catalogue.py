"""The wrong formulas that people really write, layer by layer; the layer is recognised by what its forward does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from handgrad.checking.subject import Point, Subject
from handgrad.params import Array


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


FUNCTIONS: list[tuple[str, Callable[[Array], Array]]] = [
    ("z", lambda z: z),
    ("(1 - z)", lambda z: 1 - z),
    ("z * (1 - z)", lambda z: z * (1 - z)),
    ("(1 - z**2)", lambda z: 1 - z**2),
    ("(1 + z**2)", lambda z: 1 + z**2),
    ("(1 + z)", lambda z: 1 + z),
    ("z**2", lambda z: z**2),
    ("exp(z)", np.exp),
    ("exp(-z)", lambda z: np.exp(-z)),
    ("(z > 0)", lambda z: (z > 0).astype(float)),
    ("(z < 0)", lambda z: (z < 0).astype(float)),
    ("|z|", np.abs),
    ("max(0, z)", lambda z: np.maximum(z, 0)),
    ("min(0, z)", lambda z: np.minimum(z, 0)),
    ("sign(z)", np.sign),
    ("sigmoid(z)", sigmoid),
    ("(1 - sigmoid(z))", lambda z: 1 - sigmoid(z)),
    ("sigmoid(z) * (1 - sigmoid(z))", lambda z: sigmoid(z) * (1 - sigmoid(z))),
    ("tanh(z)", np.tanh),
    ("(1 - tanh(z)**2)", lambda z: 1 - np.tanh(z) ** 2),
    ("(1 - tanh(z))", lambda z: 1 - np.tanh(z)),
    ("z * (1 + z)", lambda z: z * (1 + z)),
    ("2 * z", lambda z: 2 * z),
    ("2 * z**2", lambda z: 2 * z**2),
    ("z**3", lambda z: z**3),
    ("cos(z)", np.cos),
    ("sin(z)", np.sin),
    ("log(z)", np.log),
    ("1 / (1 + z**2)", lambda z: 1 / (1 + z**2)),
    ("sqrt(z)", np.sqrt),
]
"""Simple functions of one number, as (text with z, function)."""


@dataclass(frozen=True)
class Seen:
    """A layer at a point, with its outputs and upstream gradients."""

    subject: Subject
    point: Point
    outputs: Sequence[Array]
    upstream: Sequence[Array]

    @property
    def x(self) -> Array:
        return self.point[self.subject.inputs[0]]

    @property
    def y(self) -> Array:
        return np.asarray(self.outputs[0], np.float64)

    @property
    def u(self) -> Array:
        return np.asarray(self.upstream[0])

    @property
    def labels(self) -> Array:
        return np.asarray(self.subject.extra[0])

    @property
    def rows(self) -> int:
        return len(self.x)

    @property
    def p(self) -> Array:
        """The softmax of the scores."""
        e = np.exp(self.x - self.x.max(axis=-1, keepdims=True))
        return np.asarray(e / e.sum(axis=-1, keepdims=True))

    @property
    def onehot(self) -> Array:
        return np.eye(self.x.shape[-1])[self.labels]


@dataclass(frozen=True)
class Mistake:
    cause: str
    message: str
    gradient: Callable[[Seen], Array | None]


def _same(a: Array | None, b: Array) -> bool:
    if a is None or np.shape(a) != b.shape:
        return False
    return bool(np.allclose(np.asarray(a), b, rtol=1e-6, atol=1e-9))


def _affine(seen: Seen) -> Array | None:
    W, b = seen.point.get("W"), seen.point.get("b")
    if W is None or seen.x.ndim != 2:
        return None
    for weights in (W.T, W):
        if weights.ndim == 2 and weights.shape[0] == seen.x.shape[1]:
            y = seen.x @ weights
            if b is not None and b.size in (1, y.shape[1]):
                y = y + b.ravel()
            if _same(y, seen.y):
                return y
    return None


def _axes(x: Array) -> list[tuple[int, ...]]:
    axes: list[tuple[int, ...]] = [(0,), (x.ndim - 1,)]
    if x.ndim == 4:
        axes += [(0, 2, 3), (1, 2, 3), (2, 3)]
    elif x.ndim == 3:
        axes += [(0, 1), (1, 2)]
    return axes


@dataclass(frozen=True)
class Normal:
    """x normalised over `axes`: xhat = (x - mean) / sqrt(var + eps)."""

    axes: tuple[int, ...]
    eps: float
    seen: Seen

    @property
    def other_axes(self) -> tuple[int, ...]:
        return tuple(i for i in range(self.seen.x.ndim) if i not in self.axes) or self.axes

    @property
    def count(self) -> int:
        """How many numbers each mean is of."""
        return int(np.prod([self.seen.x.shape[axis] for axis in self.axes]))

    @property
    def other_count(self) -> int:
        return int(np.prod([self.seen.x.shape[axis] for axis in self.other_axes]))

    @property
    def centred(self) -> Array:
        return self.seen.x - self.mean(self.seen.x)

    @property
    def variance(self) -> Array:
        return self.mean(self.centred**2)

    @property
    def inverse(self) -> Array:
        return 1 / np.sqrt(self.variance + self.eps)

    @property
    def xhat(self) -> Array:
        return self.centred * self.inverse

    def mean(self, a: Array) -> Array:
        return np.asarray(a.mean(axis=self.axes, keepdims=True))

    @property
    def gamma(self) -> Array:
        scale = _parameter(self.seen, "gamma", "g", "scale", "weight")
        if scale is None:
            return np.ones(())
        return _spread(scale, self.seen.x)

    @property
    def inner(self) -> Array:
        return self.seen.u * self.gamma


def _parameter(seen: Seen, *names: str) -> Array | None:
    return next((seen.point[name] for name in names if name in seen.subject.params), None)


def _spread(parameter: Array, x: Array) -> Array:
    """A vector of one entry per channel, along the axis of x that it belongs to."""
    if parameter.ndim == 1 and x.ndim == 4 and parameter.size == x.shape[1]:
        return parameter[None, :, None, None]
    return parameter


def normal(seen: Seen) -> Normal | None:
    """How forward normalises its input; None when it does not."""
    if seen.y.shape != seen.x.shape or seen.x.ndim < 2:
        return None
    gamma, beta = _parameter(seen, "gamma", "g", "scale", "weight"), _parameter(seen, "beta", "b", "shift", "bias")
    try:
        bare = seen.y - (0 if beta is None else _spread(beta, seen.x))
        bare = bare / (1 if gamma is None else _spread(gamma, seen.x))
    except ValueError:
        return None
    if bare.shape != seen.x.shape:
        return None
    for axes in _axes(seen.x):
        centred = seen.x - seen.x.mean(axis=axes, keepdims=True)
        variance = (centred**2).mean(axis=axes, keepdims=True)
        if not (np.abs(centred) > 1e-9).any():
            continue
        usable = np.abs(bare) > 1e-6
        if not usable.any():
            continue
        with np.errstate(all="ignore"):
            eps = float(np.median(((centred / bare) ** 2 - variance)[usable]))
        if abs(eps) < 1e-9:
            eps = 0.0
        if eps > -1e-6 and np.allclose(centred / np.sqrt(variance + eps), bare, rtol=1e-5, atol=1e-8):
            own = [v for v in vars(seen.subject.layer).values() if isinstance(v, float)]
            eps = min(own, key=lambda v: abs(v - eps)) if own and min(abs(v - eps) for v in own) < 1e-6 else eps
            return Normal(axes, eps, seen)
    return None


def _normalised(formula: Callable[[Normal], Array]) -> Callable[[Seen], Array | None]:
    def gradient(seen: Seen) -> Array | None:
        found = normal(seen)
        return None if found is None else formula(found)

    return gradient


def _over_batch(n: Normal, array: Array, parameter: str) -> Array | None:
    shape = n.seen.point[parameter].shape
    spread = _spread(n.seen.point[parameter], n.seen.x)
    full = (1,) * (n.seen.x.ndim - spread.ndim) + spread.shape
    axes = tuple(i for i, size in enumerate(full) if size == 1 and n.seen.x.shape[i] != 1)
    return np.asarray(array.sum(axis=axes)).reshape(shape)


NORMALISATION: list[Mistake] = [
    Mistake(
        "statistics-as-constants",
        "{d} treats mean and variance as constants: it is upstream * gamma / std only. Both depend on x, the mean path "
        "and the variance path are missing.",
        _normalised(lambda n: n.inner * n.inverse),
    ),
    Mistake(
        "variance-path-forgotten",
        "{d} lacks the path through the variance: the term - xhat * mean(upstream * gamma * xhat) is missing.",
        _normalised(lambda n: n.inverse * (n.inner - n.mean(n.inner))),
    ),
    Mistake(
        "mean-path-forgotten",
        "{d} lacks the path through the mean: the term - mean(upstream * gamma) is missing.",
        _normalised(lambda n: n.inverse * (n.inner - n.xhat * n.mean(n.inner * n.xhat))),
    ),
    Mistake(
        "gamma-forgotten",
        "{d} lacks the factor gamma: right is dxhat = upstream * gamma.",
        _normalised(lambda n: n.inverse * (n.seen.u - n.mean(n.seen.u) - n.xhat * n.mean(n.seen.u * n.xhat))),
    ),
    Mistake(
        "eps-omitted",
        "{d} omits eps: it divides by sqrt(var) where forward divides by sqrt(var + eps).",
        _normalised(
            lambda n: (
                (
                    n.inner
                    - n.mean(n.inner)
                    - n.centred / np.sqrt(n.variance) * n.mean(n.inner * n.centred) / np.sqrt(n.variance)
                )
                / np.sqrt(n.variance)
            )
        ),
    ),
    Mistake(
        "eps-omitted",
        "{d} omits eps in one place: it divides by sqrt(var) where forward divides by sqrt(var + eps).",
        _normalised(lambda n: (n.inner - n.mean(n.inner) - n.xhat * n.mean(n.inner * n.xhat)) / np.sqrt(n.variance)),
    ),
    Mistake(
        "variance-path-sign",
        "{d} has the wrong sign in the path through the variance.",
        _normalised(lambda n: n.inverse * (n.inner - n.mean(n.inner) + n.xhat * n.mean(n.inner * n.xhat))),
    ),
    Mistake(
        "mean-path-sign",
        "{d} has the wrong sign in the path through the mean.",
        _normalised(lambda n: n.inverse * (n.inner + n.mean(n.inner) - n.xhat * n.mean(n.inner * n.xhat))),
    ),
    Mistake(
        "missing-1/N",
        "{d} lacks the 1/N in the path through the variance (a sum where a mean belongs).",
        _normalised(
            lambda n: (
                n.inverse * (n.inner - n.mean(n.inner) - n.xhat * (n.inner * n.xhat).sum(axis=n.axes, keepdims=True))
            )
        ),
    ),
    Mistake(
        "missing-1/N",
        "{d} lacks the 1/N in the path through the mean (a sum where a mean belongs).",
        _normalised(
            lambda n: (
                n.inverse * (n.inner - n.inner.sum(axis=n.axes, keepdims=True) - n.xhat * n.mean(n.inner * n.xhat))
            )
        ),
    ),
    Mistake(
        "xhat-for-x",
        "{d} uses the centred x where the normalised xhat belongs in the path through the variance.",
        _normalised(lambda n: n.inverse * (n.inner - n.mean(n.inner) - n.centred * n.mean(n.inner * n.centred))),
    ),
    Mistake(
        "gamma-misplaced",
        "{d} multiplies by gamma after the means are taken; gamma belongs inside them: dxhat = upstream * gamma first.",
        _normalised(lambda n: n.gamma * n.inverse * (n.seen.u - n.mean(n.seen.u) - n.xhat * n.mean(n.seen.u * n.xhat))),
    ),
    Mistake(
        "wrong-axis",
        "{d} takes its means over the wrong axis: over the batch where forward normalises rows, or the other way "
        "round.",
        _normalised(lambda n: _with_means_over(n, n.other_axes)),
    ),
    Mistake(
        "wrong-count",
        "{d} divides the sums of its means by the wrong number: by the size of the batch where the number of features "
        "belongs, or the other way round (1/N for 1/D).",
        _normalised(lambda n: _with_means_of(n, n.other_count / n.count)),
    ),
    Mistake(
        "mean-path-forgotten",
        "{d} lacks the mean path and gamma.",
        _normalised(lambda n: n.inverse * (n.seen.u - n.xhat * n.mean(n.seen.u * n.xhat))),
    ),
    Mistake(
        "std-for-variance",
        "{d} has the wrong power of the standard deviation in the path through the variance.",
        _normalised(lambda n: n.inverse * (n.inner - n.mean(n.inner)) - n.xhat * n.mean(n.inner * n.xhat)),
    ),
]


def _with_means_over(n: Normal, axes: tuple[int, ...]) -> Array:
    def mean(a: Array) -> Array:
        return np.asarray(a.mean(axis=axes, keepdims=True))

    return np.asarray(n.inverse * (n.inner - mean(n.inner) - n.xhat * mean(n.inner * n.xhat)))


def _with_means_of(n: Normal, factor: float) -> Array:
    return np.asarray(n.inverse * (n.inner - (n.mean(n.inner) + n.xhat * n.mean(n.inner * n.xhat)) / factor))


def _norm(s: Seen, reduce: Callable[..., Array]) -> Array:
    return np.asarray(np.sqrt(reduce(s.x**2, axis=-1, keepdims=True)))


def _unit_rows(reduce: Callable[..., Array], word: str) -> list[Mistake]:
    """Rows divided by their norm (a sum of squares) or by their root mean square."""
    inner = _parameter_times_upstream
    return [
        Mistake(
            "norm-path-forgotten",
            "{d} treats the norm as a constant: it is upstream / norm only, the path through the norm is missing.",
            lambda s: inner(s) / _scale(s),
        ),
        Mistake(
            "input-for-output",
            f"{{d}} uses the input x where the output y belongs: right is (upstream - y * {word}(upstream * y)) / "
            "norm.",
            lambda s: (inner(s) - s.x * reduce(inner(s) * s.x, axis=-1, keepdims=True)) / _scale(s),
        ),
        Mistake(
            "missing-1/D" if word == "mean" else "extra-1/D",
            f"{{d}} has a {'sum' if word == 'mean' else 'mean'} where a {word} belongs, in the path through the norm.",
            lambda s: (
                (
                    inner(s)
                    - _bare(s) * (np.sum if word == "mean" else np.mean)(inner(s) * _bare(s), axis=-1, keepdims=True)
                )
                / _scale(s)
            ),
        ),
        Mistake(
            "missing-1/norm",
            "{d} is not divided by the norm.",
            lambda s: inner(s) - _bare(s) * reduce(inner(s) * _bare(s), axis=-1, keepdims=True),
        ),
        Mistake(
            "norm-path-sign",
            "{d} has the wrong sign in the path through the norm.",
            lambda s: (inner(s) + _bare(s) * reduce(inner(s) * _bare(s), axis=-1, keepdims=True)) / _scale(s),
        ),
    ]


def _bare(s: Seen) -> Array:
    scale = _parameter(s, "gamma", "g", "scale", "weight")
    return s.y if scale is None else np.asarray(s.y / scale)


def _parameter_times_upstream(s: Seen) -> Array:
    scale = _parameter(s, "gamma", "g", "scale", "weight")
    return s.u if scale is None else np.asarray(s.u * scale)


def _scale(s: Seen) -> Array:
    """What forward divides each row by, its epsilon and all."""
    bare = _bare(s)
    largest = np.abs(bare).argmax(axis=-1)[..., None]
    return np.asarray(np.take_along_axis(s.x, largest, -1) / np.take_along_axis(bare, largest, -1))


def _divides_rows(s: Seen, reduce: Callable[..., Array]) -> bool:
    if s.x.shape != s.y.shape or s.x.ndim < 1:
        return False
    bare = _bare(s)
    if bare.shape != s.x.shape:
        return False
    return bool(np.allclose(bare, s.x / _norm(s, reduce), rtol=1e-3, atol=1e-9))


LOG_SOFTMAX: list[Mistake] = [
    Mistake(
        "cross-terms-forgotten",
        "{d} is exactly upstream * (1 - p): only the diagonal of log-softmax's Jacobian.",
        lambda s: s.u * (1 - s.p),
    ),
    Mistake("missing-sum", "{d} is upstream - p: the row's sum(upstream) before p is missing.", lambda s: s.u - s.p),
    Mistake(
        "missing-sum",
        "{d} is upstream * (1 - p) summed wrongly: p must be multiplied by the row's sum(upstream), not by upstream.",
        lambda s: s.u - s.u * s.p,
    ),
    Mistake(
        "wrong-axis",
        "{d} sums the upstream gradient over the batch (axis 0) where it must sum over the row (axis -1).",
        lambda s: s.u - s.p * s.u.sum(axis=0, keepdims=True),
    ),
    Mistake(
        "summed-over-batch",
        "{d} sums the upstream gradient over everything where each row has a sum of its own (axis -1).",
        lambda s: s.u - s.p * s.u.sum(),
    ),
    Mistake(
        "mean-for-sum",
        "{d} takes the mean of the upstream gradient where the row's sum belongs.",
        lambda s: s.u - s.p * s.u.mean(axis=-1, keepdims=True),
    ),
    Mistake(
        "output-for-p",
        "{d} uses the output y = log p where p = exp(y) belongs.",
        lambda s: s.u - s.y * s.u.sum(axis=-1, keepdims=True),
    ),
    Mistake(
        "softmax-derivative",
        "{d} is softmax's derivative, p * (upstream - sum(upstream * p)), but forward is its logarithm.",
        lambda s: s.p * (s.u - (s.u * s.p).sum(axis=-1, keepdims=True)),
    ),
]

SOFTMAX: list[Mistake] = [
    Mistake(
        "diagonal-only",
        "{d} is exactly upstream * y * (1 - y): only the diagonal of softmax's Jacobian. Each y depends on all x of "
        "its row: dx = y * (upstream - sum(upstream * y)).",
        lambda s: s.u * s.y * (1 - s.y),
    ),
    Mistake(
        "cross-terms-forgotten",
        "{d} is exactly upstream * y: the row's sum(upstream * y) is not subtracted, the cross terms are missing.",
        lambda s: s.u * s.y,
    ),
    Mistake(
        "missing-factor-y",
        "{d} is upstream - sum(upstream * y): the factor y before the bracket is missing.",
        lambda s: s.u - (s.u * s.y).sum(axis=-1, keepdims=True),
    ),
    Mistake(
        "missing-weight-y",
        "{d} subtracts sum(upstream) where sum(upstream * y) belongs.",
        lambda s: s.y * (s.u - s.u.sum(axis=-1, keepdims=True)),
    ),
    Mistake(
        "wrong-axis",
        "{d} sums over the batch (axis 0) where it must sum over the row's entries (axis -1).",
        lambda s: s.y * (s.u - (s.u * s.y).sum(axis=0, keepdims=True)),
    ),
    Mistake(
        "summed-over-batch",
        "{d} sums upstream * y over the whole batch: each row has a sum of its own (axis=-1, keepdims=True).",
        lambda s: s.y * (s.u - (s.u * s.y).sum()),
    ),
    Mistake(
        "sum-sign",
        "{d} adds the row's sum(upstream * y) where it must be subtracted.",
        lambda s: s.y * (s.u + (s.u * s.y).sum(axis=-1, keepdims=True)),
    ),
    Mistake(
        "mean-for-sum",
        "{d} subtracts the mean of upstream * y where the sum belongs.",
        lambda s: s.y * (s.u - (s.u * s.y).mean(axis=-1, keepdims=True)),
    ),
]

SOFTMAX_CE: list[Mistake] = [
    Mistake(
        "missing-one-hot",
        "{d} is p / N: the one-hot labels are not subtracted. Right is (p - onehot(labels)) / N.",
        lambda s: s.u * s.p / s.rows,
    ),
    Mistake(
        "missing-one-hot",
        "{d} is p: the one-hot labels are not subtracted, nor divided by N. Right is (p - onehot(labels)) / N.",
        lambda s: s.u * s.p,
    ),
    Mistake(
        "one-hot-sign",
        "{d} is (p + onehot(labels)) / N: the one-hot labels must be subtracted.",
        lambda s: s.u * (s.p + s.onehot) / s.rows,
    ),
    Mistake(
        "missing-softmax",
        "{d} has the raw scores in it where the softmax p belongs: (scores - onehot(labels)) / N.",
        lambda s: s.u * (s.x - s.onehot) / s.rows,
    ),
    Mistake(
        "label-off-by-one",
        "{d} subtracts 1 at the class after the label: the labels are off by one.",
        lambda s: s.u * (s.p - np.roll(s.onehot, 1, axis=-1)) / s.rows,
    ),
    Mistake(
        "label-off-by-one",
        "{d} subtracts 1 at the class before the label: the labels are off by one.",
        lambda s: s.u * (s.p - np.roll(s.onehot, -1, axis=-1)) / s.rows,
    ),
    Mistake(
        "only-label-column",
        "{d} is filled at the label's column only: the other classes get p / N.",
        lambda s: s.u * s.onehot * (s.p - 1) / s.rows,
    ),
    Mistake(
        "softmax-derivative-twice",
        "{d} multiplies (p - onehot) by p * (1 - p) again: the softmax's derivative is in p - onehot already.",
        lambda s: s.u * (s.p - s.onehot) * s.p * (1 - s.p) / s.rows,
    ),
    Mistake(
        "missing-p",
        "{d} is -onehot(labels) / N: the softmax p is missing.",
        lambda s: -s.u * s.onehot / s.rows,
    ),
    Mistake(
        "log-derivative-only",
        "{d} is -onehot(labels) / p / N, the derivative by the probabilities: the softmax's own Jacobian is missing.",
        lambda s: -s.u * s.onehot / s.p / s.rows,
    ),
    Mistake(
        "wrong-axis",
        "{d} takes the softmax over the batch (axis 0) instead of over the classes.",
        lambda s: s.u * (np.exp(s.x) / np.exp(s.x).sum(axis=0, keepdims=True) - s.onehot) / s.rows,
    ),
    Mistake(
        "broadcast-one-hot",
        "{d} subtracts 1 in the labels' columns of every row: index with [arange(N), labels], not [:, labels].",
        lambda s: s.u * (s.p - (s.onehot.sum(axis=0) > 0)) / s.rows,
    ),
]

BINARY_CE: list[Mistake] = [
    Mistake(
        "sigmoid-derivative-twice",
        "{d} is (p - y) * p * (1 - p) / N: the sigmoid's derivative cancels against the log's and must not appear.",
        lambda s: s.u * (sigmoid(s.x) - s.labels) * sigmoid(s.x) * (1 - sigmoid(s.x)) / s.x.size,
    ),
    Mistake(
        "labels-forgotten", "{d} is p / N: the labels are not subtracted.", lambda s: s.u * sigmoid(s.x) / s.x.size
    ),
    Mistake(
        "missing-sigmoid",
        "{d} is (scores - labels) / N: the sigmoid of the scores is missing.",
        lambda s: s.u * (s.x - s.labels) / s.x.size,
    ),
    Mistake(
        "negative-class-forgotten",
        "{d} is right where the label is 1 and 0 where it is 0: the term of -log(1 - p) is missing.",
        lambda s: -s.u * s.labels * (1 - sigmoid(s.x)) / s.x.size,
    ),
    Mistake(
        "sigmoid-derivative-missing",
        "{d} is the derivative by the probability, (p - y) / (p (1 - p)) / N: the sigmoid's derivative is missing.",
        lambda s: s.u * (sigmoid(s.x) - s.labels) / (sigmoid(s.x) * (1 - sigmoid(s.x))) / s.x.size,
    ),
    Mistake(
        "one-minus-p",
        "{d} has 1 - p where p belongs.",
        lambda s: s.u * (1 - sigmoid(s.x) - s.labels) / s.x.size,
    ),
]

MSE: list[Mistake] = [
    Mistake(
        "targets-forgotten", "{d} is 2 scores / N: the targets are not subtracted.", lambda s: 2 * s.u * s.x / s.x.size
    ),
    Mistake(
        "value-for-derivative",
        "{d} is (scores - targets)^2 / N, the loss itself rather than its derivative.",
        lambda s: s.u * (s.x - s.labels) ** 2 / s.x.size,
    ),
    Mistake(
        "absolute-error",
        "{d} is sign(scores - targets) / N: that is the absolute error's derivative.",
        lambda s: s.u * np.sign(s.x - s.labels) / s.x.size,
    ),
    Mistake(
        "target-sign",
        "{d} is 2 (scores + targets) / N: the targets must be subtracted.",
        lambda s: 2 * s.u * (s.x + s.labels) / s.x.size,
    ),
]

FC_INPUT: list[Mistake] = [
    Mistake(
        "transposed",
        "{d} is upstream @ W.T: right is upstream @ W, as W is [out x in] (or W transposed the other way).",
        lambda s: _product(s.u, s.point["W"].T, s.x.shape),
    ),
    Mistake(
        "transposed",
        "{d} is upstream @ W: W is used untransposed where its transpose belongs.",
        lambda s: _product(s.u, s.point["W"], s.x.shape),
    ),
    Mistake(
        "bias-added",
        "{d} has the bias added to it: the bias does not enter the input's gradient.",
        lambda s: _plus(_product(s.u, s.point["W"], s.x.shape), s.point.get("b")),
    ),
]

FC_WEIGHT: list[Mistake] = [
    Mistake(
        "transposed",
        "{d} is x.T @ upstream: right is upstream.T @ x, which is [out x in].",
        lambda s: _product(s.x.T, s.u, s.point["W"].shape),
    ),
    Mistake(
        "transposed",
        "{d} is upstream.T @ x: right is x.T @ upstream for a W of [in x out].",
        lambda s: _product(s.u.T, s.x, s.point["W"].shape),
    ),
    Mistake(
        "output-for-input",
        "{d} is upstream.T @ y: the output stands where the input x belongs.",
        lambda s: _product(s.u.T, s.y, s.point["W"].shape),
    ),
]


def _product(a: Array, b: Array, shape: tuple[int, ...]) -> Array | None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        return None
    product: Array = a @ b
    return product if product.shape == shape else None


def _plus(a: Array | None, b: Array | None) -> Array | None:
    if a is None or b is None or b.size != a.shape[-1]:
        return None
    return np.asarray(a + b.ravel())


def _mean_log(seen: Seen) -> float | None:
    labels = seen.subject.extra and seen.labels
    if (
        seen.x.ndim != 2
        or not isinstance(labels, np.ndarray)
        or labels.shape != (seen.rows,)
        or labels.dtype.kind not in "iu"
    ):
        return None
    return float(-np.mean(np.log(seen.p[np.arange(seen.rows), labels])))


def _binary(seen: Seen) -> float | None:
    if not seen.subject.extra or np.shape(seen.labels) != seen.x.shape:
        return None
    return float(np.mean(np.logaddexp(0, seen.x) - seen.x * seen.labels))


def _squares(seen: Seen) -> float | None:
    if not seen.subject.extra or np.shape(seen.labels) != seen.x.shape:
        return None
    return float(np.mean((seen.x - seen.labels) ** 2))


def mistakes(subject: Subject, point: Point, outputs: Sequence[Array], name: str) -> Iterator[Mistake]:
    """The mistakes known for this gradient of the layer that `subject` turns out to be."""
    seen = Seen(subject, point, outputs, [np.zeros(np.shape(y)) for y in outputs])
    if not subject.inputs or seen.x.dtype.kind != "f":
        return
    is_input = name == subject.inputs[0]
    with np.errstate(all="ignore"):
        if _affine(seen) is not None:
            yield from FC_INPUT if is_input else FC_WEIGHT if name == "W" else []
        elif is_input and seen.x.ndim and _same(seen.p, seen.y):
            yield from SOFTMAX
        elif is_input and seen.x.ndim and seen.y.ndim and _same(np.log(seen.p), seen.y):
            yield from LOG_SOFTMAX
        elif is_input and seen.y.ndim == 0:
            for forward, known in ((_mean_log, SOFTMAX_CE), (_binary, BINARY_CE), (_squares, MSE)):
                value = forward(seen)
                if value is not None and np.isclose(value, float(seen.y), rtol=1e-9):
                    yield from known
        elif is_input and normal(seen) is not None:
            yield from NORMALISATION
        elif is_input and _divides_rows(seen, np.sum):
            yield from _unit_rows(np.sum, "sum")
        elif is_input and _divides_rows(seen, np.mean):
            yield from _unit_rows(np.mean, "mean")
        elif name in subject.params and normal(seen) is not None:
            for what, part in (
                ("x", lambda n: n.seen.u * n.seen.x),
                ("x - mean", lambda n: n.seen.u * n.centred),
                ("y", lambda n: n.seen.u * n.seen.y),
            ):
                yield Mistake(
                    "x-for-xhat" if what != "y" else "output-for-xhat",
                    f"{{d}} is the sum of upstream * ({what}): the normalised xhat belongs there.",
                    _normalised(lambda n, part=part: _over_batch(n, part(n), name)),  # type: ignore[misc,arg-type]
                )
