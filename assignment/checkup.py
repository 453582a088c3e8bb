"""`handgrad check` in a handout: how far the work is, task by task."""

from __future__ import annotations

import argparse
import os
import shutil
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from handgrad.assignment.assignment import Assignment, AssignmentError, Part
from handgrad.assignment.draws import probes_of
from handgrad.assignment.handouts import in_use
from handgrad.assignment.importing import ROOT
from handgrad.assignment.verdicts import BLANK, RIGHT, Verdict, verdicts_of
from handgrad.checking import command
from handgrad.checking.explain import explanation
from handgrad.checking.specimens import SPECIMENS

OK, NOT_YET = 0, 1
"""The exit codes; bad usage is an AssignmentError."""

TARGET = "a part or a task, such as fc or fc.backward (all of the assignment)"
TIMEOUT = 20.0
POLL = 0.5
"""Seconds between two looks at the files."""

ONLY_GRADIENTS = ("input", "at_kink", "domain", "skip", "json", "junit", "plot")
"""The options of the gradient checker that are about one layer."""

EPILOG = """Other targets, such as layers/fc.py or "FC(4, 5), ReLU()", go to the gradient checker, whose own options are
--input, --at-kink, --domain, --skip, --json, --junit and --plot. Exit code: 0 all that was asked for is right;
1 something is wrong or blank; 2 bad usage."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes in a handout: the gradient checker's arguments, and more."""
    command.add_arguments(parser, TARGET, TIMEOUT)
    parser.description = "Says of every task of this assignment whether it is blank, right or wrong, and why."
    parser.epilog = EPILOG
    parser.add_argument("--watch", action="store_true", help="check again whenever a file changes, until Ctrl-C")


def run(arguments: argparse.Namespace) -> int:
    """Checks what `arguments` say and prints what is found; returns the exit code. AssignmentError for bad usage."""
    assignment, _ = in_use()
    if _is_for_the_gradient_checker(arguments.target):
        if arguments.watch:
            raise AssignmentError(f"--watch goes with a part or a task such as {assignment.tasks[0].name}")
        return command.run(arguments)
    for option in ONLY_GRADIENTS:
        if getattr(arguments, option):
            name = option.replace("_", "-")
            raise AssignmentError(f"--{name} goes with a layer's file: handgrad check layers/fc.py --{name} ...")
    parts = assignment.parts if arguments.target is None else (assignment.part(arguments.target),)
    if not arguments.watch:
        return _check(assignment, parts, arguments)
    return _watch([ROOT / part.file for part in parts], lambda: _check(assignment, parts, arguments))


def _is_for_the_gradient_checker(target: str | None) -> bool:
    return target is not None and ("(" in target or ":" in target or target.endswith(".py") or target in SPECIMENS)


def _check(assignment: Assignment, parts: Sequence[Part], arguments: argparse.Namespace) -> int:
    width = max(len(task.name) for task in assignment.tasks)
    progress = command.Progress()
    found: list[Verdict] = []
    for part in parts:
        new = verdicts_of(part, ROOT, arguments.seed, arguments.timeout, progress.at)
        new = [verdict for verdict in new if arguments.target in (None, part.name, verdict.task.name)]
        progress.clear()
        for verdict in new:
            print(_line(verdict, width), flush=True)
        found += new
    if arguments.target is not None or arguments.explain:
        _tell(found, explain=arguments.explain)
    right = sum(verdict.word == RIGHT for verdict in found)
    more = sum(len(probes_of(verdict.task.name, np.random.default_rng(0))) for verdict in found)
    print(f"\npublic {right} of {len(found)} right; {more} more checks run after you submit")
    return OK if right == len(found) else NOT_YET


def _line(verdict: Verdict, width: int) -> str:
    """The task, what it is worth, the verdict, and the reason in as many lines as it takes."""
    task = verdict.task
    start = f"{task.name:<{width}}  {task.points:>3} points  {verdict.word:<5}  "
    columns = max(shutil.get_terminal_size((120, 24)).columns, len(start) + 40)
    text, indent = start + _relative(verdict.reason), " " * len(start)
    return textwrap.fill(
        text, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ).rstrip()


def _tell(verdicts: Sequence[Verdict], *, explain: bool) -> None:
    """The hints of what is blank and, once for each, the whole story of what is wrong."""
    told: list[int] = []
    for verdict in verdicts:
        if verdict.task.hint and (verdict.word == BLANK or verdict.reports):
            print(f"\n{verdict.task.name}, a hint: {verdict.task.hint}")
        for report in verdict.reports:
            if id(report) in told:
                continue
            told.append(id(report))
            print("\n" + _relative("\n".join([report.layer, *report.story()])))
            if explain and report.curve is not None:
                print("\n" + explanation(report, verdict.mathematics))
            elif explain:
                print("".join(f"\n    {formula}" for formula in verdict.mathematics.values()))


def _relative(text: str) -> str:
    """The text with paths as they are in the handout."""
    return text.replace(f"{ROOT}{os.sep}", "")


def _watch(files: Sequence[Path], check: Callable[[], int]) -> int:
    """Checks now, and again whenever one of the files has changed, until Ctrl-C ends it."""
    while True:
        seen = _stamps(files)
        check()
        print(f"watching {', '.join(str(file.relative_to(ROOT)) for file in files)}; Ctrl-C ends it\n", flush=True)
        while _stamps(files) == seen:
            time.sleep(POLL)


def _stamps(files: Sequence[Path]) -> list[tuple[int, int] | None]:
    """When each file was written, and its size; None for one that is not there."""
    stamps = [file.stat() if file.exists() else None for file in files]
    return [stamp and (stamp.st_mtime_ns, stamp.st_size) for stamp in stamps]
