"""Whether a task's answers to its probes are what they must be by definition."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from handgrad.assignment.definitions import answers
from handgrad.assignment.mistakes import mistakes
from handgrad.assignment.probes import Probe, attempts, probes_of, run
from handgrad.checking.report import Finding, Report
from handgrad.checking.subject import LayerError
from handgrad.params import Array

DOUBLE, SINGLE = 1e-9, 2e-5
"""What an entry may be off, relative to the largest of its array."""

LEANS = "leans"
"""The item of a finding that can be another task's fault: without that one's help the answer was right."""

ENOUGH = 4
"""Known mistakes are tried on so many wrong answers."""

KEPT = {
    " afterwards": "was changed by the call; it must stay as it was",
    " later": "was overwritten by a later call; what is returned must stay as it is",
}
"""By the ending of a result's name what is wrong when it differs."""


Given = tuple[Probe, Mapping[str, Array]]
"""A probe and the wrong answer to it."""


def report_on(task: str, seed: int) -> Report:
    """Puts the probes of a task to the code that is importable as `handgrad`. One finding says what is wrong."""
    rng = np.random.default_rng([seed, zlib.crc32(task.encode())])
    found: list[Finding] = []
    wrong: list[Given] = []
    for check, probe in probes_of(task, rng):
        finding, answer = _looked_at(task, check, probe)
        if finding is not None:
            found.append(finding)
            wrong += [] if answer is None else [(probe, answer)]
    if not found:
        return Report(task, seed)
    first = next((finding for finding in found if finding.item != LEANS), found[0])
    first.also = list(dict.fromkeys(finding.where for finding in found if finding.where != first.where))
    if first.kind == "value":
        cause = _cause(task, wrong)
        first.message = f"{cause} ({first.message})." if cause else f"{first.message}."
    return Report(task, seed, findings=[first])


def _looked_at(task: str, check: str, probe: Probe) -> tuple[Finding | None, dict[str, Array] | None]:
    """What is wrong with the answer to one probe, None where nothing is; and the answer, None where there is none."""
    try:
        answer = run(probe)
    except Exception as error:
        raised = LayerError(task.partition(".")[2], error)
        place = f" at {raised.place}" if raised.place else ""
        return Finding(task, "crash", type(error).__name__, f"{raised}{place}.", f"in {check}"), None
    wanted = answers(probe)
    wrong = {number: difference(arrays, wanted[number]) for number, arrays in attempts(answer)}
    first, last = wrong.get(0, "it raised an error"), list(wrong.values())[-1]
    if not first:
        return None, None
    if last:
        return Finding(task, "value", "", last, f"in {check}"), answer
    alone = f"{first}; by itself it is right, so look at what the part's other task leaves for it"
    return Finding(task, "value", "", alone, f"in {check}", LEANS), answer


def _cause(task: str, wrong: Sequence[Given]) -> str:
    """The known mistake whose very numbers the most of the wrong answers are, as a sentence; "" if there is none."""
    explains: Counter[str] = Counter()
    for probe, answer in wrong[:ENOUGH]:
        for mistake in mistakes(task, probe):
            if mistake.arrays and not difference(_first(answer), _first(mistake.arrays)):
                explains[mistake.sentence] += 1
    return max(explains, key=lambda sentence: explains[sentence], default="")


def _first(answer: Mapping[str, Array]) -> dict[str, Array]:
    """What the first attempt gave."""
    return next((arrays for number, arrays in attempts(answer) if number == 0), {})


def difference(given: Mapping[str, Array], wanted: Mapping[str, Array]) -> str:
    """The first result that is not what it must be, in words; "" if all are."""
    for name, want in wanted.items():
        if name not in given:
            return f"there is no {name}"
        got = given[name]
        if got.shape != want.shape:
            return f"{name} must have the shape {list(want.shape)}, got {list(got.shape)}"
        off = np.abs(np.where(np.isfinite(got), got, np.inf) - want)
        if np.all(off <= _precision(got) * np.abs(want).max(initial=0.0)):
            continue
        for ending, words in KEPT.items():
            if name.endswith(ending):
                return f"{name.removesuffix(ending)} {words}"
        worst = np.unravel_index(np.argmax(off), off.shape)
        place = str([int(i) for i in worst]) if worst else ""
        return f"{name}{place} is {float(got[worst]):.6g} and must be {float(want[worst]):.6g}"
    more = [name for name in given if name not in wanted]
    return f"there is {more[0]}, which nothing asks for" if more else ""


def _precision(got: Array) -> float:
    """Numbers that single precision has, too, are judged at single precision."""
    return SINGLE if np.array_equal(got, got.astype(np.float32)) else DOUBLE
