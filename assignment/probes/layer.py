"""What is asked of layers and losses.

Steps, `a` being the name of one object of the class:

    make a arguments options                a new object
    set a W array                           writes the array into its parameter W
    forward a result [inputs]               calls it; the result's name may be None: not reported
    try a [inputs]                          empties the cache and calls forward with copies, whatever error it raises
    cache a array                           puts the array where forward would have left it
    mend a right targets [full, row] labels  in what forward left, puts these for all arrays of their sizes that are
                                            none of the `right` ones: targets for one-hot rows, else full; row may be
                                            None. Where it left nothing, the cache becomes (full, row, labels)
    backward a suffix upstream [names]      upstream: an array's name, a number, or None for the default
    after [arrays]                          reports the arrays that were handed in as they are now
    params a suffix                         reports the parameters as they are now
    kept                                    reports every earlier result as it is now
    shared                                  reports whether results share memory with one another or with what came in
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from numpy import asarray, ndarray

from handgrad.assignment.probes.probe import ForwardRaised, Probe, Record, Step, pair, taken
from handgrad.params import Array

NEAR = (1e-11, 1e-5)
"""As a share of an entry: what double and single precision leave of it."""


def run(probe: Probe, script: Sequence[Step], code: Any = None) -> dict[str, Array]:
    """The results of the script's steps by name."""
    cls = code or getattr(import_module(f"handgrad.{probe.module}"), probe.name)
    held = {name: array.copy() for name, array in probe.arrays.items()}
    is_loss = probe.module.startswith("losses.")
    objects: dict[str, Any] = {}
    params: dict[str, dict[str, Array]] = {}
    record = Record()

    for word, *rest in script:
        if word == "make":
            name, arguments, options = rest
            objects[name] = cls(*arguments, **options)
            params[name] = {p: asarray(array) for p, array in objects[name].params.items()}
        elif word == "set":
            name, parameter, array = rest
            params[name][parameter] = asarray(objects[name].params[parameter])
            params[name][parameter][...] = held[array]
        elif word == "forward":
            name, result, inputs = rest
            try:
                y = objects[name].forward(*[held[x] for x in inputs])
            except NotImplementedError:  # a blank
                raise
            except Exception as error:
                if result is not None:
                    raise
                raise ForwardRaised(f"{type(error).__name__}: {error}").with_traceback(error.__traceback__) from None
            if result is not None:
                record.report(result, y)
        elif word == "try":
            name, inputs = rest
            objects[name].cache = None
            with suppress(Exception):
                objects[name].forward(*[held[x].copy() for x in inputs])
        elif word == "cache":
            name, array = rest
            objects[name].cache = held[array]
        elif word == "mend":
            name, right, targets, (full, row), labels = rest
            known = [held[one] for one in right]
            if getattr(objects[name], "cache", None) is None:
                objects[name].cache = tuple(held[one].copy() for one in (full, row, labels) if one is not None)
            else:
                _mend(objects[name], known, held[targets], held[full], None if row is None else held[row])
        elif word == "backward":
            name, suffix, upstream, names = rest
            given = [] if upstream is None else [held[upstream] if isinstance(upstream, str) else upstream]
            back = objects[name].backward(*given)
            dx, grads = (back, {}) if is_loss else pair(back, "backward")
            for label, gradient in zip(names, dx if len(names) > 1 else [dx], strict=True):
                record.report(label + suffix, gradient)
            for parameter, gradient in grads.items():
                record.report(f"d{parameter}{suffix}", gradient)
        elif word == "after":
            record.after(held, rest[0])
        elif word == "params":
            name, suffix = rest
            record.results.update({f"{p}{suffix} afterwards": taken(v, p) for p, v in params[name].items()})
        elif word == "kept":
            record.kept()
        elif word == "shared":
            record.shared([*held.values(), *[array for own in params.values() for array in own.values()]])
    return record.results


def _mend(layer: Any, right: Sequence[Array], targets: Array, full: Array, row: Array | None) -> None:
    """Puts `targets`, `full` or `row` in the place of all wrong arrays of their sizes that the layer keeps."""

    def mended(value: Any) -> Any:
        kind = type(value)
        if kind in (tuple, list):
            return kind([mended(one) for one in value])
        if kind is dict:
            return {name: mended(one) for name, one in value.items()}
        if kind is not ndarray or value.dtype.kind != "f" or any(_is_near(value, one) for one in right):
            return value
        if value.shape == full.shape:
            return (targets if _is_one_hot(value) else full).copy()
        return value if row is None or value.size != row.size else row.reshape(value.shape).copy()

    for name, value in vars(layer).items():
        setattr(layer, name, mended(value))


def _is_one_hot(a: Array) -> bool:
    return bool(((a == 0) | (a == 1)).all() and (a.sum(-1) == 1).all())


def _is_near(a: Array, b: Array) -> bool:
    near = NEAR[a.dtype.itemsize <= 4]
    return a.size == b.size and bool((abs(a.ravel() - b.ravel()) <= near * (1 + abs(b.ravel()))).all())
