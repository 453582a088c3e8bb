"""Known mistakes, each as code that makes it.

What is wrong with a layer's backward is the gradient checker's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from handgrad.assignment.judge import first_attempt, judge
from handgrad.assignment.probes import CHECKS, Probe, run
from handgrad.params import Array

PER_CHECK = 2
"""Wrong answers of a check that known mistakes are tried on."""

MOST = 3
"""So many known mistakes are named."""

PARTS = {"sequential": "container", "sgd": "optimizer", "train": "loop"}


@dataclass(frozen=True)
class Mistake:
    """A known mistake, and what `run(probe)` gives where it is made: arrays, or the message of an error."""

    sentence: str
    arrays: Mapping[str, Array] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Wrong:
    """What was given to a probe, and is wrong: arrays, or the message of the error in their place."""

    check: str
    probe: Probe
    arrays: Mapping[str, Array] = field(default_factory=dict)
    error: str | None = None


def known(task: str, wrong: Sequence[Wrong]) -> list[str]:
    """The known mistakes that the wrong answers to a task come of, in sentences: the fewest that explain the most.

    Where values are wrong, a mistake that explains none of these is a coincidence at a special value, and not named.
    """
    tried = [one for check in CHECKS for one in [w for w in wrong if w.check == check][:PER_CHECK]]
    first = {number for number, one in enumerate(tried) if one.check == CHECKS[0]}
    explains: dict[str, set[int]] = {}
    for number, one in enumerate(tried):
        for mistake in mistakes(task, one.probe):
            if _equals(one, mistake):
                explains.setdefault(mistake.sentence, set()).add(number)
    if first:
        explains = {sentence: numbers for sentence, numbers in explains.items() if numbers & first}
    found: list[str] = []
    while explains and len(found) < MOST:
        sentence = max(explains, key=lambda name: len(explains[name]))
        numbers = explains.pop(sentence)
        if not numbers:
            break
        found.append(sentence)
        explains = {name: rest - numbers for name, rest in explains.items()}
    return found


def _equals(wrong: Wrong, mistake: Mistake) -> bool:
    if wrong.error is not None:
        return bool(mistake.error) and wrong.error.endswith(mistake.error)
    if not mistake.arrays:
        return False
    return judge(first_attempt(wrong.arrays), first_attempt(mistake.arrays), single=wrong.probe.is_single).right


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
