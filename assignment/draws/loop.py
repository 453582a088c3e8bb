"""The questions about the training loop: data, batch sizes, a loss that is not finite, a run that is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.assignment.draws.numbers import LARGE, mixed, sizes_apart
from handgrad.assignment.probes.probe import ALONE, Probe, Step


def draw(part: str, step: str, rng: np.random.Generator) -> Iterator[tuple[str, Probe]]:
    """The probes of the loop's forward or update; ValueError for another step."""
    if step not in ("forward", "update"):
        raise ValueError(f"{part}.{step}: nothing is known to ask of it; known are forward and update")
    alone = ["first", "forward"] if step == "forward" else ["try", "fixed"]
    script: list[Step] = [["run", step], ["or", ALONE], alone]

    def probe(rows: int, batch: int, sizes: tuple[int, int] = (2, 8), **options: Any) -> Probe:
        inputs, outputs = sizes_apart(rng, 2, *sizes)
        arrays = {
            "x": mixed(rng, rows, inputs),
            "y": mixed(rng, rows, outputs),
            "k": mixed(rng, outputs),
            "columns": rng.permutation(np.resize(rng.permutation(inputs), outputs)),
            "upstream": mixed(rng, batch, outputs),
            "inputs": mixed(rng, batch, inputs),
        }
        settings = {"batch_size": batch, "epochs": 2, "rng": int(rng.integers(2**31)), **options}
        return Probe("loop", "train", "train", settings, arrays, script)

    yield "values", probe(7, 3)
    yield "values", probe(int(rng.integers(8, 12)), 4, epochs=3)
    yield "values", probe(int(rng.integers(70, 90)), 30, LARGE, epochs=3)
    yield "other sizes", probe(3, 1)
    yield "other sizes", probe(5, 8, epochs=1)
    yield "other sizes", probe(6, 6)
    yield "special values", probe(7, 3, nan_at=1)
    yield "special values", probe(7, 3, nan_at=5)
    yield "contract", probe(9, 2, stop_at=int(rng.integers(2, 5)))
    yield "contract", probe(5, 2, threads=1)
