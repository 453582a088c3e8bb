"""Mistakes where rows are divided by their norm or their root mean square."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from handgrad.checking.diagnosis.catalogue.mistake import Mistake, parameter
from handgrad.checking.diagnosis.evidence import Case
from handgrad.params import Array


def mistakes(case: Case) -> Sequence[Mistake]:
    """Those of the input's gradient, where forward divides each row by its norm."""
    if not case.is_input:
        return ()
    kinds = ((np.sum, "sum"), (np.mean, "mean"))
    return next((_unit_rows(reduce, word) for reduce, word in kinds if _divides_rows(case, reduce)), ())


def _divides_rows(s: Case, reduce: Callable[..., Array]) -> bool:
    if s.x.shape != s.y.shape or s.x.ndim < 1:
        return False
    bare = _bare(s)
    if bare.shape != s.x.shape:
        return False
    return bool(np.allclose(bare, s.x / _norm(s, reduce), rtol=1e-3, atol=1e-9))


def _unit_rows(reduce: Callable[..., Array], word: str) -> list[Mistake]:
    """Rows divided by their norm (a sum of squares) or by their root mean square."""
    inner = _parameter_times_upstream
    return [
        Mistake(
            "norm-path-forgotten",
            "{d} treats the norm as a constant: it is upstream / norm only, the path through the norm is missing.",
            lambda s: inner(s) / _scale(s),
        ),
        Mistake(
            "input-for-output",
            f"{{d}} uses the input x where the output y belongs: right is (upstream - y * {word}(upstream * y)) / "
            "norm.",
            lambda s: (inner(s) - s.x * reduce(inner(s) * s.x, axis=-1, keepdims=True)) / _scale(s),
        ),
        Mistake(
            "input-for-output",
            f"{{d}} uses the input x where the output y belongs, once: right is (upstream - y * {word}(upstream * y)) "
            "/ norm.",
            lambda s: (inner(s) - s.x * reduce(inner(s) * _bare(s), axis=-1, keepdims=True)) / _scale(s),
        ),
        Mistake(
            "missing-1/D" if word == "mean" else "extra-1/D",
            f"{{d}} has a {'sum' if word == 'mean' else 'mean'} where a {word} belongs, in the path through the norm.",
            lambda s: (
                (
                    inner(s)
                    - _bare(s) * (np.sum if word == "mean" else np.mean)(inner(s) * _bare(s), axis=-1, keepdims=True)
                )
                / _scale(s)
            ),
        ),
        Mistake(
            "missing-1/norm",
            "{d} is not divided by the norm.",
            lambda s: inner(s) - _bare(s) * reduce(inner(s) * _bare(s), axis=-1, keepdims=True),
        ),
        Mistake(
            "norm-path-sign",
            "{d} has the wrong sign in the path through the norm.",
            lambda s: (inner(s) + _bare(s) * reduce(inner(s) * _bare(s), axis=-1, keepdims=True)) / _scale(s),
        ),
    ]


def _norm(s: Case, reduce: Callable[..., Array]) -> Array:
    return np.asarray(np.sqrt(reduce(s.x**2, axis=-1, keepdims=True)))


def _bare(s: Case) -> Array:
    scale = parameter(s, "gamma", "g", "scale", "weight")
    return s.y if scale is None else np.asarray(s.y / scale)


def _parameter_times_upstream(s: Case) -> Array:
    scale = parameter(s, "gamma", "g", "scale", "weight")
    return s.u if scale is None else np.asarray(s.u * scale)


def _scale(s: Case) -> Array:
    """What forward divides each row by, its epsilon and all."""
    bare = _bare(s)
    largest = np.abs(bare).argmax(axis=-1)[..., None]
    return np.asarray(np.take_along_axis(s.x, largest, -1) / np.take_along_axis(bare, largest, -1))
