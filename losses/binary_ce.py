"""Logistic loss: sigmoid and binary cross-entropy in one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.losses.base import Loss, bounded, is_classes, one_hot
from handgrad.params import Array


class BinaryCE(Loss):
    """Binary cross-entropy of the sigmoid of logits, averaged over all entries (L19: -log p, p = s(w'x)).

        forward     p = sigmoid(scores)                                 scores [B], [B x 1] or [B x K]
                    L = mean of -log p where the label is 1, -log(1 - p) where it is 0
        backward    dscores = (p - labels) / N                          N entries, the shape of scores

    Labels are 0 or 1, or probabilities between, of the scores' shape; [B] goes with scores [B x 1] too. Class
    numbers [B] with scores [B x K], K > 1, mean one classifier a column, 1 for the row's class.
    Raises ValueError for labels of another shape or range.
    """

    def forward(self, scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        z = self.as_scores(scores)
        y = self._targets(labels, z)
        # With miss = |(z >= 0) - y|, how far the label is from the side that z is on, the loss of an entry is
        # log(1 + exp(-|z|)) + |z| miss: no exponential of a large number, no difference of two of them.
        miss = np.greater_equal(z, 0, out=self.out_like("miss", z))
        np.abs(np.subtract(miss, y, out=miss), out=miss)
        size = np.abs(z, out=self.out_like("size", z))
        tail = np.negative(size, out=self.out_like("tail", z))
        np.exp(tail, out=tail)
        losses = np.log1p(tail, out=self.out_like("losses", z))
        losses += np.multiply(size, miss, out=size)
        losses /= losses.size
        self.cache = z, miss, tail
        return bounded(np.sum(losses, dtype=np.float64), z)

    def backward(self, upstream: float = 1.0) -> Array:
        z, miss, tail = self.recall()
        # p - y, with the other sign where z < 0, is (miss - tail (1 - miss)) / (1 + tail): no cancellation near p = y.
        dscores: Array = np.subtract(1, miss, out=self.out_like("dscores", z))
        dscores *= tail
        np.subtract(miss, dscores, out=dscores)
        dscores /= np.add(1, tail, out=self.out_like("size", z))
        np.negative(dscores, out=dscores, where=np.less(z, 0, out=self.out_like("below 0", z, np.bool_)))
        dscores *= self.as_factor(upstream) / z.size
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
            return one_hot(self.as_labels(y, *z.shape), self.out("onehot", z.shape, z.dtype))
        if z.shape == (y.size, 1) and y.ndim == 1:
            y = y[:, None]
        if y.shape != z.shape:
            column = y.shape == (*z.shape, 1) or (z.ndim == 2 and y.shape == (len(z), 1))
            mend = "; labels.ravel() mends it" if column else ""
            if z.ndim == 2 and y.shape == (len(z),) and y.dtype.kind == "f":
                mend = "; if they are class numbers, labels.astype(int) mends it"
            raise ValueError(f"BinaryCE(): labels must have the scores' shape {z.shape}, got {y.shape}{mend}")
        if not 0 <= y.min() <= y.max() <= 1:
            outside = ~((y >= 0) & (y <= 1))
            bad = y[outside][0]
            mend = "; for labels -1 and +1, (labels + 1) // 2 mends it" if bad == -1 else ""
            row = int(np.argwhere(outside)[0][0])
            raise ValueError(f"BinaryCE(): labels must lie in 0..1, got {bad} in row {row}{mend}")
        return y
