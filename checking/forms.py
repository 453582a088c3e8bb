"""Whether what backward returned has the right form: an array for each variable, its shape, its dtype."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from handgrad.checking.report import Finding
from handgrad.checking.subject import Point
from handgrad.params import Array

KINDS = {"b": "booleans", "i": "integers", "u": "integers", "c": "complex numbers"}


def wrong_returns(told: Mapping[str, str]) -> Iterator[Finding]:
    """A finding for each gradient that is missing or no array."""
    for name, message in told.items():
        unknown, missing = "is no parameter" in message, "a gradient for" in message
        cause = "unknown-gradient" if unknown else "missing-gradient" if missing else "wrong-return"
        yield Finding("d" + name, "shape", cause, f"{message}.")


def wrong_forms(
    gradients: Mapping[str, Array],
    point: Point,
    outputs: Sequence[Array],
    narrow: Mapping[str, int],
    skip: Collection[str],
) -> Iterator[Finding]:
    """A finding for each gradient of a wrong shape or dtype. `narrow` gives the bytes of parameters that have few."""
    for name, gradient in gradients.items():
        if gradient.shape != point[name].shape:
            if "shapes" not in skip:
                yield _wrong_shape(name, gradient, point[name].shape)
        elif gradient.dtype.kind != "f" and gradient.size:
            if "dtype" not in skip:
                yield _not_floating(name, gradient)
        elif "dtype" not in skip and gradient.dtype.itemsize < min(
            narrow.get(name, 8), *(y.dtype.itemsize for y in outputs)
        ):
            yield Finding(
                "d" + name,
                "dtype",
                "dtype-narrowed",
                f"d{name} is {gradient.dtype}, the layer computes in {outputs[0].dtype}: digits are lost (single "
                "precision keeps 7). Keep the input's dtype.",
            )


def _wrong_shape(name: str, gradient: Array, wanted: tuple[int, ...]) -> Finding:
    message = f"d{name} must have the shape of {name}, {list(wanted)}, got {list(gradient.shape)}"
    size, transposed = math.prod(wanted), gradient.shape == wanted[::-1] and gradient.ndim > 1
    if transposed:
        message += ": it is transposed (or the factors are in the wrong order)"
    elif gradient.size == size:
        message += ": the right number of entries with other axes; broadcasting would hide it"
    elif gradient.ndim == len(wanted):
        message += (
            ": an axis of another length, summed over the wrong axis, or padded, cropped or cut at the wrong place"
        )
    elif gradient.ndim > len(wanted):
        message += ": a sum over the batch or another axis is missing"
    else:
        message += ": too few entries, one axis too many is summed over or squeezed"
    return Finding("d" + name, "shape", "transposed" if transposed else "wrong-shape", message + ".", item="shapes")


def _not_floating(name: str, gradient: Array) -> Finding:
    message = (
        f"d{name} holds {KINDS[gradient.dtype.kind]} ({gradient.dtype}), a gradient must be floating-point numbers"
    )
    if gradient.dtype.kind == "c":
        message += ": take the real part of what is complex on the way"
    else:
        message += ": fractions are cut off. Begin with np.zeros(x.shape), not with zeros_like of an integer array"
    return Finding("d" + name, "dtype", "not-floating", message + ".")
