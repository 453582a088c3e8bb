"""Initial values of weights, chosen by name (`init="he"`) or given as a callable.

An initialiser takes (shape, rng), shape = [out x in], and returns an array of that shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from handgrad.params import Array

Initializer: TypeAlias = Callable[[tuple[int, ...], np.random.Generator], Array]


def he(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Normal with variance 2 / in: keeps the scale of activations through ReLUs (He et al. 2015)."""
    return rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)


def glorot(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Uniform with variance 2 / (in + out): for sigmoid and tanh layers (Glorot and Bengio 2010)."""
    limit = np.sqrt(6 / (shape[0] + np.prod(shape[1:])))
    return rng.uniform(-limit, limit, shape)


def zeros(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """All zero: for biases, and for the weights of a single linear layer."""
    return np.zeros(shape)


BY_NAME: dict[str, Initializer] = {"he": he, "glorot": glorot, "zeros": zeros}


def initializer(choice: str | Initializer) -> Initializer:
    """The initialiser of that name, or the callable itself; ValueError for an unknown name."""
    if callable(choice):
        return choice
    if not isinstance(choice, str) or choice not in BY_NAME:
        raise ValueError(f"init must be one of {', '.join(BY_NAME)} or a callable (shape, rng), got {choice!r}")
    return BY_NAME[choice]


def name_of(choice: str | Initializer) -> str:
    """The initialiser's name; "zeros" for a callable of the user's, which a layer does not keep once W is drawn."""
    return choice if isinstance(choice, str) else next((k for k, f in BY_NAME.items() if f is choice), "zeros")
