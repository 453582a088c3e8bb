"""What the losses share: layers of two inputs, scores and labels, whose output is one number."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Loss(Layer):
    """A loss: `forward(scores, labels)` is its value, `backward()` is dL/dscores. The 1/N is in here, only."""

    @abstractmethod
    def forward(self, scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        """The mean loss over the batch."""

    @abstractmethod
    def backward(self, upstream: float = 1.0) -> Array:
        """dL/dscores of the last forward, times the number `upstream`."""

    def hits(self, scores: Array, labels: Array) -> int | None:
        """How many rows of `scores` are classified as `labels` say; None where that is no question."""
        if labels.shape == scores.shape:
            labels = labels.argmax(axis=1)
        elif not is_classes(labels, scores):
            return None
        return int(np.count_nonzero(scores.argmax(axis=1) == labels))

    def as_scores(self, scores: npt.ArrayLike) -> Array:
        return self.as_input(scores, what="scores")

    def as_factor(self, upstream: float) -> float:
        """The upstream of a loss as a Python number; ValueError for an array."""
        if type(upstream) is float:
            return upstream
        if np.ndim(upstream) != 0:
            raise ValueError(f"{self.label}: upstream must be one number, got shape {np.shape(upstream)}")
        if np.asarray(upstream).dtype.kind not in "buif":
            raise TypeError(f"{self.label}: upstream must be one real number, got {upstream!r}")
        return float(upstream)

    def as_array(self, labels: npt.ArrayLike) -> Array:
        """The labels as an array; ValueError for rows of different lengths."""
        try:
            return np.asarray(labels)
        except ValueError:
            raise ValueError(f"{self.label}: labels must be a rectangular array, got rows that differ") from None

    def as_labels(self, labels: npt.ArrayLike, rows: int, classes: int) -> Array:
        """Class labels [B], whole numbers from 0 to classes - 1; one sentence says how to mend others."""
        y = self.as_array(labels)
        if y.shape != (rows,):
            mend = "; labels.ravel() mends it" if y.shape == (rows, 1) else ""
            raise ValueError(f"{self.label}: labels must be [B] = ({rows},), got {y.shape}{mend}")
        if y.dtype.kind not in "iub":
            mend = "; if they are class numbers, labels.astype(int) mends it" if y.dtype.kind == "f" else ""
            raise TypeError(f"{self.label}: labels must be integers, got dtype {y.dtype}{mend}")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= classes:  # read without a sign, negative numbers are the largest
            row = int(np.flatnonzero((y < 0) | (y >= classes))[0])
            mend = "; if they count from 1, labels - 1 mends it" if y.min() == 1 and y.max() == classes else ""
            raise ValueError(
                f"{self.label}: labels must lie in 0..{classes - 1}, as scores have {classes} columns, "
                f"got {y[row]} in row {row}{mend}"
            )
        return y


def is_classes(labels: Array, scores: Array) -> bool:
    """Whether `labels` [B] are class numbers for the columns of `scores` [B x C], C > 1."""
    return labels.ndim == 1 and labels.dtype.kind in "iub" and scores.ndim == 2 and scores.shape[1] > 1


def one_hot(labels: Array, out: Array) -> Array:
    """`out` [B x C]: row i is 1 at labels[i] and 0 elsewhere."""
    out.fill(0)
    out[np.arange(len(labels)), labels] = 1
    return out


def bounded(value: float, scores: Array) -> float:
    """`value`; but the largest float where it is infinite though the scores are finite."""
    if math.isinf(value) and np.isfinite(scores).all():
        return float(np.finfo(np.float64).max)
    return float(value)
