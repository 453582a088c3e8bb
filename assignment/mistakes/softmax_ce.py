"""Mistakes in softmax and cross-entropy."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from handgrad.assignment.mistakes.formula import Formula, only
from handgrad.params import Array


def _softmax(scores: Array, axis: int | None = 1) -> Array:
    return np.asarray(scipy.special.softmax(scores, axis=axis))


def _shared_total(scores: Array) -> Array:
    """Each row shifted by its own maximum, but one sum for all rows."""
    ratios = _softmax(scores) / _softmax(scores).max(axis=1, keepdims=True)
    return np.asarray(ratios / ratios.sum())


def _targets(scores: Array, labels: Array) -> Array:
    return labels if labels.ndim == 2 else np.eye(scores.shape[1])[labels]


def _rows(scores: Array, labels: Array, p: Array | None = None) -> Array:
    """Each row's loss, of other probabilities than the softmax's if they are given."""
    log_p = scipy.special.log_softmax(scores, axis=1) if p is None else np.log(p)
    return np.asarray(-(_targets(scores, labels) * log_p).sum(axis=1))


def _loss_of(z: Array, targets: Array, form: str) -> Any:
    """The loss of scores `z`, shifted or not, in one of the FORMS: where exp over- or underflows they give others."""
    total = np.sum(np.exp(z), 1)[:, None]
    log_p = np.log(np.exp(z) / total) if "p, then log" in form else z - np.log(total)
    terms = targets * log_p
    return -(np.where(targets > 0, terms, 0) if "at labels" in form else terms).sum(axis=1).mean()


def _smoothed(targets: Array, share: float, others: str) -> Array:
    """The targets with a share taken off, which all classes, or the others alone, have evenly."""
    classes = targets.shape[1]
    spread = np.ones_like(targets) / classes if others == "all" else np.subtract(1, targets) / (classes - 1)
    return np.asarray(targets * (1 - share) + share * spread)


def _log_p_by_columns(scores: Array) -> Array:
    """Each row shifted by its own maximum, but with the sum of exp of each column."""
    z = np.subtract(scores, np.amax(scores, 1)[:, None])
    return np.asarray(z - np.log(np.add.reduce(np.exp(z))))


def _log_p_by_rows(scores: Array, what: str) -> Array:
    """The logarithm of p with maxima or sums [B] that are no columns, which goes wrong unless B is C."""
    maxima = np.amax(scores, 1)
    z = np.subtract(scores, maxima[:, None] if what == "sums" else maxima)
    logs = np.log(np.add.reduce(np.exp(z), 1))
    return np.asarray(z - (logs[:, None] if what == "maxima" else logs))


def _less_at_labels(p: Array, labels: Array) -> Array:
    """p less 1 at the labels, which goes wrong unless these are class numbers."""
    off = p.copy()
    off[np.arange(len(p)), labels] -= 1
    return off


def _without_labels(scores: Array, labels: Array, row: int) -> Array:
    """p less the targets, but of one row p alone."""
    targets = np.array(_targets(scores, labels))
    targets[row] = 0
    return np.asarray(_softmax(scores) - targets)


WIDTH = "the one-hot rows end at the largest label of the batch: they have one entry for each class, scores.shape[1]"

FORMS = ("log p", "log p at labels", "p, then log", "p, then log at labels")
"""Of writing the loss: -log p as z - log(total) or of p itself, times the targets or only where these are not 0."""

FORWARD: dict[str, tuple[str, Formula]] = {
    "sum": ("the loss is the sum over the batch; it is the mean, divided by B", lambda p, s, t: _rows(s, t).sum()),
    "by classes": (
        "the loss is divided by the number of classes; it is the mean over the rows, B",
        lambda p, s, t: _rows(s, t).sum() / s.shape[1],
    ),
    "by entries": (
        "the loss is divided by B and by the number of classes; it is the mean over the rows",
        lambda p, s, t: _rows(s, t).sum() / s.size,
    ),
    "twice averaged": ("the loss is divided by B twice", lambda p, s, t: _rows(s, t).mean() / len(s)),
    "halved": (
        "the loss is half or twice as large as the mean of -log p[label]",
        lambda p, s, t: _rows(s, t).mean() / 2,
    ),
    "doubled": (
        "the loss is half or twice as large as the mean of -log p[label]",
        lambda p, s, t: _rows(s, t).mean() * 2,
    ),
    "sign": ("the minus is missing: L = mean of -log p[label]", lambda p, s, t: -_rows(s, t).mean()),
    "per row": ("the rows' losses are returned; L is their mean, one number", lambda p, s, t: _rows(s, t)),
    **dict.fromkeys(
        ("running average", "running sum", "first for ever"),
        (
            "losses of earlier calls are in it: forward gives the loss of its own batch alone",
            lambda p, s, t: _rows(s, t).mean(),
        ),
    ),
    **{
        f"first row{how}": (
            "only the first row's loss is returned (from within the loop?); L is the mean over all rows",
            lambda p, s, t, is_divided=is_divided: _rows(s, t)[0] / (len(s) if is_divided else 1),
        )
        for how, is_divided in (("", False), (", divided", True))
    },
    **{
        f"last row{how}": (
            "only the last row's loss is returned (= for +=?); L is the mean over all rows",
            lambda p, s, t, is_divided=is_divided: _rows(s, t)[-1] / (len(s) if is_divided else 1),
        )
        for how, is_divided in (("", False), (", divided", True))
    },
    **{
        f"without {which} row": (
            f"the {which} row is left out of the loss, by a loop that begins or ends wrongly: all of them count",
            lambda p, s, t, rest=rest: only(len(s) > 1, _rows(s, t)[rest].sum() / len(s)),
        )
        for which, rest in (("first", slice(1, None)), ("last", slice(0, -1)))
    },
    "largest": ("the largest of the rows' losses is returned; L is their mean", lambda p, s, t: _rows(s, t).max()),
    "median": ("the median of the rows' losses is returned; L is their mean", lambda p, s, t: np.median(_rows(s, t))),
    "no log": (
        "the log is missing: L = mean of -log p[label]",
        lambda p, s, t: -(_targets(s, t) * _softmax(s)).sum() / len(s),
    ),
    "one minus": (
        "L is the mean of 1 - p[label]; it is that of -log p[label]",
        lambda p, s, t: 1 - (_targets(s, t) * _softmax(s)).sum() / len(s),
    ),
    "log2": ("the logarithm has the base 2; it is the natural one", lambda p, s, t: _rows(s, t).mean() / np.log(2)),
    "log10": ("the logarithm has the base 10; it is the natural one", lambda p, s, t: _rows(s, t).mean() / np.log(10)),
    "columns": (
        "softmax runs over the batch (axis 0); it runs over each row's classes, axis 1",
        lambda p, s, t: _rows(s, t, _softmax(s, 0)).mean(),
    ),
    "whole": (
        "softmax is taken over the whole batch at once; each row's sums to 1, axis 1",
        lambda p, s, t: _rows(s, t, _softmax(s, None)).mean(),
    ),
    "one sum": (
        "exp is summed over the whole batch; each row has a sum of its own, axis 1",
        lambda p, s, t: _rows(s, t, _shared_total(s)).mean(),
    ),
    **{
        f"one maximum, {form}": (
            "one maximum is taken off all rows, and exp of the others becomes 0; take off each row's own, axis 1",
            lambda p, s, t, form=form: _loss_of(s - s.max(), _targets(s, t), form),
        )
        for form in FORMS
    },
    **{
        f"no shift, {form}": (
            "exp overflows, or all of a row becomes 0: take each row's maximum off its scores first, p stays the same",
            lambda p, s, t, form=form: _loss_of(s, _targets(s, t), form),
        )
        for form in FORMS
    },
    **{
        f"log of 0, {form}": (
            "p becomes 0, and its log infinite: take log p = z - log(sum of exp(z)) instead",
            lambda p, s, t, form=form: _loss_of(s - np.max(s, 1)[:, None], _targets(s, t), form),
        )
        for form in FORMS[2:]
    },
    **{
        f"{name} taken off, {form}": (
            f"the row's {name} is taken off, and exp of larger scores overflows: take off the row's maximum",
            lambda p, s, t, of=of, form=form: _loss_of(s - of(s, 1)[:, None], _targets(s, t), form),
        )
        for name, of in (("minimum", np.min), ("mean", np.mean))
        for form in FORMS
    },
    **{
        f"smoothed {share}, {others}": (
            f"the labels are smoothed by {share} before the loss is taken: it takes them as they come",
            lambda p, s, t, share=share, others=others: _rows(s, _smoothed(_targets(s, t), share, others)).mean(),
        )
        for share in (0.01, 0.05, 0.1, 0.2)
        for others in ("all", "others")
    },
    **{
        f"temperature {t}": (
            f"the scores are divided by {t} (a temperature) before the softmax: it takes them as they come",
            lambda p, s, labels, t=t: _rows(s / t, labels).mean(),
        )
        for t in (0.1, 0.5, 2, 5, 10)
    },
    "columns in the sum": (
        "the sum of exp runs over the batch (axis 0); it runs over each row's classes, axis 1, as the maximum does",
        lambda p, s, t: -(_targets(s, t) * _log_p_by_columns(s)).sum(axis=1).mean(),
    ),
    "twice softmax": (
        "softmax is applied twice: scores are logits",
        lambda p, s, t: _rows(s, t, _softmax(_softmax(s))).mean(),
    ),
    "sigmoid": (
        "a sigmoid stands where the softmax belongs",
        lambda p, s, t: _rows(s, t, scipy.special.expit(s)).mean(),
    ),
    "no softmax": (
        "the softmax is missing: L = mean of -log softmax(scores)[label]",
        lambda p, s, t: -(_targets(s, t) * s).sum() / len(s),
    ),
    "scores as p": (
        "the softmax is missing: scores are logits, not probabilities",
        lambda p, s, t: _rows(s, t, s).mean(),
    ),
    "no normaliser": (
        "the log of the sum of exp is missing: log p = z - log(sum of exp(z))",
        lambda p, s, t: -(_targets(s, t) * np.subtract(s, np.amax(s, 1)[:, None])).sum() / len(s),
    ),
    "normaliser alone": (
        "the label's score is missing: -log p[label] = log(sum of exp(z)) - z[label]",
        lambda p, s, t: scipy.special.logsumexp(s, axis=1).mean(),
    ),
    "shift forgotten": (
        "the row's maximum is taken off in one place only: -log p = log(sum of exp(z)) - z with the same z",
        lambda p, s, t: (_rows(s, t) - s.max(axis=1)).mean(),
    ),
    "shift added": (
        "the row's maximum is taken off in one place only: -log p = log(sum of exp(z)) - z with the same z",
        lambda p, s, t: (_rows(s, t) + s.max(axis=1)).mean(),
    ),
    "argmax": (
        "the loss is that of the predicted class; it is that of the label",
        lambda p, s, t: -np.log(_softmax(s).max(axis=1)).mean(),
    ),
    "argmax of labels": (
        "of distributions only the largest entry counts: L = mean of -sum(labels * log p)",
        lambda p, s, t: _rows(s, t.argmax(axis=1) if t.ndim == 2 else t).mean(),
    ),
    "class 0": (
        "the labels are not used: the loss is always that of class 0",
        lambda p, s, t: -np.log(_softmax(s)[:, 0]).mean(),
    ),
    "all classes": (
        "the loss sums over all classes; -log p is taken at the label only",
        lambda p, s, t: -np.log(_softmax(s)).sum(axis=1).mean(),
    ),
    "mean of all classes": (
        "the loss is the mean over all classes; -log p is taken at the label only",
        lambda p, s, t: -np.log(_softmax(s)).mean(),
    ),
    "label off by one": (
        "the labels are taken to count from 1; they count from 0",
        lambda p, s, t: _rows(s, t - 1).mean(),
    ),
    "entropy": (
        "the loss is the entropy of p; it is -sum(labels * log p)",
        lambda p, s, t: -(_softmax(s) * np.log(_softmax(s))).sum(axis=1).mean(),
    ),
    "divergence": (
        "the labels' own entropy is taken off: L = mean of -sum(labels * log p)",
        lambda p, s, t: (_rows(s, t) + scipy.special.xlogy(_targets(s, t), _targets(s, t)).sum(axis=1)).mean(),
    ),
    "binary": (
        "the terms (1 - labels) log(1 - p) of a binary loss are in it",
        lambda p, s, t: (_rows(s, t) - ((1 - _targets(s, t)) * np.log(1 - _softmax(s))).sum(axis=1)).mean(),
    ),
    "squared": (
        "the loss is squared error; it is -log p[label]",
        lambda p, s, t: ((_softmax(s) - _targets(s, t)) ** 2).sum(axis=1).mean(),
    ),
    "squared scores": (
        "the loss is squared error; it is -log p[label]",
        lambda p, s, t: ((_softmax(s) - _targets(s, t)) ** 2).mean(),
    ),
    "accuracy": (
        "the accuracy is returned; the loss is the mean of -log p[label]",
        lambda p, s, t: (s.argmax(axis=1) == _targets(s, t).argmax(axis=1)).mean(),
    ),
    "probabilities": (
        "the probabilities are returned; forward gives the loss, one number",
        lambda p, s, t: _softmax(s),
    ),
    "every row and label": (
        "p[:, labels] takes every label in every row; p[np.arange(B), labels] takes each row's own",
        lambda p, s, t: only(t.ndim == 1, -np.log(_softmax(s)[:, t]).mean()),
    ),
    "every row and label, summed": (
        "p[:, labels] takes every label in every row; p[np.arange(B), labels] takes each row's own",
        lambda p, s, t: only(t.ndim == 1, -np.log(_softmax(s)[:, t]).sum() / len(s)),
    ),
    "as wide as the largest label": (
        WIDTH,
        lambda p, s, t: only(t.ndim == 1, -(np.eye(t.max() + 1)[t] * np.log(_softmax(s))).sum() / len(s)),
    ),
    "as wide as the largest label, the other way": (
        WIDTH,
        lambda p, s, t: only(t.ndim == 1, -(np.log(_softmax(s)) * np.eye(t.max() + 1)[t]).sum() / len(s)),
    ),
    **{
        f"no column, {what}": (
            "the rows' maxima or sums, [B], stand where a column [B x 1] must: keepdims=True makes one of them",
            lambda p, s, t, what=what: -(_targets(s, t) * _log_p_by_rows(s, what)).sum(axis=1).mean(),
        )
        for what in ("maxima", "sums", "both")
    },
    "class numbers alone": (
        "labels are taken for class numbers alone; as distributions [B x C] they give L = mean of -sum(labels * log p)",
        lambda p, s, t: -scipy.special.log_softmax(s, axis=1)[np.arange(len(s)), t].mean(),
    ),
    "class numbers alone, cut": (
        "labels are taken for class numbers alone; as distributions [B x C] they give L = mean of -sum(labels * log p)",
        lambda p, s, t: -scipy.special.log_softmax(s, axis=1)[np.arange(len(s)), t.astype(int)].mean(),
    ),
    "log of the mean": (
        "the log is taken of the mean; it is the mean of the logs",
        lambda p, s, t: -np.log((_targets(s, t) * _softmax(s)).sum(axis=1).mean()),
    ),
    **{
        f"epsilon {least}": (
            f"p is kept away from 0 by an epsilon of {least}, and the loss is too small where p is small: "
            "take log p = z - log(sum of exp(z)) instead",
            lambda p, s, t, least=least: _rows(s, t, _softmax(s) + least).mean(),
        )
        for least in (1e-20, 1e-16, 1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
    },
    **{
        f"clipped {least}": (
            f"p is clipped at {least}, and the loss is too small where p is small: "
            "take log p = z - log(sum of exp(z)) instead",
            lambda p, s, t, least=least: _rows(s, t, np.clip(_softmax(s), least, 1 - least)).mean(),
        )
        for least in (1e-20, 1e-16, 1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
    },
    **{
        f"maximum {least}": (
            f"p is kept at {least} or more, and the loss is too small where p is small: "
            "take log p = z - log(sum of exp(z)) instead",
            lambda p, s, t, least=least: _rows(s, t, np.maximum(_softmax(s), least)).mean(),
        )
        for least in (1e-300, 1e-30, 1e-20, 1e-16, 1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
    },
}


def _shaped(labels: Array, form: str) -> Array:
    """Class numbers as a row or a column, distributions as they are."""
    return labels[:, None] if labels.ndim == 1 and form == "a column" else labels


BACKWARD: dict[str, tuple[str, Formula]] = {
    **{
        f"p - labels, {form}": (
            "class numbers are taken off the probabilities: it is their one-hot rows, p - onehot(labels)",
            lambda p, u, s, t, form=form: np.subtract(_softmax(s), _shaped(t, form)) * (u / len(s)),
        )
        for form in ("a row", "a column")
    },
    "softmax again": (
        "the softmax is applied once more, to probabilities: p - onehot(labels) takes them as they are",
        lambda p, u, s, t: np.subtract(_softmax(_softmax(s)), _targets(s, t)) * (u / len(t)),
    ),
    "labels alone averaged": (
        "only the labels are divided by B, brackets are missing: the whole of p - onehot(labels) is",
        lambda p, u, s, t: np.subtract(_softmax(s), _targets(s, t) / len(t)) * u,
    ),
    "probabilities alone averaged": (
        "only the probabilities are divided by B, brackets are missing: the whole of p - onehot(labels) is",
        lambda p, u, s, t: np.subtract(_softmax(s) / len(t), _targets(s, t)) * u,
    ),
    "likeliest class": (
        "distributions are rounded to their likeliest class; they are taken off p as they are",
        lambda p, u, s, t: _less_at_labels(_softmax(s), t.argmax(axis=1) if t.ndim == 2 else t) * (u / len(s)),
    ),
    "dscores of class numbers alone": (
        "labels are taken for class numbers alone; distributions [B x C] are taken off p as they are",
        lambda p, u, s, t: _less_at_labels(_softmax(s), t) * (u / len(s)),
    ),
    "dscores of class numbers alone, cut": (
        "labels are taken for class numbers alone; distributions [B x C] are taken off p as they are",
        lambda p, u, s, t: _less_at_labels(_softmax(s), t.astype(int)) * (u / len(s)),
    ),
    "normalised again": (
        "the probabilities are divided by their sums over the batch (axis 0); each row sums to 1 already",
        lambda p, u, s, t: np.subtract(_softmax(s) / np.add.reduce(_softmax(s)), _targets(s, t)) * (u / len(t)),
    ),
    **{
        f"{what} for p": (
            sentence,
            lambda p, u, s, t, of=of: np.subtract(of(s), _targets(s, t)) * (u / len(t)),
        )
        for what, sentence, of in (
            (
                "log p",
                "log p stands where p belongs: dscores = upstream * (p - onehot(labels)) / B, p = exp(log p)",
                lambda s: scipy.special.log_softmax(s, axis=1),
            ),
            (
                "z",
                "the scores (less their maximum) stand where their softmax belongs: p - onehot(labels)",
                lambda s: s - np.amax(s, 1)[:, None],
            ),
            ("scores", "the scores stand where their softmax belongs: p - onehot(labels)", np.asarray),
            (
                "exp",
                "exp is not divided by its sum: p = exp(z) / (sum of exp(z)), and p - onehot(labels)",
                lambda s: np.exp(s - np.amax(s, 1)[:, None]),
            ),
        )
    },
    **{
        f"without {which} row's labels": (
            f"the labels of the {which} row are not subtracted, by a loop that begins or ends at the wrong row",
            lambda p, u, s, t, row=row: _without_labels(s, t, row) * (u / len(t)),
        )
        for which, row in (("first", 0), ("last", -1))
    },
    **{
        f"upstream on {what}, {number}": (
            f"upstream multiplies the {what} alone, brackets are missing: it multiplies all of p - onehot(labels)",
            lambda p, u, s, t, form=form: form(_softmax(s), _targets(s, t), u, len(t)),
        )
        for what, forms in (
            ("probabilities", (lambda p, t, u, b: (u * p - t) / b, lambda p, t, u, b: u * p / b - t)),
            ("labels", (lambda p, t, u, b: (p - u * t) / b, lambda p, t, u, b: p - u * t / b)),
        )
        for number, form in enumerate(forms)
    },
    **{
        f"rows of {which} classes alone": (
            f"rows whose likeliest class is {not_which} get no gradient: every row has one, p - onehot(labels)",
            lambda p, u, s, t, is_right=is_right: (
                np.subtract(_softmax(s), _targets(s, t))
                * ((s.argmax(axis=1) == _targets(s, t).argmax(axis=1)) == is_right)[:, None]
                * (u / len(t))
            ),
        )
        for which, not_which, is_right in (("wrong", "right", False), ("right", "wrong", True))
    },
    "labels' entries alone": (
        "only the labels' entries have a gradient: those of all classes have, p - onehot(labels)",
        lambda p, u, s, t: np.subtract(_softmax(s), _targets(s, t)) * _targets(s, t) * (u / len(t)),
    ),
    "sigmoid's derivative": (
        "p (1 - p) is in it, the derivative of a sigmoid: p - onehot(labels) has the softmax's own in it already",
        lambda p, u, s, t: (
            np.subtract(_softmax(s), _targets(s, t)) * _softmax(s) * np.subtract(1, _softmax(s)) * (u / len(t))
        ),
    ),
}
