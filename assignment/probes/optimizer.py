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

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy import asarray, empty

from handgrad.assignment.probes.probe import LARGE, Probe, Step, mixed, sizes_apart, taken
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


# Drawing.


def draw(part: str, step: str, rng: np.random.Generator) -> Iterator[tuple[str, Probe]]:
    """The probes of SGD's step; ValueError for another step."""
    if step != "step":
        raise ValueError(f"{part}.{step}: nothing is known to ask of it; known is step")

    def some(**options: Any) -> dict[str, Any]:
        """Random settings: a momentum, a decay where they are asked for."""
        drawn = {"lr": float(rng.uniform(0.02, 0.3))}
        for name, (low, high) in (("momentum", (0.3, 0.95)), ("weight_decay", (0.05, 0.4))):
            if options.pop(name, False):
                drawn[name] = float(rng.uniform(low, high))
        return {**drawn, **options}

    a, b, c = sizes_apart(rng, 3)
    usual = {"0.W": (a, b), "0.b": (a,), "2.W": (c, a), "2.b": (c,)}
    for options in ({}, {"momentum": True}, {"weight_decay": True}, {"momentum": True, "weight_decay": True}):
        yield "values", _probe(rng, usual, some(**options), steps=4)
    wide, high = sizes_apart(rng, 2, *LARGE)
    large = {"0.W": (high, wide), "0.b": (high,)}
    yield "values", _probe(rng, large, some(momentum=True, weight_decay=True), steps=10)

    yield "other sizes", _probe(rng, {"W": (1, 1)}, some(momentum=True), steps=3)
    yield "other sizes", _probe(rng, {"b": (b,), "K": (2, c, 3)}, some(momentum=True, weight_decay=True), steps=3)
    yield "other sizes", _probe(rng, {"b": (1,)}, some(weight_decay=True), steps=2)
    yield "other sizes", _probe(rng, {f"{i}.W": (i + 1, a) for i in range(7)}, some(), steps=7)

    nesterov = {"momentum": True, "nesterov": True}
    yield "special values", _probe(rng, usual, some(**nesterov), steps=4)
    yield "special values", _probe(rng, usual, some(**nesterov, weight_decay=True), steps=4)
    yield "special values", _probe(rng, usual, some(weight_decay=True, decay="all"), steps=3)
    yield "special values", _probe(rng, usual, some(weight_decay=True, momentum=True, decay=["0.b", "2.W"]), steps=3)
    yield "special values", _probe(rng, usual, some(momentum=True), steps=4, zero=(1, 2))
    for options in ({}, {"momentum": True}, {**nesterov, "weight_decay": True}):
        yield (
            "special values",
            _probe(rng, usual, some(**options), steps=4, lrs=[float(x) for x in rng.uniform(0.01, 0.5, 3)]),
        )

    full = {"momentum": True, "weight_decay": True}
    for options in ({}, full, {**full, **nesterov}):
        yield "contract", _probe(rng, usual, some(**options), steps=3, kind="Grads", checked=True)
        yield "contract", _probe(rng, usual, some(**options), steps=3, checked=True)
    yield "contract", _probe(rng, usual, some(**full), steps=3, dtype="float32", checked=True)
    yield "contract", _two(rng, usual, some(**full), some(**full))


def _arrays(rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]], steps: int) -> dict[str, Array]:
    arrays = {f"w {name}": mixed(rng, *shape) for name, shape in shapes.items()}
    arrays.update({f"g{n} {name}": mixed(rng, *shape) for n in range(steps) for name, shape in shapes.items()})
    return arrays


def _probe(
    rng: np.random.Generator,
    shapes: Mapping[str, tuple[int, ...]],
    options: Mapping[str, Any],
    *,
    steps: int,
    kind: str = "dict",
    lrs: Sequence[float] = (),
    zero: Sequence[int] = (),
    dtype: str = "float64",
    checked: bool = False,
) -> Probe:
    """Some steps; `lrs` are the learning rates from the second on, `zero` the steps whose gradients are all zero."""
    arrays = _arrays(rng, shapes, steps)
    script: list[Step] = [["make", "a", dict(options)]]
    for n in range(steps):
        if n and lrs:
            script.append(["set", "a", "lr", lrs[n - 1]])
        script += [["step", "a", n, kind], ["report", "a", f" after step {n + 1}"]]
    for n in zero:
        arrays.update({name: 0 * array for name, array in arrays.items() if name.startswith(f"g{n} ")})
    if checked:
        script += [["held", "a"], ["after", "a", 0]]
    arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    return Probe("optimizer", "optim.sgd", "SGD", dict(options), arrays, script)


def _two(
    rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]], one: Mapping[str, Any], other: Mapping[str, Any]
) -> Probe:
    """Two optimizers in turn, which must not share a velocity."""
    arrays = _arrays(rng, shapes, 4)
    script: list[Step] = [["make", "a", dict(one)], ["make", "b", dict(other)]]
    for n in range(4):
        name = "ab"[n % 2]
        script += [["step", name, n, "dict"], ["report", name, f" after step {n // 2 + 1} of optimizer {name}"]]
    return Probe("optimizer", "optim.sgd", "SGD", dict(one), arrays, script)
