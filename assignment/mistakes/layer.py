"""Mistakes in the forward of layers and losses; of most in a backward the gradient checker tells better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import scipy.special

from handgrad.params import Array

Formula: TypeAlias = Callable[..., Any]
"""(parameters, *inputs) -> what a mistaken forward gives."""


def _sums(p: Mapping[str, Array], x: Array) -> Array:
    """x W', index by index."""
    return np.asarray(np.einsum("bi,oi->bo", x, p["W"]))


def _sigmoid(x: Array) -> Array:
    return np.asarray(scipy.special.expit(x))


def _positive(x: Array) -> Array:
    """The positive entries, 0 for the others."""
    return np.asarray(x.clip(0))


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
    return np.asarray(-(_targets(scores, labels) * np.log(_softmax(scores) if p is None else p)).sum(axis=1))


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


def _only(condition: Any, value: Any) -> Any:
    """The value where the mistake can be made at all."""
    if not condition:
        raise ValueError("the mistake cannot be made at these sizes")
    return value


FORMS = ("log p", "log p at labels", "p, then log", "p, then log at labels")
"""Of writing the loss: -log p as z - log(total) or of p itself, times the targets or only where these are not 0."""

FC: dict[str, tuple[str, Formula]] = {
    "truncated": (
        "y is cut to whole numbers: an array of integers was made for it",
        lambda p, x: np.trunc(_sums(p, x) + p.get("b", 0)),
    ),
    "product truncated": (
        "x W' is cut to whole numbers: an array of integers was made for it",
        lambda p, x: np.trunc(_sums(p, x)) + p.get("b", 0),
    ),
    "no bias": ("the bias b is missing: y = x W' + b", lambda p, x: _only("b" in p, _sums(p, x))),
    "bias twice": ("the bias b is added twice", lambda p, x: _sums(p, x) + 2 * p["b"]),
    "bias minus": ("the sign of the bias is wrong: y = x W' + b", lambda p, x: _sums(p, x) - p["b"]),
    "bias on W": (
        "the bias is added to W, x (W + b)', and so multiplied by x; it is added to the product: y = x W' + b",
        lambda p, x: _sums(p, x) + x.sum(axis=1, keepdims=True) * p["b"],
    ),
    "bias first": ("only the first entry of the bias is used: y = x W' + b", lambda p, x: _sums(p, x) + p["b"][0]),
    "bias mean": ("the bias's mean or sum is used, not its entries", lambda p, x: _sums(p, x) + p["b"].mean()),
    "bias sum": ("the bias's mean or sum is used, not its entries", lambda p, x: _sums(p, x) + p["b"].sum()),
    "bias times": ("the product is multiplied by the bias: y = x W' + b", lambda p, x: _sums(p, x) * p["b"]),
    "bias column": (
        "the bias runs along the batch: entry j belongs to output j, the columns of y",
        lambda p, x: _only(len(p["b"]) == len(x), _sums(p, x) + p["b"][:, None]),
    ),
    "bias alone": ("the product x W' is missing: y = x W' + b", lambda p, x: np.zeros((len(x), 1)) + p["b"]),
    "not transposed": (
        "W is not transposed: W is [out x in], so y = x W' + b",
        lambda p, x: x @ p["W"] + p.get("b", 0),
    ),
    "not transposed, no bias": ("W is not transposed and b is missing: y = x W' + b", lambda p, x: x @ p["W"]),
    "transposed result": ("y is transposed: it is [B x out]", lambda p, x: (_sums(p, x) + p.get("b", 0)).T),
    "averaged": ("y is divided by the batch size", lambda p, x: (_sums(p, x) + p.get("b", 0)) / len(x)),
    "by features": ("y is divided by the number of inputs", lambda p, x: _sums(p, x) / x.shape[1] + p.get("b", 0)),
    "reshaped": (
        "W is reshaped rather than transposed, which mixes its entries: W is [out x in], so y = x W' + b",
        lambda p, x: _only(min(p["W"].shape) > 1, x @ p["W"].reshape(p["W"].shape[::-1]) + p.get("b", 0)),
    ),
    "by root": (
        "y is divided by the square root of the number of inputs: y = x W' + b",
        lambda p, x: (_sums(p, x) + p.get("b", 0)) / np.sqrt(x.shape[1]),
    ),
    "product by root": (
        "y is divided by the square root of the number of inputs: y = x W' + b",
        lambda p, x: _sums(p, x) / np.sqrt(x.shape[1]) + p.get("b", 0),
    ),
    "negative": ("the sign of y is wrong", lambda p, x: -(_sums(p, x) + p.get("b", 0))),
    "relu": (
        "y is cut at 0; a fully connected layer has no nonlinearity",
        lambda p, x: _positive(_sums(p, x) + p.get("b", 0)),
    ),
    "elementwise": (
        "W and x are multiplied entry by entry; y = x W' is a matrix product",
        lambda p, x: _only(len(x) == len(p["W"]), x * p["W"]),
    ),
}

RELU: dict[str, tuple[str, Formula]] = {
    "identity": ("negative entries pass; y = max(0, x)", lambda p, x: x),
    "absolute": ("y is |x|: negative entries must become 0, y = max(0, x)", lambda p, x: np.abs(x)),
    "minimum": ("y is min(0, x): the positive entries pass, y = max(0, x)", lambda p, x: np.minimum(x, 0)),
    "negative": ("the sign of y is wrong: y = max(0, x)", lambda p, x: -_positive(x)),
    "flipped": ("y is max(0, -x): the positive entries pass, y = max(0, x)", lambda p, x: _positive(-x)),
    "gate": (
        "y is the gate (x > 0), not the value that passes it: y = max(0, x)",
        lambda p, x: (x > 0).astype(x.dtype),
    ),
    "largest": (
        "y is the largest entry of the batch or 0: the maximum is taken of each entry and 0",
        lambda p, x: np.full_like(x, max(0, x.max())),
    ),
    "rows' largest": (
        "y is the largest entry of each row: the maximum is taken of each entry and 0",
        lambda p, x: _positive(x.max(axis=1, keepdims=True)),
    ),
    "softplus": ("y is log(1 + exp(x)), the softplus: y = max(0, x)", lambda p, x: np.logaddexp(0, x)),
    "elu": (
        "negative entries are exp(x) - 1 (ELU); they must become 0, y = max(0, x)",
        lambda p, x: np.where(x > 0, x, np.expm1(x)),
    ),
    "gelu-like": ("y is x sigmoid(x): y = max(0, x)", lambda p, x: x * _sigmoid(x)),
    "squared": ("y is max(0, x) squared", lambda p, x: _positive(x) ** 2),
    **{
        f"leaky {slope}": (
            f"negative entries leak with a slope of {slope}; they must become 0, y = max(0, x)",
            lambda p, x, slope=slope: np.where(x > 0, x, slope * x),
        )
        for slope in (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5)
    },
    **{
        f"cut at {most}": (
            f"y is cut at {most}; y = max(0, x) has no upper end",
            lambda p, x, most=most: np.clip(x, 0, most),
        )
        for most in (1, 6)
    },
    **{
        f"from {least}": (
            f"the threshold is {least}, not 0: y = max(0, x)",
            lambda p, x, least=least: np.maximum(x, least),
        )
        for least in (-1, 1, 0.01, 0.1, 0.5, 1e-8, 1e-7, 1e-6)
    },
}

SIGMOID: dict[str, tuple[str, Formula]] = {
    "sign": ("the sign of x is wrong: y = 1 / (1 + exp(-x)), with a minus", lambda p, x: _sigmoid(-x)),
    "no one": ("the 1 + is missing: y = 1 / (1 + exp(-x))", lambda p, x: np.exp(x)),
    "exp alone": ("y is exp(-x) or 1 + exp(-x) alone: y = 1 / (1 + exp(-x))", lambda p, x: np.exp(-x)),
    "no reciprocal": ("y is exp(-x) or 1 + exp(-x) alone: y = 1 / (1 + exp(-x))", lambda p, x: 1 + np.exp(-x)),
    "minus": ("1 - exp(-x) stands where 1 + exp(-x) belongs", lambda p, x: -1 / np.expm1(-x)),
    "tanh": ("y is tanh(x); the sigmoid is y = 1 / (1 + exp(-x))", lambda p, x: np.tanh(x)),
    "tanh of x": (
        "y is the sigmoid of 2 x: in (1 + tanh(z)) / 2 the argument z is x / 2",
        lambda p, x: _sigmoid(2 * x),
    ),
    "two": ("y is 2 s(x) - 1; the sigmoid is y = 1 / (1 + exp(-x))", lambda p, x: 2 * _sigmoid(x) - 1),
    "derivative": (
        "y is the sigmoid's derivative s (1 - s); forward gives s",
        lambda p, x: _sigmoid(x) * (1 - _sigmoid(x)),
    ),
    "softmax": (
        "y is a softmax over each row; the sigmoid is elementwise, y = 1 / (1 + exp(-x))",
        lambda p, x: _softmax(x),
    ),
    "softmax of all": (
        "y is a softmax; the sigmoid is elementwise, y = 1 / (1 + exp(-x))",
        lambda p, x: _softmax(x, None),
    ),
    "logarithm": ("y is the logarithm of the sigmoid", lambda p, x: -np.logaddexp(0, -x)),
    "softplus": ("y is log(1 + exp(x)), the softplus", lambda p, x: np.logaddexp(0, x)),
    "twice": ("the sigmoid is applied twice", lambda p, x: _sigmoid(_sigmoid(x))),
    "absolute": ("y is the sigmoid of |x|: the sign of x counts", lambda p, x: _sigmoid(np.abs(x))),
    "base two": ("2 is raised to the power -x; it is e: y = 1 / (1 + exp(-x))", lambda p, x: _sigmoid(x * np.log(2))),
    "identity": ("the input comes back as it is: y = 1 / (1 + exp(-x))", lambda p, x: x),
    "step": ("y is 1 where x > 0 and else 0: y = 1 / (1 + exp(-x))", lambda p, x: (x > 0).astype(x.dtype)),
    "rounded": ("y is rounded to 0 or 1", lambda p, x: np.round(_sigmoid(x))),
    "softsign": (
        "y is x / (1 + |x|) or a like curve: y = 1 / (1 + exp(-x))",
        lambda p, x: 0.5 + 0.5 * x / (1 + np.abs(x)),
    ),
    **{
        f"line {slope}": (
            "y is a straight line between 0 and 1 (a hard sigmoid): y = 1 / (1 + exp(-x))",
            lambda p, x, slope=slope: np.clip(0.5 + slope * x, 0, 1),
        )
        for slope in (0.2, 0.25, 1 / 6)
    },
    **{
        f"clipped x {most}": (
            f"x is clipped at {most}: for large x the sigmoid goes on; make it stable without a clip",
            lambda p, x, most=most: _sigmoid(np.clip(x, -most, most)),
        )
        for most in (1, 2, 4, 5, 6, 8, 10, 15, 16, 20, 30)
    },
    **{
        f"clipped y {least}": (
            f"y is kept {least} away from 0 and 1 (an epsilon): for large |x| it is not the sigmoid",
            lambda p, x, least=least: np.clip(_sigmoid(x), least, 1 - least),
        )
        for least in (1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
    },
    **{
        f"epsilon {least}": (
            f"an epsilon of {least} stands in the denominator: y = 1 / (1 + exp(-x))",
            lambda p, x, least=least: _sigmoid(x) / (1 + least * _sigmoid(x)),
        )
        for least in (1e-9, 1e-8, 1e-7, 1e-6)
    },
}

SOFTMAX_CE: dict[str, tuple[str, Formula]] = {
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
    "first row": ("only the first row's loss is returned; L is the mean over all rows", lambda p, s, t: _rows(s, t)[0]),
    "last row": ("only the last row's loss is returned; L is the mean over all rows", lambda p, s, t: _rows(s, t)[-1]),
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
    "sigmoid": ("a sigmoid stands where the softmax belongs", lambda p, s, t: _rows(s, t, _sigmoid(s)).mean()),
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
        lambda p, s, t: _only(t.ndim == 2, _rows(s, t.argmax(axis=-1)).mean()),
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
        lambda p, s, t: (
            _rows(s, t)
            + np.where(
                _targets(s, t) > 0, _targets(s, t) * np.log(np.where(_targets(s, t) > 0, _targets(s, t), 1)), 0
            ).sum(axis=1)
        ).mean(),
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
        lambda p, s, t: _only(t.ndim == 1, -np.log(_softmax(s)[:, t]).mean()),
    ),
    "every row and label, summed": (
        "p[:, labels] takes every label in every row; p[np.arange(B), labels] takes each row's own",
        lambda p, s, t: _only(t.ndim == 1, -np.log(_softmax(s)[:, t]).sum() / len(s)),
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


def _fc_gradients(p: Mapping[str, Array], u: Array, x: Array, by: Callable[..., Any]) -> tuple[Array, dict[str, Array]]:
    """Of a layer whose db is made of dW by `by`."""
    dW = np.einsum("bo,bi->oi", u, x)
    return np.einsum("bo,oi->bi", u, p["W"]), {"W": dW, **({"b": by(dW, axis=1)} if "b" in p else {})}


BACKWARD: dict[str, dict[str, tuple[str, Formula]]] = {
    "fc": {
        f"x in db, {by.__name__}": (
            "x is in db: b is added to the product, so y changes with b alike whatever x is",
            lambda p, u, x, by=by: _fc_gradients(p, u, x, by),
        )
        for by in (np.sum, np.mean)
    },
    "sigmoid": {
        "root": (
            "the root of the sigmoid's derivative is taken: dx is upstream times the derivative itself",
            lambda p, u, x: (u / np.cosh(x / 2) / 2, {}),
        )
    },
    "softmax_ce": {
        "normalised again": (
            "the probabilities are divided by their sums over the batch (axis 0); each row sums to 1 already",
            lambda p, u, s, t: np.subtract(_softmax(s) / np.add.reduce(_softmax(s)), _targets(s, t)) * (u / len(t)),
        )
    },
}
"""In backward, where the gradient checker has no words: (parameters, upstream, *inputs) -> what it returns."""

BY_PART = {"fc": FC, "relu": RELU, "sigmoid": SIGMOID, "softmax_ce": SOFTMAX_CE}

MISTAKES = {
    f"{part}.forward": {name: sentence for name, (sentence, _) in known.items()} for part, known in BY_PART.items()
} | {f"{part}.backward": {name: sentence for name, (sentence, _) in known.items()} for part, known in BACKWARD.items()}


def code(mistake: str, part: str) -> Callable[..., Any]:
    """A class of layers whose forward, or backward, makes the mistake."""
    if mistake in BY_PART[part]:
        return partial(Mistaken, part, BY_PART[part][mistake][1])
    return partial(MistakenBackward, part, BACKWARD[part][mistake][1])


class Mistaken:
    """Just a forward, and the parameters of a fully connected layer."""

    def __init__(self, part: str, formula: Formula, *sizes: int, **options: Any) -> None:
        self.formula, self.params = formula, dict[str, Array]()
        if part == "fc":
            dtype = options["dtype"]
            self.params["W"] = np.empty(sizes[::-1], dtype)
            if options.get("bias", True):
                self.params["b"] = np.empty(sizes[1], dtype)

    def forward(self, *inputs: Array) -> Any:
        params: Mapping[str, Array] = self.params
        return self.formula(params, *inputs)


class MistakenBackward(Mistaken):
    """A backward; its forward keeps what it is given, and gives nothing."""

    def forward(self, *inputs: Array) -> None:
        self.inputs = inputs

    def backward(self, upstream: Any = 1.0) -> Any:
        return self.formula(self.params, upstream, *self.inputs)
