"""Known mistakes, each as code that makes it.

What is wrong with a layer's backward is the gradient checker's business.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from handgrad.assignment.judge import first_attempt, judge
from handgrad.assignment.probes import CHECKS, KINDS, Probe, run
from handgrad.assignment.raised import essence
from handgrad.params import Array

MOST_ASKED, FEW = 5, 2
"""Answers of each check that known mistakes are tried on; of the other checks where values are wrong already."""

MOST_VAIN = 4
"""So many answers that no known mistake explains are tried on all of them."""

MOST = 3
"""So many known mistakes are named."""


@dataclass(frozen=True)
class Mistake:
    """A known mistake, and what a probe's first attempt gives where it is made: arrays, or the message of an error."""

    sentence: str
    arrays: Mapping[str, Array] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Given:
    """What was given to a probe: arrays, or the message of the error in their place."""

    check: str
    probe: Probe
    arrays: Mapping[str, Array] = field(default_factory=dict)
    error: str | None = None
    allows_single: bool = False
    """Whether the arrays need be those of a mistake to single precision only."""


def known(task: str, wrong: Sequence[Given], right: Sequence[Given] = ()) -> list[str]:
    """The known mistakes that the wrong answers to a task come of, in sentences: the fewest that explain the most.

    A mistake that explains wrong answers by coincidence is not named: where values are wrong it must explain one of
    these, and where they are right, it must give them, too, and what else is right of the checks that are not.
    """
    tried = [one for one in wrong if one.check == "values"][:MOST_ASKED]
    first = set(range(len(tried)))
    others = FEW if first else MOST_ASKED
    for check in CHECKS[1:]:  # numbers first: they tell more than errors
        tried += sorted((w for w in wrong if w.check == check), key=lambda w: not first_attempt(w.arrays))[:others]
    explains = _explained(task, tried)
    if first:
        explains = {sentence: numbers for sentence, numbers in explains.items() if numbers & first}
    numeric = {number for number, one in enumerate(tried) if first_attempt(one.arrays)}
    if numeric:  # many mistakes raise the same error: numbers tell them apart
        explains = {sentence: numbers for sentence, numbers in explains.items() if numbers & numeric}
    checks = {"values"} if first else {"values", *(one.check for one in tried)}
    must = [one for one in right if one.check in checks and first_attempt(one.arrays)]
    for one in must:
        if not explains:
            break
        same = {mistake.sentence for mistake in mistakes(task, one.probe, explains) if _equals(one, mistake)}
        explains = {sentence: numbers for sentence, numbers in explains.items() if sentence in same}
    found: list[str] = []
    while explains and len(found) < MOST:
        sentence = max(explains, key=lambda name: len(explains[name]))
        numbers = explains.pop(sentence)
        if not numbers:
            break
        found.append(sentence)
        explains = {name: rest - numbers for name, rest in explains.items()}
    return found


def _explained(task: str, tried: Sequence[Given]) -> dict[str, set[int]]:
    """Which of the answers each sentence explains. All mistakes are tried on those that none explains as yet."""
    explains: dict[str, set[int]] = {}
    vain = 0
    for number in sorted(range(len(tried)), key=lambda n: not first_attempt(tried[n].arrays)):
        if vain < MOST_VAIN and not any(number in numbers for numbers in explains.values()):
            one = tried[number]
            same = dict.fromkeys(mistake.sentence for mistake in mistakes(task, one.probe) if _equals(one, mistake))
            vain += not same
            for sentence in same:
                explains[sentence] = {
                    n
                    for n, other in enumerate(tried)
                    if n == number or any(_equals(other, m) for m in mistakes(task, other.probe, (sentence,)))
                }
    return explains


def _equals(given: Given, mistake: Mistake) -> bool:
    if given.error is not None:
        return bool(mistake.error) and essence(given.error).endswith(essence(mistake.error))
    theirs, of_mistake = first_attempt(given.arrays), first_attempt(mistake.arrays)
    return bool(theirs and of_mistake) and judge(theirs, of_mistake, allows_single=given.allows_single).right


def mistakes(task: str, probe: Probe, sentences: Container[str] | None = None) -> Iterator[Mistake]:
    """Each known mistake in `task`, such as "sgd.step", at `probe`; those with these `sentences`, if they are given."""
    part = task.partition(".")[0]
    module = import_module(f"handgrad.assignment.mistakes.{KINDS.get(part, 'layer')}")
    first = probe.only()
    known: Mapping[str, Mapping[str, str]] = module.MISTAKES
    code: Callable[[str, str], Callable[..., Any]] = module.code
    for mistake, sentence in known.get(task, {}).items():
        if sentences is not None and sentence not in sentences:
            continue
        try:
            with np.errstate(all="ignore"):
                yield Mistake(sentence, run(first, code(mistake, part)))
        except Exception as error:
            yield Mistake(sentence, error=str(error))
