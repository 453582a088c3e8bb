"""Why a task is wrong, in sentences for the student: the cause first, as far as it can be told, then what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from handgrad.assignment.mistakes import Mistake, mistakes
from handgrad.assignment.probes import CHECKS, Probe
from handgrad.grading import gradients
from handgrad.grading.judge import Verdict, first_attempt, judge
from handgrad.grading.sandbox import NO_ANSWER, Answer, Failure, Limits, ask
from handgrad.params import Array

PER_CHECK = 2
"""Wrong probes of a check that known mistakes are tried on."""

MOST_CAUSES, MOST_FINDINGS = 3, 4

CHECKER = Limits(cpu=20, wall=60.0)


@dataclass(frozen=True)
class Wrong:
    """A probe whose answer is wrong."""

    check: str
    probe: Probe
    answer: Answer
    verdict: Verdict

    @property
    def failure(self) -> Failure | None:
        return self.answer.failure


def causes(
    task: str,
    wrong: Sequence[Wrong],
    asked_tree: Mapping[str, bytes],
    checked_tree: Mapping[str, bytes],
    limits: Limits,
) -> tuple[list[str], float]:
    """What to tell of a task some of whose answers are `wrong`, and the CPU seconds that its finding out took.

    The trees hold the student's file: the one that answers probes, and the one that has the gradient checker, too.
    """
    wrong = sorted(wrong, key=lambda one: CHECKS.index(one.check))
    cpu = 0.0
    swallowed = next((one for one in wrong if one.failure is None and not first_attempt(one.answer.arrays)), None)
    if swallowed is not None:  # the first attempt raised, a later one did not: what was it?
        outcome = ask(asked_tree, [replace(swallowed.probe, script=next(swallowed.probe.scripts()))], limits)
        cpu += outcome.cpu
        wrong = [replace(one, answer=outcome.answers[0]) if one is swallowed else one for one in wrong]
    sentences = _known(task, wrong)
    sentences += list(dict.fromkeys(_raised(one.failure) for one in wrong if one.failure is not None))[:2]
    if wrong[0].probe.kind == "layer" and any(one.failure is None for one in wrong):
        found, seconds = _found_by_checker(task, wrong[0].probe, checked_tree)
        cpu += seconds
        sentences += found
    sentences += _seen(wrong)
    return list(dict.fromkeys(sentences)), cpu


def _raised(failure: Failure) -> str:
    if failure.kind == NO_ANSWER:
        return failure.message
    where = f" in {failure.where.replace(':', ', line ')}" if failure.where else ""
    return f"raises {failure.kind}{where}: {failure.message}"


def _known(task: str, wrong: Sequence[Wrong]) -> list[str]:
    """The known mistakes whose numbers, or whose error, the answers are: the fewest that explain the most."""
    tried = [one for check in CHECKS for one in [w for w in wrong if w.check == check][:PER_CHECK]]
    explains: dict[str, set[int]] = {}
    for number, one in enumerate(tried):
        for mistake in mistakes(task, one.probe):
            if _equals(one, mistake):
                explains.setdefault(mistake.sentence, set()).add(number)
    found: list[str] = []
    while explains and len(found) < MOST_CAUSES:
        sentence = max(explains, key=lambda name: len(explains[name]))
        numbers = explains.pop(sentence)
        if not numbers:
            break
        found.append(sentence)
        explains = {name: rest - numbers for name, rest in explains.items()}
    return found


def _equals(wrong: Wrong, mistake: Mistake) -> bool:
    if wrong.failure is not None:
        return bool(mistake.error) and wrong.failure.message.endswith(mistake.error)
    arrays = first_attempt(wrong.answer.arrays)
    return bool(mistake.arrays) and judge(arrays, first_attempt(mistake.arrays), single=wrong.probe.is_single).right


def _found_by_checker(task: str, probe: Probe, tree: Mapping[str, bytes]) -> tuple[list[str], float]:
    """What the gradient checker says, of forward or of backward."""
    outcome = ask(tree, [Probe("gradients", probe.module, probe.name)], CHECKER)
    is_forward = task.endswith(".forward")
    found = [
        f"{array}: {text}" for array, text in gradients.read(outcome.answers[0].arrays) if (array == "y") == is_forward
    ]
    return found[:MOST_FINDINGS], outcome.cpu


def _seen(wrong: Sequence[Wrong]) -> list[str]:
    """For each check the first thing that is wrong."""
    seen: dict[str, str] = {}
    for one in wrong:
        if one.failure is None and one.verdict.sentence:
            seen.setdefault(one.check, f"{one.check}: {one.verdict.sentence}, {_at(one.probe.arrays)}")
    return list(seen.values())


def _at(arrays: Mapping[str, Array]) -> str:
    """The sizes of the first arrays of a probe."""
    shapes = [f"{name.removeprefix('w ')} {list(array.shape)}" for name, array in arrays.items() if array.ndim]
    return "where " + ", ".join(shapes[:3]) if shapes else "at one number"
