"""Known mistakes, each as code that makes it.

What is wrong with a layer's backward is the gradient checker's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from handgrad.assignment.probes import Probe, run
from handgrad.params import Array

PARTS = {"sequential": "container", "sgd": "optimizer", "train": "loop"}


@dataclass(frozen=True)
class Mistake:
    """A known mistake, and what `run(probe)` gives where it is made: arrays, or the message of an error."""

    sentence: str
    arrays: Mapping[str, Array] = field(default_factory=dict)
    error: str = ""


def mistakes(task: str, probe: Probe) -> Iterator[Mistake]:
    """Each known mistake in `task`, such as "sgd.step", at `probe`; none where none are known."""
    part = task.partition(".")[0]
    module = import_module(f"handgrad.assignment.mistakes.{PARTS.get(part, 'layer')}")
    known: Mapping[str, Mapping[str, str]] = module.MISTAKES
    code: Callable[[str, str], Callable[..., Any]] = module.code
    for mistake, sentence in known.get(task, {}).items():
        try:
            with np.errstate(all="ignore"):
                yield Mistake(sentence, run(probe, code(mistake, part)))
        except Exception as error:
            yield Mistake(sentence, error=str(error))
