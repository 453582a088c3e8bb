"""Mistakes in dropout, y = x * mask with a mask of 0 and 1 / (1 - p)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handgrad.checking.diagnosis.catalogue.mistake import Mistake
from handgrad.checking.diagnosis.evidence import Case
from handgrad.params import Array


def mistakes(case: Case) -> Sequence[Mistake]:
    """Those of the input's gradient, where forward draws a mask and scales what it keeps."""
    return DROPOUT if case.is_input and case.subject.replays and _mask(case) is not None else ()


def _mask(case: Case) -> Array | None:
    """0 where forward drops, the scale where it keeps; None when forward does something else."""
    if case.x.shape != case.y.shape or not np.all(case.x):
        return None
    mask = np.asarray(case.y / case.x)
    kept = mask[mask != 0]
    return mask if kept.size and np.allclose(kept, kept[0]) else None


def _inverted(case: Case) -> Array:
    mask = _scaled(case)
    return np.asarray(np.where(mask == 0, mask.max(), 0.0))


def _scaled(case: Case) -> Array:
    mask = _mask(case)
    return np.zeros_like(case.x) if mask is None else mask


def _drawn_anew(case: Case) -> Array | None:
    """What backward returned, if it is a mask's work, but not that of forward's."""
    ratio, scale = case.analytic / case.u, _scaled(case).max()
    is_mask = np.all(np.isclose(ratio, scale) | (ratio == 0)) or np.all(np.isclose(ratio, 1.0) | (ratio == 0))
    return case.analytic if is_mask and np.any(ratio == 0) and np.any(ratio) else None


DROPOUT: list[Mistake] = [
    Mistake(
        "missing-scale-1/(1-p)",
        "{d} has the mask but not its scale: right is upstream * mask / (1 - p), as in forward.",
        lambda s: s.u * (_scaled(s) != 0),
    ),
    Mistake(
        "extra-scale-1/(1-p)",
        "{d} is scaled by 1 / (1 - p) twice.",
        lambda s: s.u * _scaled(s) ** 2,
    ),
    Mistake(
        "mask-forgotten",
        "{d} is the scaled upstream gradient everywhere: what forward dropped must get 0.",
        lambda s: s.u * _scaled(s).max(),
    ),
    Mistake("mask-inverted", "{d} is 0 where forward kept and passes where it dropped.", lambda s: s.u * _inverted(s)),
    Mistake(
        "mask-inverted",
        "{d} is 0 where forward kept and passes, unscaled, where it dropped.",
        lambda s: s.u * (_scaled(s) == 0),
    ),
    Mistake(
        "new-mask",
        "{d} drops other entries than forward did: a new mask was drawn. Keep forward's in the cache.",
        _drawn_anew,
    ),
]
