"""What is asked of a container: Sequentials of toy layers, which change shapes and do not commute.

`options["layers"]` is the model: ["Pick", k, columns], ["Bend"], ["Stretch", t, s] with names of arrays, and
["Sequential", layer, ...] in it. Steps:

    forward result x            calls the model; the result's name may be None: not reported
    prepare x                   runs the toys one by one, and puts their caches where forward would have
    move                        gives the layers and the cache to another model, until the next forward
    backward suffix upstream
    after [arrays]              reports the arrays that were handed in as they are now
    params                      reports the toys' parameters as they are now
    workspace wants_dx          gives the model memory of its own, as train() does (with False: dx is not asked for)
    kept                        reports every earlier result as it is now
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from numpy import asarray

from handgrad.assignment.probes import toys
from handgrad.assignment.probes.probe import Probe, Record, Step, pair, taken
from handgrad.layers.base import Layer
from handgrad.layers.workspace import Workspace
from handgrad.params import Array, Grads


def run(probe: Probe, script: Sequence[Step], code: Any = None) -> dict[str, Array]:
    """The results of the script's steps by name."""
    cls = code or getattr(import_module(f"handgrad.{probe.module}"), probe.name)
    held = {name: array.copy() for name, array in probe.arrays.items()}
    toys_by_place: dict[str, Layer] = {}
    layers = list(_built(probe.options["layers"], held, cls, toys_by_place))
    model = asked = cls(*layers)
    params = {
        f"{place}{name}": asarray(array)
        for place, toy in toys_by_place.items()
        for name, array in vars(toy).get("_arrays", {}).items()
    }
    wants_dx = True
    record = Record()

    for word, *rest in script:
        if word == "forward":
            result, x = rest
            y, asked = model.forward(held[x]), model
            if result is not None:
                record.report(result, y)
        elif word == "prepare":
            _prepare(model, held[rest[0]], cls)
        elif word == "move":
            asked = cls(*layers)
            asked.cache, asked.workspace = model.cache, model.workspace
        elif word == "backward":
            suffix, upstream = rest
            dx, grads = pair(asked.backward(held[upstream]), "backward")
            if wants_dx:
                record.report("dx" + suffix, dx)
            record.report_grads("gradient of {}" + suffix, grads)
        elif word == "after":
            record.after(held, rest[0])
        elif word == "params":
            record.results.update({f"parameter {p} afterwards": taken(v, p) for p, v in params.items()})
        elif word == "kept":
            record.kept()
        elif word == "workspace":
            (wants_dx,) = rest
            model.workspace = Workspace(Grads.like(model.params), wants_dx=wants_dx)
    return record.results


def _built(
    layers: Sequence[Any], held: Mapping[str, Array], cls: type, toys_by_place: dict[str, Layer], place: str = ""
) -> Iterator[Any]:
    """The layers; each toy among them, those within others too, is put down under its place: "0.", "1.0."."""
    for i, (kind, *arguments) in enumerate(layers):
        here = f"{place}{i}."
        if kind == "Sequential":
            yield cls(*_built(arguments, held, cls, toys_by_place, here))
        else:
            toys_by_place[here] = toy = getattr(toys, kind)(*[held[name] for name in arguments])
            yield toy


def _prepare(model: Any, x: Array, cls: type) -> Array:
    for layer in model.layers:
        x = _prepare(layer, x, cls) if isinstance(layer, cls) else layer.forward(x)
    model.cache = [layer.cache for layer in model.layers]
    return x
