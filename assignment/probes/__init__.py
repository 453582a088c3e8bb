"""What is asked of a part's code: arrays in, arrays out, for the student's check and the grader alike.

    for check, probe in probes_of("fc.backward", np.random.default_rng(seed)):
        answer = run(probe)             of whichever tree is importable as `handgrad`

Nothing here knows what is right: that is what the same probe gives when it is run on the solved source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from handgrad.assignment.probes.probe import CHECKS, OTHERWISE, Attempt, Probe, attempts
from handgrad.params import Array

__all__ = ["CHECKS", "KINDS", "OTHERWISE", "Attempt", "Probe", "attempts", "probes_of", "run", "runner"]

Drawn = Iterator[tuple[str, Probe]]
KINDS = {"sequential": "container", "sgd": "optimizer", "train": "loop"}
"""By part; every other part is a layer or a loss."""


_runners: dict[str, Callable[..., dict[str, Array]]] = {}


def run(probe: Probe, code: Callable[..., Any] | None = None) -> dict[str, Array]:
    """Executes `probe`: every result by name, as it was when it was returned.

    `code` is asked instead of the class or function that the probe names.

    A script of several attempts gives those of each that came to its end, the later ones' names led by OTHERWISE.
    When none did, the first one's error is raised.
    """
    ask = runner(probe.kind)
    results: dict[str, Array] = {}
    error: Exception | None = None
    ended = 0
    for number, script in enumerate(probe.scripts()):
        try:
            answer = ask(probe, script, code)
        except Exception as caught:
            error = error or caught
            continue
        ended += 1
        results.update({OTHERWISE * number + name: array for name, array in answer.items()})
    if error is not None and not ended:
        raise error
    return results


def runner(kind: str) -> Callable[..., dict[str, Array]]:
    """What runs a script of that kind. It is imported once: later imports may find what a student has changed."""
    if kind not in _runners:
        _runners[kind] = import_module(f"handgrad.assignment.probes.{kind}").run
    return _runners[kind]


def probes_of(task: str, rng: np.random.Generator) -> list[tuple[str, Probe]]:
    """(check, probe) for all that is asked of `task`, such as "fc.backward"; the same for generators of one seed.

    `check` is one of CHECKS. Raises ValueError for a task that nothing is known to ask of.
    """
    part, _, step = task.partition(".")
    module = import_module(f"handgrad.assignment.probes.{KINDS.get(part, 'layer')}")
    draw: Callable[[str, str, np.random.Generator], Drawn] = module.draw
    return list(draw(part, step, rng))
