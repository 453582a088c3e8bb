"""What is asked of layers and losses.

Steps, `a` being the name of one object of the class:

    make a arguments options                a new object
    set a W array                           writes the array into its parameter W
    forward a result [inputs]               calls it; the result's name may be "": it is not reported; or None: neither
                                            that, nor is it handed the arrays themselves, but copies
    try a [inputs]                          empties the cache and calls forward with copies, whatever error it raises
    cache a array                           puts the array where forward would have left it
    mend a suffix labels                    in what forward left, puts right arrays for the wrong ones: the arrays named
                                            "p", "exp", "total", ... and that suffix are right; where forward left
                                            nothing, the cache becomes (p, labels)
    move a b                                gives b the cache of a
    backward a suffix upstream [names]      upstream: an array's name, a number, or None for the default
    after [arrays]                          reports the arrays that were handed in as they are now
    params a suffix                         reports the parameters as they are now
    kept                                    reports every earlier result as it is now
    shared                                  reports whether results share memory with one another or with what came in
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
            handed = [held[x].copy() if result is None else held[x] for x in inputs]
            try:
                y = objects[name].forward(*handed)
            except NotImplementedError:  # a blank
                raise
            except Exception as error:
                if result:
                    raise
                raise ForwardRaised(f"{type(error).__name__}: {error}").with_traceback(error.__traceback__) from None
            if result:
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
            name, suffix, labels = rest
            right = {one.removesuffix(suffix): array for one, array in held.items() if one.endswith(suffix)}
            if getattr(objects[name], "cache", None) is None:
                objects[name].cache = right["p"].copy(), held[labels].copy()
            else:
                _mend(objects[name], right)
        elif word == "move":
            one, other = rest
            objects[other].cache = objects[one].cache
        elif word == "backward":
            name, suffix, upstream, names = rest
            given = [] if upstream is None else [held[upstream] if isinstance(upstream, str) else upstream]
            back = objects[name].backward(*given)
            dx, grads = (back, {}) if is_loss else pair(back, "backward")
            for label, gradient in zip(names, dx if len(names) > 1 else [dx], strict=True):
                record.report(label + suffix, gradient)
            record.report_grads("d{}" + suffix, grads)
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


def _mend(layer: Any, right: Mapping[str, Array]) -> None:
    """Puts `right` arrays in the place of all wrong ones of their sizes that the layer keeps.

    Which ones is told by what is there: probabilities or exponentials are positive, logarithms negative or all 0.
    """
    targets = right["targets"]
    is_of_classes = bool((targets.max(axis=1) == 1).all())
    wrong = [one for one in _arrays_of(list(vars(layer).values())) if _is_wrong(one, right)]
    full = [one for one in wrong if one.shape == right["p"].shape]
    rows = [one for one in wrong if one.size == len(right["p"])]
    of_rows = "total"
    if any((one < 0).any() or (one == 0).all() for one in full):
        of_full = "z" if rows else "log p"
        of_rows = "log total" if any((one < 1).any() for one in rows) else "total"
    else:
        of_full = "exp" if rows else "p"

    def mended(value: Any) -> Any:
        kind = type(value)
        if kind in (tuple, list):
            return kind([mended(one) for one in value])
        if kind is dict:
            return {name: mended(one) for name, one in value.items()}
        if kind is ndarray and value.dtype.kind in "iu" and value.shape == targets.shape[:1] and not is_of_classes:
            return targets.copy()
        if kind is not ndarray or not _is_wrong(value, right):
            return value
        if _is_of_labels(value, targets):
            return targets.copy()
        if value.shape == right["p"].shape:
            return right[of_full].copy()
        return right[of_rows].reshape(value.shape).copy() if value.size == len(right["p"]) else value

    for name, value in vars(layer).items():
        setattr(layer, name, mended(value))


def _arrays_of(value: Any) -> list[Array]:
    kind = type(value)
    if kind in (tuple, list):
        return [array for one in value for array in _arrays_of(one)]
    if kind is dict:
        return _arrays_of(list(value.values()))
    return [value] if kind is ndarray else []


def _is_wrong(a: Array, right: Mapping[str, Array]) -> bool:
    """Whether it is none of the right arrays, but may stand for one."""
    return a.dtype.kind == "f" and a.ndim > 0 and not any(_is_near(a, one) for one in right.values())


def _is_of_labels(a: Array, targets: Array) -> bool:
    """Whether it is made of labels only: one-hot rows, or the targets times a number and shifted."""
    if a.ndim != 2 or len(a) != len(targets):
        return False
    if ((a == 0) | (a == 1)).all() and (a.sum(axis=1) == 1).all():
        return True
    if a.shape != targets.shape:
        return False
    a, t = a - a.mean(), targets - targets.mean()
    near, factor = NEAR[a.dtype.itemsize <= 4], (a * t).sum() / (t * t).sum()
    return bool(abs(factor) > near and (abs(a - factor * t) < near).all())


def _is_near(a: Array, b: Array) -> bool:
    near = NEAR[a.dtype.itemsize <= 4]
    return a.size == b.size and bool((abs(a.ravel() - b.ravel()) <= near * (1 + abs(b.ravel()))).all())
