"""Softmax and cross-entropy in one."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from handgrad.layers.products import sum_of_columns
from handgrad.losses.base import Loss, bounded
from handgrad.params import Array


class SoftmaxCE(Loss):
    """Cross-entropy of the softmax of logits, the classifier's loss (L23), averaged over the batch.

        forward     p = softmax(scores)                     scores [B x C]
                    L = mean over rows of -log p[label]     labels [B], integers 0..C-1
        backward    dscores = (p - onehot(labels)) / B      [B x C]

    Labels may also be distributions [B x C], each row summing to 1: then L = mean of -sum(labels * log p).
    Raises ValueError for labels of another shape or range, TypeError for float class labels.
    """

    def forward(self, scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        scores, labels = self.as_scores(scores), self.as_array(labels)
        if scores.ndim != 2:
            raise ValueError(f"SoftmaxCE(): scores must be [B x C], got {scores.shape}")
        rows, classes = scores.shape
        if labels.shape == scores.shape and classes > 1:
            labels = self._distributions(labels, scores)
        else:
            labels = self.as_labels(labels, rows, classes)
        # BEGIN SOLUTION softmax_ce.forward points=10
        per_row, total = self.out("per row", (rows, 1), scores.dtype), self.out("total", (rows, 1), scores.dtype)
        z = self.out("z", scores.shape, scores.dtype)
        with self.quiet():  # a difference beyond the dtype is -inf, whose exp is 0
            np.subtract(scores, scores.max(axis=1, keepdims=True, out=per_row), out=z)  # softmax stays the same
            if labels.ndim == 2:
                at_labels = np.multiply(labels, z, out=self.out("at labels", z.shape, z.dtype))
            else:
                # The places [B] of the labels' entries in the memory of an array [B x C].
                places = self.out("places", (rows,), np.intp)
                labels = np.add(labels, row_starts(rows, classes), out=places)
                at_labels = z.take(labels)
            exp = np.exp(z, out=z)
            sum_of_columns(exp, total)
            value = float(np.log(total, out=per_row).sum() - at_labels.sum()) / rows  # -log p = log(total) - z
        self.cache = exp, total, labels
        return value if math.isfinite(value) else self._value_of_extremes(scores, labels)
        # END SOLUTION

    def backward(self, upstream: float = 1.0) -> Array:
        # BEGIN SOLUTION softmax_ce.backward points=12
        exp, total, labels = self.recall()
        factor = self.as_factor(upstream) / len(exp)
        scale = np.divide(factor, total, out=self.out("scale", total.shape, total.dtype))
        dscores: Array = np.multiply(exp, scale, out=self.out("dscores", exp.shape, exp.dtype))  # p / B
        if labels.ndim == 2:
            dscores -= np.multiply(labels, factor, out=self.out("at labels", exp.shape, exp.dtype))
        else:
            dscores.reshape(-1)[labels] -= factor  # onehot / B
        return dscores
        # END SOLUTION

    # BEGIN SOLUTION softmax_ce.extremes points=0
    def _value_of_extremes(self, scores: Array, labels: Array) -> float:
        """The value where a difference of scores is beyond their dtype: in double precision, else the largest float."""
        scores = scores.astype(np.float64)
        with np.errstate(over="ignore"):
            z = np.maximum(scores - scores.max(axis=1, keepdims=True), -np.finfo(np.float64).max)
            at_labels = (labels * z).sum(axis=1) if labels.ndim == 2 else z.take(labels)
            return bounded(np.sum((np.log(np.exp(z).sum(axis=1)) - at_labels) / len(z)), scores)

    # END SOLUTION

    def _distributions(self, labels: npt.ArrayLike, scores: Array) -> Array:
        t = self.as_array(labels)
        if t.dtype.kind not in "iubf":
            raise TypeError(f"SoftmaxCE(): labels must be real numbers, got dtype {t.dtype}")
        t = t.astype(scores.dtype, copy=False)
        off = np.abs(t.sum(axis=1, dtype=np.float64) - 1)
        if not (t.min() >= 0 and off.max() < 1e-3):
            row = int(np.flatnonzero(~((t >= 0).all(axis=1) & (off < 1e-3)))[0])
            raise ValueError(
                "SoftmaxCE(): labels of the scores' shape must be distributions, each row >= 0 with sum 1, "
                f"got {t[row].tolist()} in row {row}"
            )
        return t


@lru_cache(maxsize=8)
def row_starts(rows: int, columns: int) -> Array:
    """Where each row of an array [rows x columns] begins in memory."""
    return np.arange(0, rows * columns, columns)
