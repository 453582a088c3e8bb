"""Inputs in every memory layout, and inputs of integers, give the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from handgrad.checking.contract.place import Place
from handgrad.checking.numeric import EPS, precision_of
from handgrad.checking.points import REALS, inside, integers
from handgrad.checking.report import Finding
from handgrad.checking.subject import LayerError, Point
from handgrad.checking.values import handed
from handgrad.params import Array


def layouts(place: Place) -> Iterator[Finding]:
    subject = place.subject
    if all(place.point[name].ndim == 0 for name in subject.inputs):
        return
    for layout, arrange in LAYOUTS.items():
        arranged = [
            arrange(place.point[name]) if place.point[name].ndim else place.point[name] for name in subject.inputs
        ]
        upstream = [u if np.ndim(u) == 0 else arrange(np.asarray(u)) for u in handed(place.upstream)]
        plain = [place.point[name].copy() for name in subject.inputs]
        for what, inputs, above in (("input", arranged, handed(place.upstream)), ("upstream", plain, upstream)):
            if all(np.ndim(a) == 0 for a in (inputs if what == "input" else above)):
                continue
            outputs, gradients = place.run(subject.at(place.point), place.point, above, inputs)
            wrong = place.differing(outputs, gradients)
            for name in wrong[:1]:
                yield Finding(
                    name,
                    "contract",
                    "memory-layout",
                    f"for {layout} {what} {', '.join(wrong)} {'are' if len(wrong) > 1 else 'is'} another than for the "
                    "same numbers in C order: the code relies on memory order (ravel order, strides, views). "
                    "Index by axes, or take np.ascontiguousarray first.",
                )
            if wrong:
                return


def _strided(array: Array) -> Array:
    wide = np.full(tuple(2 * n for n in array.shape), np.nan)
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def _reversed(array: Array) -> Array:
    every = tuple(slice(None, None, -1) for _ in array.shape)
    return array[every].copy()[every]


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "a Fortran-ordered": lambda array: np.array(array, order="F"),
    "a strided": _strided,
    "a reversed": _reversed,
}


def integer_input(place: Place) -> Iterator[Finding]:
    subject = place.subject
    whole = {
        name: np.rint(integers(place.point[name].shape, place.domain.get(name, REALS), place.rng))
        for name in subject.inputs
    }
    if not all(inside(array, place.domain.get(name, REALS)) for name, array in whole.items()):
        return
    point: Point = {**place.point, **whole}
    try:
        outputs, gradients = place.run(subject.at(point), point, handed(place.upstream))
    except LayerError:
        return
    if not all(np.isfinite(y).all() for y in outputs):
        return
    as_integers = [whole[name].astype(np.int64) for name in subject.inputs]
    try:
        got_outputs, got = place.run(subject.at(point), point, handed(place.upstream), as_integers)
    except LayerError:
        return  # it refuses integers, loudly
    # The floats that integers become may be single ones.
    precision = max(map(precision_of, got_outputs))
    rough = dataclasses.replace(place, tolerance=max(place.tolerance, 250 * precision if precision > EPS else 0.0))
    wrong = rough.not_equal(got_outputs, got, outputs, gradients)
    for name in wrong[:1]:
        yield Finding(
            name,
            "contract",
            "integer-truncated",
            f"for an input of integers {', '.join(wrong)} {'are' if len(wrong) > 1 else 'is'} another than for the "
            "same numbers as floats: results are cut to integers on the way (zeros_like, empty_like or copy of an "
            "integer array). Convert the input to floats first, or refuse integers.",
        )
