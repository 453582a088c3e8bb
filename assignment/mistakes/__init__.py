"""Known mistakes in the container, the optimizer and the loop, each as code that makes it.

    for sentence, arrays in mistaken(task, probe):
        ...     what `run(probe)` would give if that mistake were made

A layer's mistakes are the gradient checker's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from handgrad.assignment.probes import Probe, run
from handgrad.params import Array

PARTS = {"sequential": "container", "sgd": "optimizer", "train": "loop"}


def mistaken(task: str, probe: Probe) -> Iterator[tuple[str, dict[str, Array]]]:
    """(sentence, arrays) of each known mistake in `task`, such as "sgd.step"; none for other parts' tasks."""
    part, _, step = task.partition(".")
    if part not in PARTS:
        return
    module = import_module(f"handgrad.assignment.mistakes.{PARTS[part]}")
    known: Mapping[str, Mapping[str, str]] = module.MISTAKES
    code: Callable[[str], Callable[..., Any]] = module.code
    for mistake, sentence in known.get(step, {}).items():
        try:
            with np.errstate(all="ignore"):
                yield sentence, run(probe, code(mistake))
        except Exception:  # a mistake may raise where the shapes do not fit
            continue
