"""Softmax and cross-entropy in one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
        scores = self.as_scores(scores)
        if scores.ndim != 2:
            raise ValueError(f"SoftmaxCE(): scores must be [B x C], got {scores.shape}")
        rows, classes = scores.shape
        labels = self.as_array(labels)
        top = scores.max(axis=1, keepdims=True)
        p = self.out("p", scores.shape, scores.dtype)
        with np.errstate(over="ignore"):  # a difference beyond the dtype is -inf, whose exp is the right 0
            np.subtract(scores, top, out=p)
        np.exp(p, out=p)
        total = p.sum(axis=1, keepdims=True)
        p /= total

        # -log p[label] = log(total) + top - scores[label], the difference in double precision lest it overflow.
        with np.errstate(over="ignore"):
            if classes > 1 and np.shape(labels) == scores.shape:
                labels = self._distributions(labels, scores)
                below_top = np.minimum(top.astype(np.float64) - scores, np.finfo(np.float64).max)
                losses = np.log(total[:, 0]) + (labels * below_top).sum(axis=1)
            else:
                labels = self.as_labels(labels, rows, classes)
                losses = np.log(total[:, 0]) + (top[:, 0].astype(np.float64) - scores[np.arange(rows), labels])
        self.cache = p, labels
        return bounded(np.sum(losses / rows), scores)

    def backward(self, upstream: float = 1.0) -> Array:
        p, labels = self.recall()
        factor = self.as_factor(upstream) / len(p)
        dscores = self.out("dscores", p.shape, p.dtype)
        if labels.ndim == 2:
            np.subtract(p, labels, out=dscores)
        else:
            np.copyto(dscores, p)
            dscores[np.arange(len(p)), labels] -= 1
        dscores *= factor
        return dscores

    def _distributions(self, labels: npt.ArrayLike, scores: Array) -> Array:
        t = self.as_array(labels)
        if t.dtype.kind not in "iubf":
            raise TypeError(f"SoftmaxCE(): labels must be real numbers, got dtype {t.dtype}")
        t = t.astype(scores.dtype, copy=False)
        bad = ~((t >= 0).all(axis=1) & (np.abs(t.sum(axis=1, dtype=np.float64) - 1) < 1e-3))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(
                "SoftmaxCE(): labels of the scores' shape must be distributions, each row >= 0 with sum 1, "
                f"got {t[row].tolist()} in row {row}"
            )
        return t
