"""NumPy's own BLAS, asked for what NumPy does not pass on: its threads, and sums of vectors in one pass.

Never another BLAS beside it: the waiting threads of two of them take the cores from each other.
"""

from __future__ import annotations

import ctypes
import glob
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from handgrad.params import Array

LONG = 2**15
"""Entries from which a vector is worth the call of a few microseconds."""


class Blas(NamedTuple):
    """The functions used here."""

    get_threads: Callable[[], int]
    set_threads: Callable[[int], None]
    axpy: Mapping[str, Callable[..., None]]
    """By dtype character: y += a x."""
    axpby: Mapping[str, Callable[..., None]]
    """By dtype character: y = a x + b y."""


def get_threads() -> int | None:
    """How many threads NumPy's BLAS uses at most; None where it does not say."""
    return None if BLAS is None else BLAS.get_threads()


def set_threads(number: int) -> None:
    """Tells NumPy's BLAS; nothing happens where it cannot be told."""
    if BLAS is not None:
        BLAS.set_threads(number)


def add_scaled(y: Array, factor: float, x: Array, scratch: Array) -> None:
    """y += factor * x for contiguous vectors; `scratch` is one more like y, to be overwritten.

    NumPy has to pass over memory for the product and again for the sum, the BLAS once, and on all its threads.
    """
    axpy = BLAS.axpy.get(y.dtype.char) if BLAS and y.size >= LONG and x.dtype == y.dtype else None
    if axpy is None:
        y += np.multiply(x, factor, out=scratch)
    else:
        axpy(y.size, factor, x.ctypes.data, 1, y.ctypes.data, 1)


def scale_and_add(y: Array, factor: float, x: Array) -> None:
    """y = factor * y + x for contiguous vectors."""
    axpby = BLAS.axpby.get(y.dtype.char) if BLAS and y.size >= LONG and x.dtype == y.dtype else None
    if axpby is None:
        y *= factor
        y += x
    else:
        axpby(y.size, 1.0, x.ctypes.data, 1, factor, y.ctypes.data, 1)


def _blas() -> Blas | None:
    """The BLAS that NumPy is linked to, and no other that may be loaded beside it."""
    umath = sys.modules.get("numpy._core._multiarray_umath") or sys.modules.get("numpy.core._multiarray_umath")
    # A library's own symbols include those of the libraries it is linked to, but not on Windows.
    beside = os.path.join(os.path.dirname(np.__file__), os.pardir, "numpy.libs", "*openblas*.dll")
    for path in (getattr(umath, "__file__", None), *glob.glob(beside)):
        if path is None:
            continue
        library = ctypes.CDLL(path)
        for get, set_, vectors, integer in (
            ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_", "scipy_cblas_{}64_", "int64"),
            ("openblas_get_num_threads64_", "openblas_set_num_threads64_", "cblas_{}64_", "int64"),
            ("openblas_get_num_threads", "openblas_set_num_threads", "cblas_{}", "int32"),
            ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads", "cblas_{}", "int32"),
        ):
            if hasattr(library, get) and hasattr(library, set_):
                return Blas(
                    getattr(library, get),
                    getattr(library, set_),
                    _vector_functions(library, vectors, "axpy", integer),
                    _vector_functions(library, vectors, "axpby", integer),
                )
    return None


def _vector_functions(library: ctypes.CDLL, names: str, name: str, integer: str) -> dict[str, Callable[..., None]]:
    """The function `name` for single and double precision, where the library has it."""
    functions: dict[str, Callable[..., None]] = {}
    size: Any = getattr(ctypes, f"c_{integer}")
    number: Any
    for precision, char, number in (("s", "f", ctypes.c_float), ("d", "d", ctypes.c_double)):
        function = getattr(library, names.format(precision + name), None)
        if function is not None:
            vector = (ctypes.c_void_p, size)
            scaled = (number, *vector)
            function.restype = None
            function.argtypes = (size, *scaled, *(scaled if name == "axpby" else vector))
            functions[char] = function
    return functions


BLAS = _blas()
"""None where NumPy has one that is not known here."""
