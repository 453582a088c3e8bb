"""The questions about an optimizer: settings, shapes of parameters, some steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from handgrad.assignment.draws.numbers import LARGE, mixed, sizes_apart
from handgrad.assignment.probes.probe import Probe, Step
from handgrad.params import Array


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
