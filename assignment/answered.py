"""Whether a task's answers to its probes are what they must be by definition."""

from __future__ import annotations

import zlib

import numpy as np

from handgrad.assignment.definitions import answers
from handgrad.assignment.draws import probes_of
from handgrad.assignment.judge import Verdict, judge
from handgrad.assignment.mistakes import Given, known
from handgrad.assignment.probes import ALONE, Probe, attempts, run
from handgrad.checking.report import Finding, Report
from handgrad.checking.subject import LayerError
from handgrad.params import Array

LEANS = "leans"
"""The item of a finding that can be another task's fault: without that one's help the answer was right."""


def report_on(task: str, seed: int, *, names_single: bool = False) -> Report:
    """Puts the probes of a task to the code that is importable as `handgrad`. One finding says what is wrong.

    `names_single` says that this code names single precision, and need be right to that only.
    """
    rng = np.random.default_rng([seed, zlib.crc32(task.encode())])
    found: list[Finding] = []
    wrong: list[Given] = []
    right: list[Given] = []
    for check, probe in probes_of(task, rng):
        allows_single = names_single or probe.is_single
        finding, answer = _looked_at(task, check, probe, allows_single)
        if finding is not None:
            found.append(finding)
        if answer is not None:
            (right if finding is None else wrong).append(Given(check, probe, answer, allows_single=allows_single))
    if not found:
        return Report(task, seed)
    first = next((finding for finding in found if finding.item != LEANS), found[0])
    first.also = list(dict.fromkeys(finding.where for finding in found if finding.where != first.where))
    if first.kind == "value":
        causes = known(task, wrong, right)
        first.message = f"{causes[0]} ({first.message})." if causes else f"{first.message}."
    return Report(task, seed, findings=[first])


def _looked_at(
    task: str, check: str, probe: Probe, allows_single: bool
) -> tuple[Finding | None, dict[str, Array] | None]:
    """What is wrong with the answer to one probe, None where nothing is; and the answer, None where there is none."""
    try:
        answer = run(probe)
    except Exception as error:
        raised = LayerError(task.partition(".")[2], error)
        place = f" at {raised.place}" if raised.place else ""
        return Finding(task, "crash", type(error).__name__, f"{raised}{place}.", f"in {check}"), None
    wanted = answers(probe)
    verdicts = {
        n: judge(arrays, wanted[n], allows_single=allows_single) for n, arrays in attempts(answer) if n < len(wanted)
    }
    first = verdicts.get(0, Verdict(False, "it raised an error"))
    without = [verdicts[n] for n, (kind, _) in enumerate(probe.attempts()) if kind == ALONE and n in verdicts]
    if first.right:
        return None, answer
    if not (without and without[0].right):
        return Finding(task, "value", "", [*without, first][0].sentence, f"in {check}"), answer
    alone = f"{first.sentence}; by itself it is right, so look at what the part's other task leaves for it"
    return Finding(task, "value", "", alone, f"in {check}", LEANS), answer
