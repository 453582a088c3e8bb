"""Mistakes in softmax and its logarithm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handgrad.checking.diagnosis.catalogue.mistake import Mistake, same_numbers
from handgrad.checking.diagnosis.evidence import Case


def mistakes(case: Case) -> Sequence[Mistake]:
    """Those of softmax or its logarithm, where forward is one of them."""
    if not case.is_input or not case.x.ndim or not case.y.ndim:
        return ()
    return SOFTMAX if same_numbers(case.p, case.y) else LOG_SOFTMAX if same_numbers(np.log(case.p), case.y) else ()


SOFTMAX: list[Mistake] = [
    Mistake(
        "diagonal-only",
        "{d} is exactly upstream * y * (1 - y): only the diagonal of softmax's Jacobian. Each y depends on all x of "
        "its row: dx = y * (upstream - sum(upstream * y)).",
        lambda s: s.u * s.y * (1 - s.y),
    ),
    Mistake(
        "cross-terms-forgotten",
        "{d} is exactly upstream * y: the row's sum(upstream * y) is not subtracted, the cross terms are missing.",
        lambda s: s.u * s.y,
    ),
    Mistake(
        "missing-factor-y",
        "{d} is upstream - sum(upstream * y): the factor y before the bracket is missing.",
        lambda s: s.u - (s.u * s.y).sum(axis=-1, keepdims=True),
    ),
    Mistake(
        "missing-weight-y",
        "{d} subtracts sum(upstream) where sum(upstream * y) belongs.",
        lambda s: s.y * (s.u - s.u.sum(axis=-1, keepdims=True)),
    ),
    Mistake(
        "wrong-axis",
        "{d} sums over the batch (axis 0) where it must sum over the row's entries (axis -1).",
        lambda s: s.y * (s.u - (s.u * s.y).sum(axis=0, keepdims=True)),
    ),
    Mistake(
        "summed-over-batch",
        "{d} sums upstream * y over the whole batch: each row has a sum of its own (axis=-1, keepdims=True).",
        lambda s: s.y * (s.u - (s.u * s.y).sum()),
    ),
    Mistake(
        "sum-sign",
        "{d} adds the row's sum(upstream * y) where it must be subtracted.",
        lambda s: s.y * (s.u + (s.u * s.y).sum(axis=-1, keepdims=True)),
    ),
    Mistake(
        "mean-for-sum",
        "{d} subtracts the mean of upstream * y where the sum belongs.",
        lambda s: s.y * (s.u - (s.u * s.y).mean(axis=-1, keepdims=True)),
    ),
]

LOG_SOFTMAX: list[Mistake] = [
    Mistake(
        "cross-terms-forgotten",
        "{d} is exactly upstream * (1 - p): only the diagonal of log-softmax's Jacobian.",
        lambda s: s.u * (1 - s.p),
    ),
    Mistake("missing-sum", "{d} is upstream - p: the row's sum(upstream) before p is missing.", lambda s: s.u - s.p),
    Mistake(
        "missing-sum",
        "{d} is upstream * (1 - p) summed wrongly: p must be multiplied by the row's sum(upstream), not by upstream.",
        lambda s: s.u - s.u * s.p,
    ),
    Mistake(
        "wrong-axis",
        "{d} sums the upstream gradient over the batch (axis 0) where it must sum over the row (axis -1).",
        lambda s: s.u - s.p * s.u.sum(axis=0, keepdims=True),
    ),
    Mistake(
        "summed-over-batch",
        "{d} sums the upstream gradient over everything where each row has a sum of its own (axis -1).",
        lambda s: s.u - s.p * s.u.sum(),
    ),
    Mistake(
        "mean-for-sum",
        "{d} takes the mean of the upstream gradient where the row's sum belongs.",
        lambda s: s.u - s.p * s.u.mean(axis=-1, keepdims=True),
    ),
    Mistake(
        "output-for-p",
        "{d} uses the output y = log p where p = exp(y) belongs.",
        lambda s: s.u - s.y * s.u.sum(axis=-1, keepdims=True),
    ),
    Mistake(
        "softmax-derivative",
        "{d} is softmax's derivative, p * (upstream - sum(upstream * p)), but forward is its logarithm.",
        lambda s: s.p * (s.u - (s.u * s.p).sum(axis=-1, keepdims=True)),
    ),
]
