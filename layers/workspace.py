"""Where layers write their results: new arrays in ordinary use, the training loop's own inside `train`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.params import Array, Grads

UNREAD: Array = np.empty(0, np.float32)
"""Stands for an input gradient that nobody reads: the first layer's, while training."""


class Workspace:
    """The arrays of one layer's results, by name: made at the first call, then used again at each.

    A training loop gives one to the model, which gives a part of it to each of its layers. Elsewhere layers have
    none, and every result is a new array.
    """

    def __init__(self, grads: Grads | None = None, *, wants_dx: bool = True) -> None:
        self.wants_dx = wants_dx
        self.grads = grads
        """A container's gradients, of all its layers."""
        self.parts: list[Workspace] = []
        """A container's: one for each of its layers; a layer that occurs twice has two."""
        self.targets: dict[str, tuple[Array, bool]] = {}
        """By parameter: where its gradient belongs in the model's, and whether to add it to what is there."""
        self._memory: dict[str, Array] = {}
        self._arrays: dict[tuple[str, tuple[int, ...], str], Array] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike, order: str = "C") -> Array:
        """The array kept under `name`, in row-major ("C") or column-major ("F") order."""
        kept = self._arrays.get((name, shape, order))
        if kept is not None and kept.dtype == dtype:
            return kept
        return self._new(name, shape, np.dtype(dtype), order)

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike, order: str) -> Array:
        """An array of zeros, to be read only."""
        kept = self._arrays.get(("0", shape, order))
        if kept is None or kept.dtype != dtype:
            kept = self._new("0", shape, np.dtype(dtype), order)
            kept.fill(0)
        return kept

    def keep(self, name: str, array: Array) -> None:
        """Lets results of that name and shape be written into `array`."""
        self._arrays[name, array.shape, "C"] = array

    def _new(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], order: Any) -> Array:
        """A new array; for a smaller batch, such as an epoch's last, the first part of the memory there is."""
        size, memory = math.prod(shape), self._memory.get(name)
        if memory is None or memory.size < size or memory.dtype != dtype:
            memory = self._memory[name] = np.empty(size, dtype)
            self._arrays = {key: array for key, array in self._arrays.items() if key[0] != name}
        self._arrays[name, shape, order] = array = memory[:size].reshape(shape, order=order)
        return array
