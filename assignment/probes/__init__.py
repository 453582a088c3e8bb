"""What is asked of a part's code: arrays in, arrays out, for the student's check and the grader alike.

    for check, probe in draws.probes_of("fc.backward", np.random.default_rng(seed)):
        answer = run(probe)             of whichever tree is importable as `handgrad`

Nothing here knows what is right: that is what the same probe gives when it is run on the solved source.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from handgrad.assignment.probes.probe import ALONE, BESIDE, CHECKS, MOVED, OTHERWISE, Attempt, Probe, attempts
from handgrad.params import Array

__all__ = ["ALONE", "BESIDE", "CHECKS", "KINDS", "MOVED", "OTHERWISE", "Attempt", "Probe", "attempts", "run", "runner"]

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
    for number, (_, script) in enumerate(probe.attempts()):
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
