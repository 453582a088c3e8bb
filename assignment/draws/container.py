"""The questions about a container: models of toys, batch after batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from handgrad.assignment.draws.numbers import LARGE, mixed, sizes_apart
from handgrad.assignment.probes.probe import ALONE, MOVED, Probe, Step
from handgrad.params import Array


class Drawing:
    """Draws a model layer by layer, of arrays that it names."""

    def __init__(self, rng: np.random.Generator, width: int, rows: int) -> None:
        self.rng, self.width = rng, width
        self.arrays: dict[str, Array] = {"x": mixed(rng, rows, width)}
        self.layers: list[Any] = []
        self.rows = rows

    def pick(self, width: int) -> list[str]:
        n = len(self.arrays)
        columns = self.rng.permutation(np.resize(self.rng.permutation(self.width), width))
        self.arrays.update({f"k{n}": mixed(self.rng, width), f"columns{n}": columns})
        self.width = width
        return ["Pick", f"k{n}", f"columns{n}"]

    def stretch(self) -> list[str]:
        n = len(self.arrays)
        self.arrays.update({f"t{n}": self.rng.uniform(-0.5, 0.5, 1), f"s{n}": mixed(self.rng, 1)})
        return ["Stretch", f"t{n}", f"s{n}"]

    def more(self, rows: int, suffix: str, x_width: int) -> None:
        """Another batch and its upstream gradient."""
        self.arrays[f"x{suffix}"] = mixed(self.rng, rows, x_width)
        self.arrays[f"upstream{suffix}"] = mixed(self.rng, rows, self.width)

    def probe(self, layers: Sequence[Any], script: Sequence[Step], shape: Sequence[int] = ()) -> Probe:
        """`shape` is that of the upstream, where it is not that of a batch of vectors."""
        self.arrays["upstream"] = mixed(self.rng, *(shape or (self.rows, self.width)))
        return Probe("container", "model", "Sequential", {"layers": list(layers)}, self.arrays, script)


def draw(part: str, step: str, rng: np.random.Generator) -> Iterator[tuple[str, Probe]]:
    """The probes of a container's forward or backward; ValueError for another step."""
    if step not in ("forward", "backward"):
        raise ValueError(f"{part}.{step}: nothing is known to ask of it; known are forward and backward")
    script: list[Step] = [["forward", "y", "x"]]
    if step == "backward":
        script = _either([["forward", None, "x"], ["backward", "", "upstream"]])
    widths = sizes_apart(rng, 5)

    d = Drawing(rng, widths[0], widths[4])
    yield "values", d.probe([d.pick(widths[1]), ["Bend"], d.pick(widths[2])], script)
    d = Drawing(rng, widths[0], widths[4])
    yield "values", d.probe([d.stretch(), ["Bend"], d.pick(widths[2]), d.stretch(), d.pick(widths[3])], script)

    wide = sizes_apart(rng, 4, *LARGE)
    d = Drawing(rng, wide[0], widths[4])
    layers: list[Any] = [d.pick(wide[1]), ["Bend"], d.stretch(), d.pick(wide[2])]
    d.more(wide[3], " large", wide[0])
    d.more(widths[3], " later", wide[0])
    yield "values", d.probe(layers, _many(rng, step))

    for rows, batch in ((1, widths[0]), (widths[3], widths[3])):
        d = Drawing(rng, batch, rows)
        yield "other sizes", d.probe([d.pick(widths[1]), d.stretch(), ["Bend"], d.pick(widths[0])], script)
    d = Drawing(rng, widths[0], widths[1])
    layers = [layer for _ in range(4) for layer in (d.pick(int(rng.integers(2, 9))), ["Bend"], d.stretch())]
    yield "other sizes", d.probe(layers, script)

    for layers in ([["Bend"]], [["Bend"], ["Sequential", ["Bend"]]]):
        d = Drawing(rng, widths[0], widths[1])
        d.arrays["x"], shape = mixed(rng, *widths[:3]), widths[:3]
        yield "other sizes", d.probe(layers, script, shape)
    for kinds in ("Pick",), ("Bend",), ("Bend", "Bend"), ("Bend", "Pick"), ("Pick", "Bend"), ():
        d = Drawing(rng, widths[0], widths[1])
        yield "special values", d.probe([d.pick(widths[2]) if kind == "Pick" else [kind] for kind in kinds], script)
    d = Drawing(rng, widths[0], widths[4])
    layers = [d.stretch(), ["Sequential", d.pick(widths[1]), ["Bend"], d.stretch()], d.pick(widths[2])]
    layers.append(["Sequential", ["Sequential", d.pick(widths[3])], ["Bend"]])
    yield "special values", d.probe(layers, script)

    d = Drawing(rng, widths[0], widths[4])
    layers = [d.pick(widths[1]), ["Bend"], d.stretch(), d.pick(widths[2])]
    d.more(widths[3], " later", widths[0])
    d.more(widths[4], " second", widths[0])
    if step == "forward":
        calls: list[Step] = [["forward", "y", "x"], ["forward", "y of the second batch", "x second"]]
        calls += [
            ["forward", "y of a batch of another size", "x later"],
            ["forward", "y of the first batch again", "x"],
        ]
        calls += [["after", ["x", "x second", "x later"]], ["params"], ["kept"]]
        yield "contract", d.probe(layers, calls)
    else:
        calls = [["forward", None, "x"], ["backward", "", "upstream"]]
        calls += [["backward", " of a second backward", "upstream second"], ["forward", None, "x second"]]
        calls += [["backward", " of the second batch", "upstream"], ["forward", None, "x later"]]
        calls += [["backward", " of a batch of another size", "upstream later"], ["params"], ["kept"]]
        calls += [["after", ["x", "x second", "x later", "upstream", "upstream second", "upstream later"]]]
        yield "contract", d.probe(layers, _either(calls))
    yield "contract", _trained(rng, widths, step)
    d = Drawing(rng, widths[0], widths[4])
    layers = [d.pick(widths[1]), ["Bend"], d.stretch(), d.pick(widths[2])]
    single = d.probe(layers, script)
    arrays = {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in single.arrays.items()}
    yield "contract", Probe(single.kind, single.module, single.name, single.options, arrays, script)


def _trained(rng: np.random.Generator, widths: Sequence[int], step: str) -> Probe:
    """Two rounds as train() has them, with an odd last batch, and two more of which dx is read."""
    d = Drawing(rng, widths[0], widths[4])
    layers = [["Bend"], d.pick(widths[1]), ["Sequential", ["Bend"], d.stretch()], d.pick(widths[2])]
    d.more(widths[3], " later", widths[0])
    calls: list[Step] = []
    for wants_dx, when in ((False, " in training"), (True, " with dx")):
        calls.append(["workspace", wants_dx])
        for suffix in ("", " later"):
            calls.append(["forward", f"y{suffix}{when}" if step == "forward" else None, f"x{suffix}"])
            if step == "backward":
                calls.append(["backward", f"{suffix}{when}", f"upstream{suffix}"])
    return d.probe(layers, calls if step == "forward" else _either(calls))


def _many(rng: np.random.Generator, step: str) -> Sequence[Step]:
    """Calls of one model in any order, two with a batch of dozens of rows."""
    suffixes = rng.permutation(["", " later"] * 4 + [" large"] * 2)
    calls: list[Step] = []
    for n, suffix in enumerate(map(str, suffixes), 1):
        if step == "forward":
            calls.append(["forward", f"y{suffix} at call {n}", f"x{suffix}"])
        else:
            calls.append(["forward", None, f"x{suffix}"])
            calls.append(["backward", f"{suffix} at call {n}", f"upstream{suffix}"])
    return calls if step == "forward" else _either(calls)


def _either(script: Sequence[Step]) -> list[Step]:
    """The script, and further attempts: without the student's forward, and with its cache in another model."""
    second = [["prepare", step[2]] if step[0] == "forward" else step for step in script]
    third = [new for step in script for new in ([step, ["move"]] if step[0] == "forward" else [step])]
    return [*script, ["or", ALONE], *second, ["or", MOVED], *third]
