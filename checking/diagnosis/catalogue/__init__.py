"""The wrong formulas that people really write, layer by layer; the layer is recognised by what its forward does."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from handgrad.checking.diagnosis.catalogue import dropout, fc, losses, normalisation, softmax, unit_rows
from handgrad.checking.diagnosis.catalogue.mistake import Mistake
from handgrad.checking.diagnosis.evidence import Case

KINDS = (dropout, fc, softmax, losses, normalisation, unit_rows)


def mistakes(case: Case) -> Sequence[Mistake]:
    """The mistakes known for this gradient of the layer that the case's layer turns out to be."""
    if case.x.dtype.kind != "f":
        return ()
    with np.errstate(all="ignore"):
        return next((known for kind in KINDS if (known := _of_kind(kind, case))), ())


def _of_kind(kind: ModuleType, case: Case) -> Sequence[Mistake]:
    try:
        return kind.mistakes(case)  # type: ignore[no-any-return]
    except (ValueError, IndexError):  # parameters of that name, but of shapes that this kind of layer does not have
        return ()
