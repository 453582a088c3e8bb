"""What a Sequential of toys gives: a composition of functions, and that composition's derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from handgrad.assignment.definitions import toys
from handgrad.assignment.definitions.toys import derivative
from handgrad.assignment.probes import Probe
from handgrad.assignment.probes.probe import Step
from handgrad.params import Array

FUNCTIONS: dict[str, Callable[..., Array]] = {"Pick": toys.pick, "Bend": toys.bend, "Stretch": toys.stretch}
PARAMETERS: dict[str, tuple[str, ...]] = {"Pick": ("k",), "Bend": (), "Stretch": ("t", "s")}


def answer(probe: Probe, script: Sequence[Step]) -> dict[str, Array]:
    arrays = {name: a.astype(float) for name, a in probe.arrays.items()}
    layers = probe.options["layers"]
    results: dict[str, Array] = {}
    returned: list[str] = []
    x, wants_dx = arrays["x"], True
    for word, *rest in script:
        if word == "forward" and rest[0] is not None:
            results[rest[0]] = _composed(layers, arrays, arrays[rest[1]])
            returned.append(rest[0])
        elif word in ("forward", "prepare"):
            x = arrays[rest[-1]]
        elif word == "backward":
            suffix, upstream = rest[0], arrays[rest[1]]
            new = {"dx" + suffix: derivative(partial(_composed, layers, arrays), x, upstream)} if wants_dx else {}
            for name, own in _parameters(layers):
                by_own = partial(_with_parameter, layers, arrays, own, x)
                new[f"gradient of {name}{suffix}"] = derivative(by_own, arrays[own], upstream)
            results.update(new)
            returned += new
        elif word == "workspace":
            (wants_dx,) = rest
        elif word == "after":
            results.update({f"{name} afterwards": arrays[name] for name in rest[0]})
        elif word == "params":
            results.update({f"parameter {name} afterwards": arrays[own] for name, own in _parameters(layers)})
        elif word == "kept":
            results.update({f"{name} later": results[name] for name in returned})
    return results


def _composed(layers: Sequence[Any], arrays: Mapping[str, Array], x: Array) -> Array:
    for kind, *given in layers:
        if kind == "Sequential":
            x = _composed(given, arrays, x)
        else:
            x = FUNCTIONS[kind](x, *[arrays[name] for name in given])
    return np.asarray(x)


def _with_parameter(layers: Sequence[Any], arrays: Mapping[str, Array], own: str, x: Array, value: Array) -> Array:
    """The composition's output as a function of the array called `own`."""
    return _composed(layers, {**arrays, own: value}, x)


def _parameters(layers: Sequence[Any], place: str = "") -> list[tuple[str, str]]:
    """(name in the container, name of the array) of every parameter."""
    found = []
    for i, (kind, *given) in enumerate(layers):
        if kind == "Sequential":
            found += _parameters(given, f"{place}{i}.")
        else:
            names = zip(PARAMETERS[kind], given, strict=False)  # Pick's columns are no parameter
            found += [(f"{place}{i}.{name}", own) for name, own in names]
    return found
