"""Mean squared error."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from handgrad.losses.base import Loss, bounded, is_classes, one_hot
from handgrad.params import Array


class MSE(Loss):
    """Mean squared error over all entries, as regression has it.

        forward     L = mean of (scores - targets)^2            both of one shape, N entries
        backward    dscores = 2 (scores - targets) / N

    Class numbers [B] with scores [B x C], C > 1, mean one-hot targets (least-squares classification).
    Raises ValueError for targets of another shape: broadcasting [B] against [B x 1] would hide a mistake.
    """

    def forward(self, scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        scores = self.as_scores(scores)
        targets = self._targets(labels, scores)
        with self.quiet():
            error = np.subtract(scores, targets, out=self.out_like("error", scores))
            value = float(np.square(error, dtype=np.float64, out=self.out_like("square", scores, np.float64)).mean())
        self.cache = error
        if math.isinf(value) and np.isfinite(scores).all():
            np.nan_to_num(error, copy=False)
        return bounded(value, scores)

    def backward(self, upstream: float = 1.0) -> Array:
        error: Array = self.recall()
        return np.multiply(error, 2 * self.as_factor(upstream) / error.size, out=self.out_like("dscores", error))

    def hits(self, scores: Array, labels: Array) -> int | None:
        return super().hits(scores, labels) if is_classes(labels, scores) else None

    def _targets(self, labels: npt.ArrayLike, scores: Array) -> Array:
        t = self.as_array(labels)
        if t.dtype.kind not in "iubf":
            raise TypeError(f"MSE(): targets must be real numbers, got dtype {t.dtype}")
        if is_classes(t, scores):
            return one_hot(self.as_labels(t, *scores.shape), self.out("onehot", scores.shape, scores.dtype))
        if t.shape != scores.shape:
            mend = "; targets[:, None] mends it" if (*t.shape, 1) == scores.shape else ""
            if scores.ndim == 2 and scores.shape[1] > 1 and t.size == len(scores):
                mend = "; if they are class numbers, targets.astype(int).ravel() mends it"
            raise ValueError(f"MSE(): targets must have the scores' shape {scores.shape}, got {t.shape}{mend}")
        return t
