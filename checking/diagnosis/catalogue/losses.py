"""Mistakes in the losses."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from handgrad.checking.diagnosis.catalogue.functions import sigmoid
from handgrad.checking.diagnosis.catalogue.mistake import Mistake
from handgrad.checking.diagnosis.evidence import Case
from handgrad.checking.diagnosis.jacobian import columns
from handgrad.params import Array


def mistakes(case: Case) -> Sequence[Mistake]:
    """Those of the loss that forward turns out to be."""
    if not case.is_input or case.y.ndim:
        return ()
    if _labels_broadcast(case):
        return BROADCAST
    known = ((_mean_log, SOFTMAX_CE), (_binary, BINARY_CE), (_squares, MSE))
    values = ((forward(case), mistakes) for forward, mistakes in known)
    found = (m for value, m in values if value is not None and np.isclose(value, float(case.y), rtol=1e-9))
    return next(found, None) or _smoothed(case)


def _labels_broadcast(case: Case) -> bool:
    """Whether there are as many labels as scores, [N] for [N x 1] or the other way round."""
    shape = np.shape(case.labels) if case.subject.extra else ()
    return (
        case.x.size > 1
        and shape in ((case.rows,), (case.rows, 1))
        and len(shape) != case.x.ndim
        and (case.x.shape in ((case.rows,), (case.rows, 1)))
    )


def _for_labels_of_the_scores_shape(case: Case) -> Array:
    subject = copy.copy(case.subject)
    subject.extra = (np.reshape(case.labels, case.x.shape), *case.subject.extra[1:])
    jacobian, _ = columns(subject, case.point, case.name, case.known)
    return case.gradient(case.weights, jacobian)


BROADCAST: list[Mistake] = [
    Mistake(
        "labels-broadcast",
        "{d} is right for labels of the scores' shape; but forward takes [N x 1] against [N], which broadcasts to "
        "[N x N]: every score meets every label. Reshape one of them.",
        _for_labels_of_the_scores_shape,
    ),
]


def _mean_log(case: Case) -> float | None:
    labels = case.subject.extra and case.labels
    if (
        case.x.ndim != 2
        or not isinstance(labels, np.ndarray)
        or labels.shape != (case.rows,)
        or labels.dtype.kind not in "iu"
    ):
        return None
    return float(-np.mean(np.log(case.p[np.arange(case.rows), labels])))


def _smoothing(case: Case) -> float | None:
    """The a of labels smoothed to (1 - a) onehot + a / C, as the loss's value tells it."""
    value = _mean_log(case)
    if value is None:
        return None
    for_even_labels = -float(np.mean(np.log(case.p)))
    share = (float(case.y) - value) / (for_even_labels - value) if for_even_labels != value else 0.0
    return share if 1e-6 < share < 1 else None


def _smoothed(case: Case) -> list[Mistake]:
    a = _smoothing(case)
    if a is None:
        return []
    return [
        Mistake(
            "smoothing-forgotten",
            f"{{d}} is (p - onehot(labels)) / N, without forward's smoothing of the labels, by {a:.4g}.",
            # Any loss has some such a; only of smoothed labels it is the same everywhere.
            lambda s: s.u * (s.p - s.onehot) / s.rows if np.isclose(_smoothing(s) or 0, a, rtol=1e-7) else None,
        )
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
        "{d} is (p - 1) / N: 1 is subtracted from every class, it belongs to the label's alone (onehot(labels)).",
        lambda s: s.u * (s.p - 1) / s.rows,
    ),
    Mistake(
        "broadcast-one-hot",
        "{d} subtracts 1 in the labels' columns of every row: index with [arange(N), labels], not [:, labels].",
        lambda s: s.u * (s.p - (s.onehot.sum(axis=0) > 0)) / s.rows,
    ),
]


def _binary(case: Case) -> float | None:
    if not case.subject.extra or np.shape(case.labels) != case.x.shape:
        return None
    return float(np.mean(np.logaddexp(0, case.x) - case.x * case.labels))


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
        "log-derivative-only",
        "{d} is -y / p / N, the derivative of -y log p by p: the sigmoid's own and the term of 1 - p are missing. "
        "Together they are (p - y) / N.",
        lambda s: -s.u * s.labels / sigmoid(s.x) / s.x.size,
    ),
    Mistake(
        "one-minus-p",
        "{d} has 1 - p where p belongs.",
        lambda s: s.u * (1 - sigmoid(s.x) - s.labels) / s.x.size,
    ),
]


def _squares(case: Case) -> float | None:
    if not case.subject.extra or np.shape(case.labels) != case.x.shape:
        return None
    return float(np.mean((case.x - case.labels) ** 2))


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
