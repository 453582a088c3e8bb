"""Arrays on a pipe: frames of one JSON header and raw numbers. Never pickle, so whatever is sent can only be arrays.

A frame is the header's length (4 bytes), the header (JSON) and the arrays it lists, one after the other, in C order and
little-endian. The reader trusts nothing: a frame that is cut short or breaks a rule ends the reading.

The sandboxed child imports this file by itself: it may use the standard library and NumPy only. Its frames are made by
functions written in C, bound at import, before a student's code can exchange them; json.dumps is none of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import loads
from json.encoder import encode_basestring_ascii as quoted
from math import isfinite, prod
from struct import Struct
from typing import Any, TypeAlias

from numpy import asarray, dtype, float64, frombuffer, ndarray, uint8

Array: TypeAlias = ndarray[Any, Any]

LENGTH = Struct("<I")
MAX_HEADER = 1 << 18
MAX_ARRAYS = 512
MAX_NAME = 200
MAX_DIMENSIONS = 8
DTYPES = frozenset(["|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"])


def frame(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> bytes:
    """One frame: `header` (JSON-able) and named arrays of numbers or truth values. TypeError for anything else."""
    described, numbers = [], []
    for name, value in arrays.items():
        array = asarray(value)
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            array = array.astype(float64)
        if array.dtype.kind in "biufc":
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if array.dtype.str not in DTYPES:
            raise TypeError(f"{name}: expected an array of numbers, got dtype {array.dtype}")
        described.append([name, array.dtype.str, list(array.shape)])
        numbers.append(array.tobytes())
    text = _json({**header, "arrays": described}).encode()
    return b"".join([LENGTH.pack(len(text)), text, *numbers])


def _json(value: Any) -> str:
    kind = type(value)
    if kind is dict:
        return "{" + ", ".join([f"{quoted(name)}: {_json(one)}" for name, one in value.items()]) + "}"
    if kind in (list, tuple):
        return "[" + ", ".join([_json(one) for one in value]) + "]"
    if kind is str:
        return quoted(value)
    if kind is int or (kind is float and isfinite(value)):
        return repr(value)
    if value is None or kind is bool:
        return {None: "null", True: "true", False: "false"}[value]
    raise TypeError(f"expected what JSON has, got {kind.__name__}")


def frames(data: bytes) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """The (header, arrays) of every frame of `data`, up to its end or to the first that is not well formed."""
    at = 0
    while len(data) - at >= LENGTH.size:
        (length,) = LENGTH.unpack_from(data, at)
        at += LENGTH.size
        if length > MAX_HEADER or length > len(data) - at:
            return
        try:
            header = loads(data[at : at + length])
            arrays, at = _arrays(header.pop("arrays"), data, at + length)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return
        yield header, arrays


def _arrays(described: Any, data: bytes, at: int) -> tuple[dict[str, Array], int]:
    if not isinstance(described, list) or len(described) > MAX_ARRAYS:
        raise ValueError("no list of arrays")
    arrays = {}
    for name, kind, shape in described:
        if not isinstance(name, str) or len(name) > MAX_NAME or kind not in DTYPES:
            raise ValueError("no array of numbers")
        if len(shape) > MAX_DIMENSIONS or not all(type(size) is int and 0 <= size < 1 << 31 for size in shape):
            raise ValueError("no shape")
        count, itemsize = prod(shape), dtype(kind).itemsize
        if count * itemsize > len(data) - at:  # nothing is allocated on the sender's word
            raise ValueError("cut short")
        numbers = frombuffer(data, uint8 if kind == "|b1" else kind, count, at)
        array = numbers != 0 if kind == "|b1" else numbers.copy()  # a truth value of 2 is none
        arrays[name if name.isprintable() else quoted(name)] = array.reshape(shape)
        at += count * itemsize
    return arrays, at
