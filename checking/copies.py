"""Copies of a layer in which arrays that shared memory still do, in double precision if wished.

`copy.deepcopy` tears views from what they are views of: a layer that keeps `self.WT = self.W.T` would no longer see
its own W change.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Collection, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from handgrad.params import Array

LEAVES = (str, bytes, int, float, complex, type(None), type, np.generic, np.dtype, ModuleType)
GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType)


def copy_of(thing: Any, *, widen: bool = False, whole: Collection[int] = ()) -> Any:
    """A deep copy; `widen` makes double precision of arrays of less, and `whole` of those with such an id."""
    memo: dict[int, Any] = {}
    arrays = list(_arrays_in(thing))
    owners = {id(owner): owner for owner in map(_owner, arrays)}
    widened = {id(_owner(array)) for array in arrays if id(array) in whole}
    for key, owner in owners.items():
        is_narrow = key in widened or (widen and owner.dtype.kind == "f" and owner.dtype.itemsize < 8)
        memo[key] = owner.astype(np.float64 if is_narrow else owner.dtype, order="K")
    for array in arrays:
        if id(array) not in owners:
            view = _same_view(array, owners[id(_owner(array))], memo[id(_owner(array))])
            if view is not None:
                memo[id(array)] = view
    return copy.deepcopy(thing, memo)


def generators_in(thing: Any) -> list[Any]:
    """Every generator of random numbers that is kept in it."""
    return [one for one in parts_of(thing) if isinstance(one, GENERATORS)]


def _arrays_in(thing: Any) -> Iterator[Array]:
    """Every array of numbers that is kept in it."""
    return (one for one in parts_of(thing) if type(one) is np.ndarray and one.dtype.kind in "biufc")


def parts_of(thing: Any) -> Iterator[Any]:
    """All that is kept in attributes, mappings, lists or tuples, at any depth."""
    waiting, met = [thing], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, LEAVES) or id(one) in met:
            continue
        met.add(id(one))
        yield one
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)
        elif hasattr(one, "__dict__") and not isinstance(one, FUNCTIONS):
            waiting.extend(vars(one).values())


def _owner(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _same_view(view: Array, owner: Array, new_owner: Array) -> Array | None:
    """What `view` is of `owner`, of `new_owner`; None where that cannot be said in whole elements."""
    size = owner.itemsize
    start, remainder = divmod(_address(view) - _address(owner), size)
    if view.dtype != owner.dtype or remainder or any(stride % size for stride in view.strides):
        return None
    memory = new_owner if new_owner.flags.c_contiguous else new_owner.T
    if not memory.flags.c_contiguous:
        return None
    by = new_owner.itemsize
    strides = tuple(stride // size * by for stride in view.strides)
    made: Array = np.ndarray(view.shape, new_owner.dtype, memory, start * by, strides)
    return made


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
