"""What is asked of an optimizer: some steps on toy parameters.

`options["decay"]`, a list, and everything else but "grads" go to the class; arrays "w NAME" are the parameters. Steps:

    make a options              an optimizer of its own parameters, copies of the arrays
    step a n kind               one step with the gradients "gN NAME", as a plain dict or as "Grads"
    set a attribute number      changes the learning rate
    report a suffix             the parameters as they are now
    held a                      the arrays that were the parameters at first, as they are now
    after n                     the gradients of step n as they are now
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from numpy import asarray, empty

from handgrad.assignment.probes.probe import Probe, Step, taken
from handgrad.params import Array, Grads, Params


def run(probe: Probe, script: Sequence[Step], code: Any = None) -> dict[str, Array]:
    """The results of the script's steps by name."""
    cls = code or getattr(import_module(f"handgrad.{probe.module}"), probe.name)
    gradients: dict[tuple[str, int], Mapping[str, Array]] = {}
    arrays: dict[str, dict[str, Array]] = {}
    params: dict[str, Params] = {}
    first: dict[str, dict[str, Array]] = {}
    optimizers: dict[str, Any] = {}
    results: dict[str, Array] = {}
    for word, a, *rest in script:
        if word == "make":
            arrays[a] = {name[2:]: array.copy() for name, array in probe.arrays.items() if name.startswith("w ")}
            params[a] = Params({name: (arrays[a], name) for name in arrays[a]})
            _ = params[a].flat  # which joins them
            first[a] = {name: asarray(array) for name, array in arrays[a].items()}
            optimizers[a] = cls(params[a], **rest[0])
        elif word == "step":
            n, kind = rest
            given = {name.partition(" ")[2]: g for name, g in probe.arrays.items() if name.startswith(f"g{n} ")}
            flat, own = _side_by_side(given)
            gradients[a, n] = own
            optimizers[a].step(Grads(own, flat, params[a]) if kind == "Grads" else dict(own))
        elif word == "set":
            setattr(optimizers[a], *rest)
        elif word == "report":
            results.update({name + rest[0]: taken(array, name) for name, array in arrays[a].items()})
        elif word == "held":
            results.update({f"{name} in place": array.copy() for name, array in first[a].items()})
        elif word == "after":
            results.update({f"gradient of {name} afterwards": g.copy() for name, g in gradients[a, rest[0]].items()})
    return results


def _side_by_side(given: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """A vector of all entries, and copies of the arrays that are views of it."""
    flat: Array = empty(sum(array.size for array in given.values()), next(iter(given.values())).dtype)
    views, start = {}, 0
    for name, array in given.items():
        views[name] = flat[start : start + array.size].reshape(array.shape)
        views[name][...] = array
        start += array.size
    return flat, views
