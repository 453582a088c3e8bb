"""Parameters and gradients: arrays with names that lie side by side in one vector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import is_
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Place: TypeAlias = tuple[dict[str, Array], str]
"""Where a parameter is kept: the dictionary of the layer that owns it, and its short name there."""


def split(flat: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Views of the vector `flat`, one after the other, by name and shape."""
    views, start = {}, 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        views[name] = flat[start:stop].reshape(shape)
        start = stop
    return views


def join(arrays: Iterable[Array]) -> Array:
    """The arrays' entries in one new vector."""
    vectors = [array.ravel() for array in arrays]
    return np.concatenate(vectors) if vectors else np.empty(0, np.float32)


class Params(Mapping[str, Array]):
    """The parameters of a layer or model by name; all of them are views of one contiguous vector, `flat`.

        model.params["0.W"]                      the very array that layer 0 computes with
        model.params["0.W"] = W                  copies W into it; ValueError for another shape
        model.params.flat -= lr * grads.flat     updates every parameter at once

    The arrays stay where the layer keeps them, so several models may share a layer. `flat` moves them into
    one vector when they do not lie in one yet: take it anew rather than keep it for long.
    """

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = dict(places)
        self._flat: Array | None = None
        self._views: list[tuple[dict[str, Array], str, Array]] = []

    def __getitem__(self, name: str) -> Array:
        arrays, key = self._places[name]
        return arrays[key]

    def __setitem__(self, name: str, value: npt.ArrayLike) -> None:
        copy_into(self[name], value, f"parameter {name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return "Params(" + ", ".join(f"{name} {list(array.shape)}" for name, array in self.items()) + ")"

    def __getstate__(self) -> dict[str, Any]:
        return {"_places": self._places, "_flat": None, "_views": []}

    def places(self) -> dict[str, Place]:
        """Where each parameter is kept; a container builds its own parameters of its layers' places."""
        return dict(self._places)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: array.shape for name, array in self.items()}

    @property
    def flat(self) -> Array:
        """All parameters as one vector [P], in the order of the names. Writing to it writes to them."""
        if self._flat is not None:
            for arrays, key, view in self._views:
                if arrays[key] is not view:
                    break
            else:
                return self._flat
        self._flat = self._common_vector()
        if self._flat is None:
            self._flat = join(self.values())
            for name, view in split(self._flat, self.shapes).items():
                arrays, key = self._places[name]
                arrays[key] = view
        self._views = [(arrays, key, arrays[key]) for arrays, key in self._places.values()]
        return self._flat

    @flat.setter
    def flat(self, values: npt.ArrayLike) -> None:
        copy_into(self.flat, values, "the vector of all parameters")

    def _common_vector(self) -> Array | None:
        """The stretch of memory in which the arrays lie side by side already, None when they do not.

        An inner Sequential's do, and must not be moved out of the outer one's vector.
        """
        arrays = list(self.values())
        base = arrays[0].base if arrays else None
        if isinstance(base, np.ndarray) and base.ndim == 1 and base.flags.c_contiguous:
            start = (_address(arrays[0]) - _address(base)) // base.itemsize
            stop = start
            for array in arrays:
                if array.base is not base or _address(array) != _address(base) + stop * base.itemsize:
                    break
                stop += array.size
            else:
                return base[start:stop]
        return None


class Grads(dict[str, Array]):
    """Gradients by parameter name: a dictionary that also knows them as one contiguous vector, `flat`.

    Entries may be edited in place or replaced; `flat` follows.
    """

    def __init__(self, arrays: Mapping[str, Array], flat: Array | None = None, params: Params | None = None) -> None:
        super().__init__(arrays)
        self._flat, self._params = flat, params
        self._views = list(arrays.values())

    @classmethod
    def like(cls, params: Params) -> Grads:
        """Uninitialised gradients of the shapes and dtype of `params`, views of one new vector."""
        flat = np.empty_like(params.flat)
        return cls(split(flat, params.shapes), flat, params)

    def __reduce__(self) -> tuple[Any, ...]:
        return Grads, (dict(self),)

    @property
    def flat(self) -> Array:
        """All gradients as one vector [P], in the order of the parameters' names."""
        if self._flat is None or not self._is_whole():
            return join(self.values())
        return self._flat

    def vector_of(self, params: Params) -> Array | None:
        """`flat`, where these are still the arrays that `Grads.like(params)` made; else None."""
        return self._flat if self._params is params and self._is_whole() else None

    def _is_whole(self) -> bool:
        """Whether no entry was replaced, added or taken away."""
        return len(self) == len(self._views) and all(map(is_, self.values(), self._views))


def copy_into(array: Array, value: npt.ArrayLike, what: str) -> None:
    """Writes `value` into `array`, without the broadcasting that would hide a wrong shape."""
    if value is array:
        return
    value = np.asarray(value)
    if value.shape != array.shape:
        raise ValueError(f"{what} has the shape {array.shape}, got an array of shape {value.shape}")
    if not np.can_cast(value.dtype, array.dtype, casting="same_kind"):
        raise TypeError(f"{what} holds {array.dtype}, got {value.dtype}")
    array[...] = value


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
