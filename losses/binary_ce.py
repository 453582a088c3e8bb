"""Logistic loss: sigmoid and binary cross-entropy in one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.losses.base import Loss, bounded, is_classes, one_hot
from handgrad.params import Array


class BinaryCE(Loss):
    """Binary cross-entropy of the sigmoid of logits, averaged over all entries (L19: -log p, p = s(w'x)).

        forward     p = s(scores)                                       scores [B], [B x 1] or [B x K]
                    L = mean of -log p where the label is 1, -log(1 - p) where it is 0
        backward    dscores = (p - labels) / N                          N entries, the shape of scores

    Labels are 0 or 1, or probabilities between, of the scores' shape; [B] goes with scores [B x 1] too. Class
    numbers [B] with scores [B x K], K > 1, mean one classifier a column, 1 for the row's class.
    Raises ValueError for labels of another shape or range.
    """

    def forward(self, scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        z = self.as_scores(scores)
        y = self._targets(labels, z)
        # log(1 + exp(-|z|)) + max(z, 0) - z y never takes the exponential of a large number.
        tail = np.exp(-np.abs(z))
        losses = np.log1p(tail) + (np.maximum(z, 0) * (1 - y) + np.maximum(-z, 0) * y)
        self.cache = z, y, tail
        return bounded(np.sum(losses / losses.size, dtype=np.float64), z)

    def backward(self, upstream: float = 1.0) -> Array:
        z, y, tail = self.recall()
        # p (1 - y) - (1 - p) y equals p - y without its cancellation where p is close to y.
        near, far = 1 / (1 + tail), tail / (1 + tail)
        p, one_minus_p = np.where(z >= 0, near, far), np.where(z >= 0, far, near)
        dscores = self.out("dscores", z.shape, z.dtype)
        np.subtract(p * (1 - y), one_minus_p * y, out=dscores)
        np.multiply(dscores, self.as_factor(upstream) / z.size, out=dscores)
        return dscores

    def hits(self, scores: Array, labels: Array) -> int | None:
        if scores.ndim == 2 and scores.shape[1] > 1:
            return super().hits(scores, labels)
        return int(np.count_nonzero((scores.ravel() > 0) == (labels.ravel() > 0.5)))

    def _targets(self, labels: npt.ArrayLike, z: Array) -> Array:
        y = self.as_array(labels)
        if y.dtype.kind not in "iubf":
            raise TypeError(f"BinaryCE(): labels must be 0 or 1, got dtype {y.dtype}")
        if is_classes(y, z):
            return one_hot(self.as_labels(y, *z.shape), z.shape[1], z.dtype)
        if z.shape == (y.size, 1) and y.ndim == 1:
            y = y[:, None]
        if y.shape != z.shape:
            column = y.shape == (*z.shape, 1) or (z.ndim == 2 and y.shape == (len(z), 1))
            mend = "; labels.ravel() mends it" if column else ""
            if z.ndim == 2 and y.shape == (len(z),) and y.dtype.kind == "f":
                mend = "; if they are class numbers, labels.astype(int) mends it"
            raise ValueError(f"BinaryCE(): labels must have the scores' shape {z.shape}, got {y.shape}{mend}")
        outside = ~((y >= 0) & (y <= 1))
        if outside.any():
            bad = y[outside][0]
            mend = "; for labels -1 and +1, (labels + 1) // 2 mends it" if bad == -1 else ""
            row = int(np.argwhere(outside)[0][0])
            raise ValueError(f"BinaryCE(): labels must lie in 0..1, got {bad} in row {row}{mend}")
        return y.astype(z.dtype, copy=False)
