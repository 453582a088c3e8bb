"""Grading: what is asked of each part, what came back, and the points for it."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from handgrad.assignment.assignment import Assignment, Part
from handgrad.assignment.blanks import UNREADABLE, blanks_in
from handgrad.assignment.draws import probes_of
from handgrad.assignment.judge import expected_of
from handgrad.assignment.precision import names_single
from handgrad.assignment.probes import Probe
from handgrad.grading.causes import causes, kept_wrong
from handgrad.grading.marks import Asked, forgive, points_for
from handgrad.grading.result import PartResult, Result, TaskResult
from handgrad.grading.review.policy import Flag, flags
from handgrad.grading.review.varying import may_vary
from handgrad.grading.sandbox import FINISHED, NO_ANSWER, Answer, Failure, Limits, Outcome, ask
from handgrad.grading.submission import UNDECODABLE, source, text
from handgrad.grading.trees import asked_tree, checked_tree

TIME_LIMITS = ("used more than", "took longer than")
"""How the sandbox says that a time limit was hit; the part's other tasks are not asked then."""

TIMES = 7
"""How often a task is asked, each time of a new process, where the code may vary from one to another: the worst counts.
What is right by luck once in two times is then right in less than one of a hundred."""

SLOW = 3.0
"""Seconds a task, on average, after which code is not asked again, lest one submission keeps the others waiting."""

BLANK = "not written yet"
LOG = 4000
"""Characters of what a part printed that are kept."""


class Stopped(Exception):
    """The grader was told to stop before it came to the end of a submission."""


class Grader:
    """Grades submissions against one assignment, with one secret.

    `skeleton` is the whole handout, path -> content. The probes of a submission follow from the secret and its digest,
    so that staff can draw them again and students cannot foresee them. May be used from several threads.
    """

    def __init__(
        self,
        skeleton: Mapping[str, bytes],
        assignment: Assignment,
        secret: bytes,
        limits: Limits | None = None,
        *,
        explains: bool = True,
    ) -> None:
        self.skeleton, self.assignment, self.secret = skeleton, assignment, secret
        self.explains = explains
        """Whether it finds out why a task is wrong, which takes longer than to find out that it is."""
        self.limits = limits or Limits()
        self.stop = threading.Event()
        """Set it, and what is being graded ends with Stopped after the question at hand."""
        self._asked_tree, self._checked_tree = asked_tree(skeleton), checked_tree(skeleton)

    def missing_locks(self) -> list[str]:
        """The locks of the sandbox that this system lacks."""
        return ask(self._asked_tree, [], self.limits).locks

    def grade(self, files: Mapping[str, bytes], digest: str, only: Collection[str] = ()) -> Result:
        """The result of the submitted `files` (path -> content); of the parts named in `only`, if there are any."""
        result = Result(digest, [])
        for part in self.assignment.parts:
            if not only or part.name in only:
                result.parts.append(self._part(part, files.get(part.file), digest, result))
        return result

    def _part(self, part: Part, content: bytes | None, digest: str, result: Result) -> PartResult:
        """Grades one file alone in the skeleton; adds flags, locks and CPU time to `result`."""
        given = self.skeleton.get(part.file, b"")
        if content is None:
            return _unasked(part, f"{part.file} was not handed in")
        if content == given:
            return _unasked(part, BLANK)
        try:
            code = text(content)
        except UNDECODABLE as error:
            return _unasked(part, f"{part.file} is not text in the encoding it declares: {error}")
        content, handed_out = source(code), text(given)
        found = flags(part.file, code, handed_out)
        result.flags += [f"{part.file}, line {flag.line}: {flag.what} ({flag.kind})" for flag in found]
        forbidden = next((flag for flag in found if flag.kind == "forbidden"), None)
        if forbidden is not None:
            return _unasked(part, _forbidden(part, forbidden))

        repeats = may_vary(code, handed_out)
        single = names_single(content, given)
        runs, logs = self._asked(part, {**self._asked_tree, part.file: content}, digest, repeats, result)
        for same in runs:  # only now is there anything in this process that is right
            expected = [expected_of(probe) for probe in same[0].probes]
            for one in same:
                one.expected, one.names_single = expected, single
        asked = [min(same, key=lambda one: points_for(one.by_check(), one.task.points)) for same in runs]
        forgive(asked)
        log = "\n".join(dict.fromkeys(text.strip() for text in logs if text.strip()))
        tasks = [self._task(one, part, content, result) for one in asked]
        return PartResult(part.name, part.title, part.file, tasks, log[:LOG])

    def _asked(
        self, part: Part, tree: Mapping[str, bytes], digest: str, repeats: bool, result: Result
    ) -> tuple[list[list[Asked]], list[str]]:
        """Each task's answers, of several processes where it `repeats`; and what these printed.

        At first each task has a process of its own, lest one takes the others down. After that those whose process
        ended well share one each time.
        """
        drawn = [self.drawn(digest, task.name) for task in part.tasks]
        questions = [[probe for _, probe in one] for one in drawn]
        logs: list[str] = []
        stopped, begun = "", time.monotonic()
        outcomes: list[Outcome] = []
        for probes in questions:
            outcome = self._ask(tree, probes, result) if not stopped else _not_asked(probes, stopped)
            if outcome.ended.startswith(TIME_LIMITS):
                stopped = outcome.ended
            logs.append(outcome.log)
            outcomes.append(outcome)
        answers = [[outcome.answers] for outcome in outcomes]
        if repeats and time.monotonic() - begun > SLOW * len(part.tasks):
            result.flags.append(
                f"{part.file}: may do another thing each time, and is too slow to be asked again (varying)"
            )
        elif repeats:
            ended_well = [i for i, outcome in enumerate(outcomes) if outcome.ended == FINISHED]
            others = [
                [i] for i, one in enumerate(outcomes) if i not in ended_well and any(not a.failure for a in one.answers)
            ]
            self._ask_again([ended_well, *others], tree, questions, answers, result)
        runs = []
        for task, one, probes, own in zip(part.tasks, drawn, questions, answers, strict=True):
            checks = [check for check, _ in one]
            runs.append([Asked(task, checks, probes, each, []) for each in own])
        return runs, logs

    def _ask_again(
        self,
        groups: Sequence[Sequence[int]],
        tree: Mapping[str, bytes],
        questions: Sequence[Sequence[Probe]],
        answers: Sequence[list[list[Answer]]],
        result: Result,
    ) -> None:
        """Adds to each task's `answers` those of further processes, one for each group of tasks at a time.

        Who takes too long once is not asked further: that time it gave no answer, which counts.
        """
        for group in filter(None, groups):
            together = [probe for i in group for probe in questions[i]]
            for _ in range(TIMES - 1):
                outcome = self._ask(tree, together, result, len(group), anew=True)
                rest = iter(outcome.answers)
                for i in group:
                    answers[i].append(list(islice(rest, len(questions[i]))))
                if outcome.ended.startswith(TIME_LIMITS):
                    break

    def _ask(
        self, tree: Mapping[str, bytes], probes: Sequence[Probe], result: Result, tasks: int = 1, *, anew: bool = False
    ) -> Outcome:
        """What the code answers to the probes of so many tasks; adds locks and CPU time to `result`."""
        if self.stop.is_set():
            raise Stopped
        limits = replace(self.limits, cpu=self.limits.cpu * tasks, wall=self.limits.wall * tasks)
        outcome = ask(tree, probes, limits, anew=anew)
        result.cpu += outcome.cpu
        result.locks += [lock for lock in outcome.locks if lock not in result.locks]
        return outcome

    def _task(self, asked: Asked, part: Part, content: bytes, result: Result) -> TaskResult:
        checks = asked.by_check()
        task = TaskResult(asked.task.name, points_for(checks, asked.task.points), asked.task.points, checks)
        if asked.is_single:
            task.notes.append("computed in single precision, and judged so")
            result.flags.append(f"{part.file}: {task.name} is right to single precision only (numeric)")
        if asked.spoils:
            wrong = next(one for one in asked.spoils.seen("") if not one.verdict.right)
            found, cpu = kept_wrong(task.name, wrong, {**self._asked_tree, part.file: content}, self.limits)
            task.sentences += found
            result.cpu += cpu
        seen = asked.seen()
        if all(_is_blank(one.answer, part) for one in seen) and task.name in _blanks(part, content):
            task.sentences.append(BLANK)
        elif self.explains and not all(one.verdict.right for one in seen):
            trees = {**self._asked_tree, part.file: content}, {**self._checked_tree, part.file: content}
            found, cpu = causes(task.name, seen, *trees, self.limits)
            task.sentences += found
            result.cpu += cpu
        return task

    def drawn(self, digest: str, task: str) -> list[tuple[str, Probe]]:
        """(check, probe) in the order they are asked: any, but values at last, so that no count of calls tells more."""
        rng = self.generator(digest, task)
        probes = probes_of(task, rng)
        mixed = [probes[i] for i in rng.permutation(len(probes))]
        last = max(i for i, (check, _) in enumerate(mixed) if check == "values")
        mixed.append(mixed.pop(last))
        return mixed

    def generator(self, digest: str, task: str) -> np.random.Generator:
        """What the probes of a task of a submission are drawn from."""
        seed = hmac.new(self.secret, f"{digest} {task}".encode(), hashlib.sha256).digest()
        return np.random.default_rng(int.from_bytes(seed, "big"))


def _is_blank(answer: Answer, part: Part) -> bool:
    """Whether it came no further than to a blank of the part: its own, or that of a task which it needs."""
    failure = answer.failure
    return (
        failure is not None
        and failure.kind == "NotImplementedError"
        and any(failure.message == task.name for task in part.tasks)
    )


def _blanks(part: Part, content: bytes) -> dict[str, int]:
    """The part's blanks; none where the file is no Python, which running it has told already."""
    try:
        return blanks_in(content, part)
    except UNREADABLE:
        return {}


def _unasked(part: Part, why: str) -> PartResult:
    tasks = [TaskResult(task.name, 0.0, task.points, sentences=[why]) for task in part.tasks]
    return PartResult(part.name, part.title, part.file, tasks)


def _forbidden(part: Part, flag: Flag) -> str:
    return f"{part.file}, line {flag.line}: {flag.what}; the task sheet forbids that, and the part has no points for it"


def _not_asked(probes: Sequence[Probe], ended: str) -> Outcome:
    failure = Failure(NO_ANSWER, f"not asked, since the process of the task before {ended}")
    return Outcome([Answer(failure=failure)] * len(probes), "", ended, [], 0.0)
