"""Losses: forward(scores, labels) is a mean over the batch, backward(upstream) takes a scalar and gives dL/dscores."""

import numpy as np
from scipy.special import expit, xlogy

from .case import Family, Stateless
from .softmax import softmax_of


def log_softmax(scores):
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


class Loss(Stateless):
    """Keeps the two arguments; `gradient` is dL/dscores for an upstream of 1."""

    def forward(self, scores, labels):
        self.scores, self.labels = scores, labels
        return self.value(scores, labels)

    def backward(self, upstream=1.0):
        return upstream * self.gradient(self.scores, self.labels)


class SoftmaxCE(Loss):
    """-mean(log softmax(scores)[label]), by logits; its gradient is (p - one_hot) / N."""

    def value(self, scores, labels):
        return -log_softmax(scores)[np.arange(len(labels)), labels].mean()

    def gradient(self, scores, labels):
        return (softmax_of(scores) - self.one_hot(scores, labels)) / len(scores)

    def one_hot(self, scores, labels):
        return np.eye(scores.shape[1])[labels]


class ClippedSoftmaxCE(SoftmaxCE):
    """Clips p in the forward, for safety; the backward does not know."""

    def value(self, scores, labels):
        p = softmax_of(scores)[np.arange(len(labels)), labels]
        return -np.log(np.maximum(p, 1e-7)).mean()


class SubtractsAgainAndAgain(SoftmaxCE):
    """CS231n's `dscores = probs; dscores[rows, labels] -= 1`, on the array that is kept."""

    def value(self, scores, labels):
        self.p = softmax_of(scores)
        return super().value(scores, labels)

    def gradient(self, scores, labels):
        self.p[np.arange(len(labels)), labels] -= 1
        return self.p / len(scores)


class ShiftsLabels(SoftmaxCE):
    """Rolls the labels along for an in-place update, and gives them back changed."""

    def gradient(self, scores, labels):
        gradient = super().gradient(scores, labels)
        labels += 1
        labels %= scores.shape[1]
        return gradient


class MSE(Loss):
    """mean((scores - labels)^2) over all entries."""

    def value(self, scores, labels):
        return ((scores - labels) ** 2).mean()

    def gradient(self, scores, labels):
        return 2 * (scores - labels) / scores.size


class MAE(Loss):
    def value(self, scores, labels):
        return np.abs(scores - labels).mean()

    def gradient(self, scores, labels):
        return np.sign(scores - labels) / scores.size


class Huber(Loss):
    """Quadratic up to delta, linear beyond."""

    delta = 6.0

    def value(self, scores, labels):
        d = np.abs(scores - labels)
        return np.where(d < self.delta, d**2 / 2, self.delta * (d - self.delta / 2)).mean()

    def gradient(self, scores, labels):
        return np.clip(scores - labels, -self.delta, self.delta) / scores.size


class LogitBCE(Loss):
    """Binary cross-entropy of logits: mean(softplus(s) - label * s)."""

    def value(self, scores, labels):
        return (np.logaddexp(0, scores) - labels * scores).mean()

    def gradient(self, scores, labels):
        return (expit(scores) - labels) / scores.size


class BCE(Loss):
    """Binary cross-entropy of probabilities in (0, 1)."""

    def value(self, scores, labels):
        return -(labels * np.log(scores) + (1 - labels) * np.log1p(-scores)).mean()

    def gradient(self, scores, labels):
        return ((1 - labels) / (1 - scores) - labels / scores) / scores.size


class Hinge(Loss):
    """The multi-class SVM: mean over the rows of sum_j max(0, s_j - s_label + 1), j != label."""

    def margins(self, scores, labels):
        rows = np.arange(len(labels))
        margins = np.maximum(0, scores - scores[rows, labels][:, None] + 1)
        margins[rows, labels] = 0
        return margins

    def value(self, scores, labels):
        return self.margins(scores, labels).sum() / len(scores)

    def gradient(self, scores, labels):
        violated = (self.margins(scores, labels) > 0).astype(float)
        violated[np.arange(len(labels)), labels] = -self.paid(violated)
        return violated / len(scores)

    def paid(self, violated):
        return violated.sum(axis=1)


class KL(Loss):
    """KL(target || softmax(scores)), a mean over the batch; targets may be exactly 0."""

    def value(self, scores, labels):
        return (self.entropy(labels) - labels * log_softmax(scores)).sum() / len(scores)

    def entropy(self, labels):
        return xlogy(labels, labels)

    def gradient(self, scores, labels):
        return (softmax_of(scores) - labels) / len(scores)


class WeightPenalty:
    """L = 0.5 * |x|^2 / N + 0.5 * strength * |W|^2: a scalar of an input and a parameter."""

    strength = 0.1

    def __init__(self, sizes, rng):
        self.params = {"W": rng.standard_normal((sizes["D"], sizes["D"]))}

    def forward(self, x):
        self.x = x
        return 0.5 * (x * x).sum() / len(x) + 0.5 * self.strength * (self.params["W"] ** 2).sum()

    def backward(self, upstream=1.0):
        return upstream * self.x / len(self.x), {"W": self.dW(upstream)}

    def dW(self, upstream):
        return upstream * self.strength * self.params["W"]


def classes(sizes, rng):
    return (rng.integers(0, sizes["C"], sizes["N"]),)


def binary(sizes, rng):
    return (rng.integers(0, 2, (sizes["N"], sizes["D"])),)


def targets(sizes, rng):
    return (rng.standard_normal((sizes["N"], sizes["D"])),)


def whole_targets(sizes, rng):
    return (rng.integers(-2, 3, (sizes["N"], sizes["D"])).astype(float),)


def distributions(sizes, rng):
    """Rows that sum to 1, in which zeros occur."""
    counts = rng.integers(0, 3, (sizes["N"], sizes["C"])) * (np.arange(sizes["C"]) > 0)
    counts[:, -1] += 1
    return (counts / counts.sum(axis=1, keepdims=True),)


def whole_scores(columns):
    return lambda sizes, rng: (rng.integers(-2, 3, (sizes["N"], sizes[columns])).astype(float),)


def probabilities(sizes, rng):
    return (expit(4 * rng.standard_normal((sizes["N"], sizes["D"]))),)


def on_labels(shift):
    """A gradient whose one-hot stands on another column."""
    return lambda self, scores, labels: np.eye(scores.shape[1])[(labels + shift) % scores.shape[1]]


def columns_for_entries(self, scores, labels):
    """`one_hot[:, labels] = 1` where `one_hot[rows, labels] = 1` was meant."""
    one_hot = np.zeros(scores.shape)
    one_hot[:, labels] = 1
    return one_hot


def regression(name, layer, extra=targets, **common):
    return Family(name, layer, {"scores": "N D"}, {"N": 4, "D": 3}, extra=extra, **common)


def classification(name, layer, extra=classes, **common):
    return Family(name, layer, {"scores": "N C"}, {"N": 4, "C": 5}, extra=extra, **common)


softmax_ce = classification("softmax cross-entropy", SoftmaxCE)
hinge = classification("hinge", Hinge)
kl = classification("kl", KL, extra=distributions)
mse = regression("mse", MSE)
mae = regression("mae", MAE)
huber = regression("huber", Huber)
logit_bce = regression("bce of logits", LogitBCE, extra=binary)
bce = regression("bce", BCE, extra=binary, domain={"scores": (0, 1)}, point=probabilities)
penalty = Family("penalty", WeightPenalty, {"x": "N D"}, {"N": 4, "D": 3})

BUGS = [
    softmax_ce.bug(
        "1/N missing",
        "dscores",
        "missing-1/N",
        gradient=lambda self, scores, labels: softmax_of(scores) - self.one_hot(scores, labels),
    ),
    softmax_ce.bug(
        "divided by N * C",
        "dscores",
        "extra-1/C",
        gradient=lambda self, scores, labels: SoftmaxCE.gradient(self, scores, labels) / scores.shape[1],
    ),
    softmax_ce.bug(
        "one-hot missing",
        "dscores",
        "missing-one-hot",
        gradient=lambda self, scores, labels: softmax_of(scores) / len(scores),
    ),
    softmax_ce.bug("labels off by one", "dscores", "label-off-by-one", one_hot=on_labels(1)),
    softmax_ce.bug(
        "one_hot[:, labels] for one_hot[rows, labels]", "dscores", "broadcast-one-hot", one_hot=columns_for_entries
    ),
    softmax_ce.bug(
        "one_hot - p",
        "dscores",
        "sign",
        gradient=lambda self, scores, labels: -SoftmaxCE.gradient(self, scores, labels),
    ),
    softmax_ce.bug(
        "the upstream ignored",
        "dscores",
        "upstream-ignored",
        backward=lambda self, upstream=1.0: self.gradient(self.scores, self.labels),
    ),
    softmax_ce.bug(
        "inf at 1e3: the log of a softmax",
        "y",
        "overflow",
        value=lambda self, scores, labels: -np.log(softmax_of(scores))[np.arange(len(labels)), labels].mean(),
    ),
    softmax_ce.bug("p clipped in the forward only", "dscores", "wrong-where-large", make=ClippedSoftmaxCE),
    softmax_ce.bug(
        "the one-hot is subtracted again at every backward",
        "dscores",
        "not-repeatable",
        make=SubtractsAgainAndAgain,
    ),
    softmax_ce.bug("labels changed", "dscores", "changes-labels", make=ShiftsLabels),
    hinge.bug(
        "the label's column is paid once, not once a violation",
        "dscores",
        "wrong-at-label",
        paid=lambda self, violated: violated.max(axis=1),
    ),
    hinge.bug("the label's column is not paid", "dscores", "wrong-at-label", paid=lambda self, violated: 0),
    kl.bug("NaN by 0 * log(0) where a target is 0", "y", "nan", entropy=lambda self, labels: labels * np.log(labels)),
    kl.bug(
        "target - p",
        "dscores",
        "sign",
        gradient=lambda self, scores, labels: (labels - softmax_of(scores)) / len(scores),
    ),
    mse.bug(
        "factor 2 missing",
        "dscores",
        "missing-factor-2",
        gradient=lambda self, scores, labels: (scores - labels) / scores.size,
    ),
    mse.bug(
        "divided by N only",
        "dscores",
        "missing-1/D",
        gradient=lambda self, scores, labels: 2 * (scores - labels) / len(scores),
    ),
    mse.bug(
        "labels - scores", "dscores", "sign", gradient=lambda self, scores, labels: 2 * (labels - scores) / scores.size
    ),
    mse.bug(
        "labels forgotten",
        "dscores",
        "targets-forgotten",
        gradient=lambda self, scores, labels: 2 * scores / scores.size,
    ),
    mae.bug(
        "NaN where scores equal labels",
        "dscores",
        "nan",
        extra=whole_targets,
        point=whole_scores("D"),
        gradient=lambda self, scores, labels: (scores - labels) / np.abs(scores - labels) / scores.size,
    ),
    huber.bug(
        "quadratic beyond delta",
        "dscores",
        "wrong-where-large",
        gradient=lambda self, scores, labels: (scores - labels) / scores.size,
    ),
    logit_bce.bug(
        "log(1 - sigmoid): inf at 1e3",
        "y",
        "overflow",
        value=lambda self, scores, labels: -np.log(np.where(labels, expit(scores), 1 - expit(scores))).mean(),
    ),
    logit_bce.bug(
        "the labels forgotten",
        "dscores",
        "labels-forgotten",
        gradient=lambda self, scores, labels: expit(scores) / scores.size,
    ),
    bce.bug(
        "the second term's sign",
        "dscores",
        "wrong-for-one-label",
        gradient=lambda self, scores, labels: -((1 - labels) / (1 - scores) + labels / scores) / scores.size,
    ),
    bce.bug(
        "the gradient for logits",
        "dscores",
        "extra-factor",
        gradient=lambda self, scores, labels: (scores - labels) / scores.size,
    ),
    penalty.bug(
        "the penalty doubled",
        "dW",
        "extra-factor-2",
        dW=lambda self, upstream: 2 * upstream * self.strength * self.params["W"],
    ),
    penalty.bug(
        "the penalty's gradient ignores the upstream",
        "dW",
        "upstream-ignored",
        dW=lambda self, upstream: self.strength * self.params["W"],
    ),
]

CORRECT = [
    softmax_ce.correct("plain"),
    hinge.correct("margins of exactly 0", point=whole_scores("C")),
    kl.correct("targets of exactly 0"),
    mse.correct("plain"),
    mae.correct("scores equal to labels", extra=whole_targets, point=whole_scores("D")),
    huber.correct("two pieces"),
    logit_bce.correct("plain"),
    bce.correct("probabilities near 0 and 1"),
    penalty.correct("a scalar of inputs and parameters"),
]
