"""What is found of each task of a part: blank, right or wrong, and why.

A part is checked in a process of its own, where it is imported beside the other parts as they were handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handgrad.assignment.answered import LEANS
from handgrad.assignment.asked import FORWARD, is_layer
from handgrad.assignment.assignment import Part, Task
from handgrad.assignment.blanks import state_of
from handgrad.assignment.explained import ABOUT_VALUES
from handgrad.checking import child
from handgrad.checking.report import Finding, Report

RIGHT, WRONG, BLANK, WAITING = "right", "wrong", "blank", "waits"


@dataclass(frozen=True)
class Verdict:
    """What is found of one task."""

    task: Task
    word: str
    """right, wrong, blank, or waits: it is written, but another task must be done before it can be checked."""
    reason: str = ""
    reports: Sequence[Report] = ()
    """What the checker says where something is wrong, with all that it knows."""
    mathematics: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What child processes said of a part."""

    reports: list[Report] = field(default_factory=list)
    mathematics: list[Mapping[str, str]] = field(default_factory=list)
    unusable: str = ""
    """Why the part could not be imported."""
    ended: dict[str, str] = field(default_factory=dict)
    """By task: how its check came to an end before its time, in words."""


def verdicts_of(part: Part, root: Path, seed: int, timeout: float, at: Callable[[str], None]) -> list[Verdict]:
    """What is found of each task of `part` in the handout `root`; `at` is told what is being checked."""
    state = state_of(part, root)
    if state.unreadable:
        return [Verdict(task, WRONG, state.unreadable) for task in part.tasks]
    done = [task.name for task in part.tasks if task.name not in state.blanks]
    outcome = _asked(part, root, done, seed, timeout, at) if done else Outcome()
    verdicts: dict[str, Verdict] = {}
    for task in part.tasks:
        if task.name in done:
            verdicts[task.name] = _judged(task, part, outcome, done)
        else:
            verdicts[task.name] = Verdict(task, BLANK, f"{part.file}, line {state.blanks[task.name]}")
    return [_without_others_faults(verdict, list(verdicts.values())) for verdict in verdicts.values()]


def _asked(
    part: Part, root: Path, tasks: Collection[str], seed: int, timeout: float, at: Callable[[str], None]
) -> Outcome:
    """Runs the checks of a part's tasks."""
    outcome = Outcome()
    request = {"part": part.file, "tasks": list(tasks), "seed": seed, "skip": [], "at_kink": None, "domain": {}}
    for message in child.run(request, timeout):
        if "usage" in message:
            outcome.unusable = message["usage"]
        elif "begin" in message:
            at(f"checking {part.name}: {message['begin']} ({message['number'] + 1} of {message['of']})")
        elif "report" in message:
            outcome.reports.append(Report.from_dict(message["report"]))
            outcome.mathematics.append(message["mathematics"])
        elif "timeout" in message or "died" in message:
            ended = _ended(message, part, root, timeout)
            outcome.ended.update(
                dict.fromkeys(_tasks_of(message.get("timeout") or message.get("died", ""), part), ended)
            )
            if is_layer(part.file):
                break  # what it did at one size it would do at all others
    return outcome


def _ended(message: Mapping[str, Any], part: Part, root: Path, timeout: float) -> str:
    """How and where a check came to an end before its time."""
    lines = [line for path, line, _ in message["frames"] if path == str(root / part.file)]
    place = f" in {part.file}, line {lines[0]}" if lines else ""
    if "timeout" in message:
        return f"took longer than {timeout:g} s and was stopped{place}: an endless loop, or very slow"
    return f"the process that ran it {message['how']}{place}: deep recursion, or an end that the code asked for"


def _tasks_of(check: str, part: Part) -> list[str]:
    """The tasks that a check is of; all of them where the part was only being imported."""
    names = [task.name for task in part.tasks]
    if not check or check in names:
        return [check] if check else names
    return [f"{part.name}.{'forward' if check.endswith(FORWARD) else 'backward'}"]


def _judged(task: Task, part: Part, outcome: Outcome, done: Collection[str]) -> Verdict:
    """The verdict on a task that is not blank."""
    if outcome.unusable:
        return Verdict(task, WRONG, outcome.unusable)
    if task.name in outcome.ended:
        return Verdict(task, WRONG, outcome.ended[task.name])
    forward = f"{part.name}.forward"
    if is_layer(part.file) and task.name == f"{part.name}.backward" and forward in {t.name for t in part.tasks}:
        if forward not in done:
            return Verdict(task, WAITING, f"it can be checked once {forward} is done")
        if forward in outcome.ended or any(map(_is_forward_wrong, outcome.reports)):
            return Verdict(task, WAITING, f"it can be checked once {forward} is right")
    for report, mathematics in zip(outcome.reports, outcome.mathematics, strict=True):
        if report.unusable:
            return Verdict(task, WRONG, report.unusable)
        for finding in report.findings:
            if _is_about(finding.array, task):
                return _blank_after_all(finding, task, part) or Verdict(
                    task, WRONG, finding.message, (report,), mathematics
                )
        for one in report.unresolved:
            if _is_about(one.array, task):
                return Verdict(task, WRONG, f"cannot be decided: {one.message}", (report,), mathematics)
    return Verdict(task, RIGHT)


def _blank_after_all(finding: Finding, task: Task, part: Part) -> Verdict | None:
    """The verdict where a blank was met, the task's own, as in a branch, or another's; else None."""
    if finding.cause != "NotImplementedError":
        return None
    for met in part.tasks:
        if f"NotImplementedError: {met.name}" in finding.message:
            if met == task:
                return Verdict(task, BLANK, finding.message)
            return Verdict(task, WAITING, f"it can be checked once {met.name} is done")
    return None


def _without_others_faults(verdict: Verdict, all_of_part: Sequence[Verdict]) -> Verdict:
    """A task whose answers are right without the help of another task is right where that other one is not."""
    if verdict.word == WRONG and _leans(verdict):
        others = (other for other in all_of_part if other is not verdict)
        if any(other.word == BLANK or (other.word == WRONG and not _leans(other)) for other in others):
            return Verdict(verdict.task, RIGHT)
    return verdict


def _leans(verdict: Verdict) -> bool:
    findings = list(_findings(verdict))
    return bool(findings) and all(finding.item == LEANS for finding in findings)


def _findings(verdict: Verdict) -> Iterator[Finding]:
    return (finding for report in verdict.reports for finding in report.findings)


def _is_forward_wrong(report: Report) -> bool:
    return any(finding.array == "y" and finding.kind in ABOUT_VALUES for finding in report.findings)


def _is_about(array: str, task: Task) -> bool:
    """Whether what is said of `array` is of the task: a layer's output y is forward's, its gradients are backward's.

    Where no layer is checked, the array is the task's name itself.
    """
    method = task.name.partition(".")[2]
    if "." in array or method not in ("forward", "backward"):
        return array == task.name
    return (array == "y") == (method == "forward")
