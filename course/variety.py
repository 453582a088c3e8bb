"""Probes of great variety: whether code that the assignment's own probes find no fault in is the same as the solution.

They are drawn apart from assignment/draws/, so that a gap there is none here; only what runs them is shared. Numbers
go up to 1e30: what happens where differences overflow is no task of students.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.assignment.assignment import Part
from handgrad.assignment.probes import KINDS, Probe
from handgrad.assignment.probes.probe import Step
from handgrad.params import Array

ROUNDS = 24
EXTREMES = (0.0, -0.0, 1.0, -1.0, 1e-30, -1e-30, 40.0, -40.0, 800.0, -800.0, 1e4, -1e4, 1e30, -1e30)
LESSON = "assignment/probes/lesson.py"
"""Where the file that trains a network lies in the tree that is asked."""


def varied(part: Part, rng: np.random.Generator) -> list[Probe]:
    """Probes of all tasks of a part; none for a class that nothing is known about."""
    draw = {"container": _container, "optimizer": _optimizer, "loop": _loop}.get(KINDS.get(part.name, ""))
    return [*(draw(rng) if draw else _layer(part, rng)), *lessons()]


def lessons() -> list[Probe]:
    """Networks trained as a user does, in the training loop's own memory."""
    return [
        Probe("lesson", "train", "train", {"batch": batch, "dtype": dtype, "sgd": sgd, "bias": bias})
        for batch, dtype, sgd, bias in (
            (5, "float64", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}, True),
            (8, "float64", {"lr": 0.1}, False),
            (1, "float64", {"lr": 0.02, "momentum": 0.5}, True),
            (5, "float32", {"lr": 0.1, "weight_decay": 0.1}, True),
        )
    ]


def lesson_file() -> bytes:
    """What runs probes of the kind "lesson"."""
    return Path(__file__).with_name("lesson.py").read_bytes()


def _numbers(rng: np.random.Generator, shape: Sequence[int], number: int) -> Array:
    """Numbers of both signs, small or large or whole, some of them extreme."""
    x: Array = rng.standard_normal(tuple(shape)) * (1.0, 30.0, 0.01, 1e3)[number % 4]
    if number % 3 == 1:
        x = np.round(x)
    if number % 5 == 4:
        x = np.where(rng.random(x.shape) < 0.3, rng.choice(EXTREMES, x.shape), x)
    return x


def _layer(part: Part, rng: np.random.Generator) -> Iterator[Probe]:
    from handgrad.checking.specimens import SPECIMENS

    cls = {name.lower(): name for name in SPECIMENS}.get(part.name.replace("_", ""))
    if cls is None:
        return
    module = part.file.removesuffix(".py").replace("/", ".")
    is_loss = part.file.startswith("losses/")
    for specimen in SPECIMENS[cls]:
        for number in range(ROUNDS):
            sizes = {symbol: int(rng.integers(1, 10)) for symbol in specimen.sizes}
            if is_loss:  # of one class, most labels are none
                sizes = {symbol: size + (i > 0) for i, (symbol, size) in enumerate(sizes.items())}
            dtype = "float32" if number % 6 == 5 else "float64"
            options: dict[str, Any] = dict(specimen.options)
            original = getattr(import_module(f"handgrad.{module}"), cls)
            if "rng" in signature(original).parameters:
                options["rng"] = number
            if cls == "FC":
                options["dtype"] = dtype
            layer = original(*specimen.arguments(sizes), **options)
            arrays: dict[str, Array] = {}
            for suffix in ("", " later"):
                sizes = {**sizes, next(iter(sizes)): int(rng.integers(1, 10))} if suffix else sizes
                for name, shape in specimen.inputs.items():
                    x = _numbers(rng, [sizes.get(symbol) or int(symbol) for symbol in shape.split()], number)
                    arrays[name + suffix] = _within((specimen.domain or {}).get(name), x).astype(dtype)
                extra = specimen.extra(sizes, rng) if specimen.extra else ()
                arrays.update({f"labels{i}{suffix}": np.asarray(one) for i, one in enumerate(extra)})
            inputs = [name for name in arrays if not name.endswith(" later")]
            with np.errstate(all="ignore"):
                shapes = [np.shape(layer.forward(*[arrays[n + s] for n in inputs])) for s in ("", " later")]
            params = {
                name: _numbers(rng, array.shape, number % 4).astype(dtype) for name, array in layer.params.items()
            }
            ups: list[Any] = [float(rng.standard_normal()) for _ in range(3)]
            if not is_loss:
                handed = dict(zip(("u", "u second", "u later"), (shapes[0], *shapes), strict=True))
                arrays.update({name: rng.standard_normal(shape).astype(dtype) for name, shape in handed.items()})
                ups = list(handed)
            grads = ["dscores"] if is_loss else [f"d{name}" for name in specimen.inputs]
            script: list[Step] = [
                ["make", "a", list(specimen.arguments(sizes)), options],
                ["make", "b", list(specimen.arguments(sizes)), options],
                *[["set", "a", name, name] for name in params],
                ["forward", "a", "y", inputs],
                ["forward", "b", "y of b", [f"{name} later" for name in inputs]],
                ["backward", "a", "", ups[0], grads],
                ["backward", "a", " second", ups[1], grads],
                ["backward", "b", " of b", ups[2], grads],
                ["forward", "a", "y later", [f"{name} later" for name in inputs]],
                ["backward", "a", " later", ups[2], grads],
                ["after", list(arrays)],
                ["params", "a", ""],
                ["kept"],
                ["shared"],
            ]
            yield Probe("layer", module, cls, {}, {**arrays, **params}, script)


def _within(domain: tuple[float | None, float | None] | None, x: Array) -> Array:
    low, high = domain or (None, None)
    x = x if low is None else np.abs(x) + low + 0.1
    return x if high is None else np.minimum(x, high)


def _container(rng: np.random.Generator) -> Iterator[Probe]:
    for number in range(ROUNDS):
        arrays: dict[str, Array] = {}
        start = int(rng.integers(1, 7))
        layers, width = _toys(rng, arrays, start, int(rng.integers(0, 6)), depth=2)
        for suffix in ("", " later"):
            rows = int(rng.integers(1, 7))
            arrays[f"x{suffix}"] = _numbers(rng, (rows, start), 0)
            arrays[f"u{suffix}"] = _numbers(rng, (rows, width), number % 3)
        dtype = "float32" if number % 6 == 5 else "float64"
        arrays = {name: array.astype(dtype) if array.dtype.kind == "f" else array for name, array in arrays.items()}
        arrays["u second"] = -2 * arrays["u"]
        script: list[Step] = [
            ["forward", "y", "x"],
            ["backward", "", "u"],
            ["backward", " second", "u second"],
            ["forward", "y later", "x later"],
            ["backward", " later", "u later"],
            ["after", ["x", "x later", "u", "u later", "u second"]],
            ["params"],
            ["kept"],
        ]
        yield Probe("container", "model", "Sequential", {"layers": layers}, arrays, script)


def _toys(
    rng: np.random.Generator, arrays: dict[str, Array], width: int, count: int, depth: int
) -> tuple[list[Any], int]:
    """Layers in a row, some of them rows themselves, and the width of their output."""
    layers: list[Any] = []
    for _ in range(count):
        n = len(arrays)
        kind = rng.choice(["Pick", "Bend", "Stretch", "Sequential"][: 4 if depth else 3])
        if kind == "Pick":
            new = int(rng.integers(1, 7))
            arrays.update({f"k{n}": rng.standard_normal(new), f"columns{n}": rng.integers(0, width, new)})
            layers.append(["Pick", f"k{n}", f"columns{n}"])
            width = new
        elif kind == "Stretch":
            arrays.update({f"t{n}": rng.uniform(-0.5, 0.5, 1), f"s{n}": rng.standard_normal(1)})
            layers.append(["Stretch", f"t{n}", f"s{n}"])
        elif kind == "Bend":
            layers.append(["Bend"])
        else:
            inner, width = _toys(rng, arrays, width, int(rng.integers(0, 3)), depth - 1)
            layers.append(["Sequential", *inner])
    return layers, width


def _optimizer(rng: np.random.Generator) -> Iterator[Probe]:
    for number in range(3 * ROUNDS):
        options: dict[str, Any] = {"lr": float(rng.uniform(0.01, 0.5))}
        if number % 2:
            options["momentum"] = float(rng.uniform(0.1, 0.95))
            options["nesterov"] = bool(number % 4 == 3)
        if number % 3:
            options["weight_decay"] = float(rng.uniform(0.01, 0.5))
            options["decay"] = ["weights", "all", ["0.b"]][number % 5 % 3]
        shapes: dict[str, tuple[int, ...]] = {"0.W": (2, 3), "0.b": (2,), "1.W": (1, int(rng.integers(1, 9)))}
        arrays = {f"w {name}": _numbers(rng, shape, 0) for name, shape in shapes.items()}
        for n in range(5):
            scale = 0.0 if n == number % 7 else 1.0
            arrays.update({f"g{n} {name}": scale * _numbers(rng, shape, 0) for name, shape in shapes.items()})
        dtype = "float32" if number % 6 == 5 else "float64"
        arrays = {name: array.astype(dtype) for name, array in arrays.items()}
        script: list[Step] = [["make", "a", options], ["make", "b", options]]
        for n in range(5):
            if n == 2:
                script.append(["set", "a", "lr", float(rng.uniform(0.01, 0.5))])
            for name in "ab":
                script += [["step", name, n, ("dict", "Grads")[number // 2 % 2]], ["report", name, f" {n} of {name}"]]
                script.append(["after", name, n])
        yield Probe("optimizer", "optim.sgd", "SGD", options, arrays, [*script, ["held", "a"]])


def _loop(rng: np.random.Generator) -> Iterator[Probe]:
    for number in range(ROUNDS):
        inputs, outputs, rows, batch = (int(size) for size in rng.integers(1, 7, 4))
        arrays = {
            "x": _numbers(rng, (rows, inputs), 0),
            "y": _numbers(rng, (rows, outputs), 0),
            "k": rng.standard_normal(outputs),
            "columns": rng.integers(0, inputs, outputs),
            "upstream": rng.standard_normal((batch, outputs)),
            "inputs": rng.standard_normal((batch, inputs)),
        }
        settings: dict[str, Any] = {"batch_size": batch, "epochs": int(rng.integers(1, 4)), "rng": number}
        ending: Mapping[str, int] = ({}, {"nan_at": 2}, {"stop_at": 2})[number % 3]
        for what in ("forward", "update"):
            yield Probe("loop", "train", "train", {**settings, **ending}, arrays, [["run", what]])
