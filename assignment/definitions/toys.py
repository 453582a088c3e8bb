"""The functions that the probes' toys compute, for complex numbers, too; and their derivatives without any formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from handgrad.params import Array

STEP = 1e-100
"""The imaginary step: f(a + ih) = f(a) + ih f'(a), without a difference that would cost digits."""


def pick(x: Array, k: Array, columns: Array) -> Array:
    return np.asarray(x[:, columns.astype(int)] * k)


def bend(x: Array) -> Array:
    return np.asarray(x * x * np.sign(x.real))


def stretch(x: Array, t: Array, s: Array) -> Array:
    return x * np.exp(t) + s


def mean_cube(scores: Array, labels: Array) -> Array:
    """mean |scores - labels|^3"""
    off = scores - labels
    return np.asarray(np.mean(off**3 * np.sign(off.real)))


def derivative(f: Callable[[Array], Array], a: Array, upstream: Array | float = 1.0) -> Array:
    """d sum(upstream * f(a)) / da, entry by entry."""
    gradient = np.zeros(a.shape)
    for i in np.ndindex(a.shape):
        moved = a.astype(complex)
        moved[i] += 1j * STEP
        gradient[i] = np.sum(upstream * f(moved).imag) / STEP
    return gradient
