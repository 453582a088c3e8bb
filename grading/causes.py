"""Why a task is wrong, in sentences for the student: the cause first, as far as it can be told, then what was seen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from handgrad.assignment import mistakes
from handgrad.assignment.judge import Verdict, expected_of, judged
from handgrad.assignment.probes import CHECKS, Probe, attempts
from handgrad.assignment.probes.probe import ForwardRaised
from handgrad.assignment.raised import OWN_EMPTY, Raised, explanations
from handgrad.assignment.words import what_is_kept
from handgrad.grading import gradients
from handgrad.grading.sandbox import NO_ANSWER, Answer, Failure, Limits, ask
from handgrad.params import Array

MOST_FINDINGS = 3
"""Of the gradient checker's, that are told."""

EMPTY = re.compile(rb"\bempty(_like)?\b")

CHECKER = Limits(cpu=20, wall=60.0)


@dataclass(frozen=True)
class Seen:
    """A probe, its answer, whether that is right, and whether it need be to single precision only."""

    check: str
    probe: Probe
    answer: Answer
    verdict: Verdict
    allows_single: bool

    @property
    def failure(self) -> Failure | None:
        return self.answer.failure

    @property
    def arrays(self) -> Mapping[str, Array]:
        """What the attempt gave that the verdict is on; nothing where it raised an error."""
        found = (one.arrays for one in attempts(self.answer.arrays) if one.number == self.verdict.attempt)
        return next(found, {})

    @property
    def has_swallowed(self) -> bool:
        """Whether the attempt raised an error, of which nothing is told, since another one did not."""
        return self.failure is None and not self.arrays

    @property
    def is_of_forward(self) -> bool:
        """Whether backward was asked, and forward raised."""
        return self.failure is not None and self.failure.kind == ForwardRaised.__name__

    @property
    def given(self) -> mistakes.Given:
        """What is compared with known mistakes."""
        message = None if self.failure is None or self.is_of_forward else self.failure.message
        return mistakes.Given(
            self.check, self.probe.only(self.verdict.attempt), self.arrays, message, self.allows_single
        )


def causes(
    task: str,
    seen: Sequence[Seen],
    asked_tree: Mapping[str, bytes],
    checked_tree: Mapping[str, bytes],
    limits: Limits,
) -> tuple[list[str], float]:
    """What to tell of a task some of whose answers, `seen`, are wrong; and the CPU seconds that its finding out took.

    The trees hold the student's file: the one that answers probes, and the one that has the gradient checker, too.
    """
    right = [one.given for one in seen if one.verdict.right]
    # By check; what was changed in place first, since other wrong numbers may follow from it.
    wrong = sorted(
        (one for one in seen if not one.verdict.right),
        key=lambda one: (CHECKS.index(one.check), not one.verdict.wrong.endswith("afterwards")),
    )
    cpu = 0.0
    swallowed = next((one for one in wrong if one.has_swallowed), None)
    if swallowed is not None:
        answer, seconds = _raised_by(swallowed, asked_tree, limits)
        cpu += seconds
        wrong = [replace(one, answer=answer) if one is swallowed else one for one in wrong]
    known = mistakes.known(task, [one.given for one in wrong], right)
    if not known and wrong[0].failure is None:
        known, seconds = _left_in_memory(wrong[0], asked_tree, limits)
        cpu += seconds
    sentences = [*known]
    if not known:
        raised = [
            Raised(one.failure.message, one.failure.where, one.probe.arrays)
            for one in wrong
            if one.failure and not one.is_of_forward
        ]
        sentences += explanations(raised)
    sentences += list(dict.fromkeys(_raised(one.failure) for one in wrong if one.failure is not None))[:2]
    if not known and wrong[0].probe.kind == "layer" and any(one.failure is None for one in wrong):
        found, seconds = _found_by_checker(task, wrong[0].probe, checked_tree)
        cpu += seconds
        sentences += found
    sentences += _seen(wrong)
    return list(dict.fromkeys(sentences)), cpu


def kept_wrong(task: str, wrong: Seen, tree: Mapping[str, bytes], limits: Limits) -> tuple[list[str], float]:
    """What to tell of a forward whose output is right, and what it keeps for backward wrong; and CPU seconds.

    `wrong` is what is seen of backward with what forward keeps.
    """
    what = what_is_kept(task.partition(".")[0])
    told = f"self.cache does not hold {what}" if what else "what it keeps for backward is wrong"
    told += f": with {'that in it' if what else 'the right arrays there'}, backward is right"
    if not wrong.has_swallowed:
        return [told], 0.0
    answer, cpu = _raised_by(wrong, tree, limits)
    if answer.failure is None:
        return [told], cpu
    if OWN_EMPTY.search(answer.failure.message):
        return [f"self.cache is empty after forward: {what or 'what backward needs'} must be in it"], cpu
    meaning = explanations([Raised(answer.failure.message, answer.failure.where, wrong.probe.arrays)])
    return [told, *meaning, f"backward {_raised(answer.failure)}"], cpu


def _raised_by(swallowed: Seen, tree: Mapping[str, bytes], limits: Limits) -> tuple[Answer, float]:
    """The error that an attempt raised, where another one raised none; and CPU seconds."""
    outcome = ask(tree, [swallowed.probe.only(swallowed.verdict.attempt)], limits)
    return outcome.answers[0], outcome.cpu


def _left_in_memory(wrong: Seen, tree: Mapping[str, bytes], limits: Limits) -> tuple[list[str], float]:
    """Whether the answer is right with np.zeros in the place of np.empty; and CPU seconds."""
    probe = wrong.probe.only(wrong.verdict.attempt)
    file = f"{probe.module.replace('.', '/')}.py"
    cleared = EMPTY.sub(rb"zeros\1", tree[file])
    if cleared == tree[file]:
        return [], 0.0
    outcome = ask({**tree, file: cleared}, [probe], limits)
    answer = outcome.answers[0]
    if answer.failure or not judged(probe, answer.arrays, expected_of(probe), allows_single=wrong.allows_single).right:
        return [], outcome.cpu
    told = "an array made by np.empty holds whatever was in memory, and entries of it are used that were never set"
    return [f"{told}: make it by np.zeros (or np.zeros_like)"], outcome.cpu


def _raised(failure: Failure) -> str:
    if failure.kind == NO_ANSWER:
        return failure.message
    where = f" in {failure.where.replace(':', ', line ')}" if failure.where else ""
    if failure.kind == ForwardRaised.__name__:
        return f"forward raises {failure.message.replace(': ', f'{where}: ', 1)}; mend that first, backward needs it"
    return f"raises {failure.kind}{where}: {failure.message}"


def _found_by_checker(task: str, probe: Probe, tree: Mapping[str, bytes]) -> tuple[list[str], float]:
    """What the gradient checker says, of forward or of backward."""
    outcome = ask(tree, [Probe("gradients", probe.module, probe.name)], CHECKER)
    is_forward = task.endswith(".forward")
    found = [
        f"{array}: {text}" for array, text in gradients.read(outcome.answers[0].arrays) if (array == "y") == is_forward
    ]
    return found[:MOST_FINDINGS], outcome.cpu


def _seen(wrong: Sequence[Seen]) -> list[str]:
    """For each check the first thing that is wrong."""
    seen: dict[str, str] = {}
    for one in wrong:
        if one.failure is None and one.verdict.sentence:
            seen.setdefault(one.check, f"{one.check}: {one.verdict.sentence}, {_at(one.probe.arrays)}")
    return list(seen.values())


def _at(arrays: Mapping[str, Array]) -> str:
    """The sizes of the first arrays of a probe, but not of those that further attempts are for."""
    shapes = [
        f"{name.removeprefix('w ')} {list(array.shape)}"
        for name, array in arrays.items()
        if array.ndim and " of another" not in name and not name.startswith(("cached ", "ordinary "))
    ]
    return "where " + ", ".join(shapes[:3]) if shapes else "at one number"
