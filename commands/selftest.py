"""The command `handgrad selftest`."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten
from typing import Any

import handgrad
from handgrad.commands.arguments import UsageError, check_writable, usable, whole_from
from handgrad.course.attacks import FOLDER
from handgrad.course.selftest import DRAWS, EQUIVALENT, KILLED, SURVIVED, Report, Selftest, Trial
from handgrad.extras import have, need
from handgrad.files import written
from handgrad.grading.sandbox import SandboxError
from handgrad.grading.source import run_from


def add(commands: Any) -> None:
    p = commands.add_parser("selftest", help="test the assignment's own checks", allow_abbrev=False)
    p.description = (
        "Changes the marked solutions in one place at a time, as a slip would, and tells which changes cost no points; "
        "tells which hostile submissions would pay; and whether the solution gets all points and the handout none."
    )
    p.add_argument("--part", metavar="NAME", action="append", default=[], help="such as fc; may be given repeatedly")
    p.add_argument("--source", metavar="TREE", help="the marked source tree (this one)")
    p.add_argument(
        "-j",
        "--jobs",
        type=whole_from(1),
        default=os.cpu_count() or 1,
        metavar="N",
        help="checks at a time (one a core)",
    )
    p.add_argument("--quick", action="store_true", help="a sample of the mutants and the attacks")
    p.add_argument("--json", metavar="FILE", help="write all that was found, equivalent mutants too")
    p.add_argument("--secret", metavar="TEXT", help="what probes are drawn with (a random one)")
    p.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 when the checks hold; 1 when a change costs nothing that is not shown equivalent, or an attack pays."""
    for name in ("source", "json", "secret"):
        if getattr(arguments, name) == "":
            raise UsageError(f"--{name} is empty")
    check_writable("--json", arguments.json)
    own = Path(handgrad.__file__).resolve().parent
    if arguments.source and Path(arguments.source).resolve() != own:
        return usable(run_from, Path(arguments.source))
    secret = (arguments.secret or secrets.token_hex(16)).encode()
    try:
        selftest = usable(Selftest, own, secret, arguments.part, arguments.quick)
        missing = selftest.missing_locks
        if missing:
            print(f"handgrad: this system's sandbox lacks {', '.join(missing)}", file=sys.stderr)
        report = _with_bar(selftest, arguments.jobs)
    except (SandboxError, ImportError) as error:
        raise UsageError(str(error)) from None
    if arguments.json:
        with written(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report.to_dict(), file, indent=1)
            file.write("\n")
    for line in _summary(report, arguments.quick):
        print(line)
    return 0 if report.holds else 1


def _with_bar(selftest: Selftest, jobs: int) -> Report:
    """Runs it below a bar on a terminal where tqdm is installed."""
    steps = selftest.steps()
    shows_bar = sys.stderr.isatty() and have("tqdm")
    bar = (
        need("tqdm", "progress").tqdm(total=sum(step.size for step in steps), unit="check", leave=False)
        if shows_bar
        else None
    )
    try:
        return selftest.run(steps, jobs, bar.update if bar is not None else lambda size: None)
    finally:
        if bar is not None:
            bar.close()


def _summary(report: Report, quick: bool) -> Iterator[str]:
    yield from report.scores or [f"the solution gets all points and the handout none, with {DRAWS} secrets"]
    tasks = Counter(trial.task for trial in report.trials)
    width = max(map(len, tasks), default=0)
    for task, count in tasks.items():
        outcomes = Counter(trial.outcome for trial in report.trials if trial.task == task)
        told = [f"{outcomes[name]} {name}" for name in (KILLED, EQUIVALENT, SURVIVED) if outcomes[name]]
        yield f"{task:<{width}}  {count:>4} mutant{'s' * (count != 1)}: {', '.join(told)}"
    equivalent = [trial for trial in report.trials if trial.outcome == EQUIVALENT]
    if equivalent:
        yield ""
        yield "equivalent: they give what the solution gives, whatever was asked"
        for trial in equivalent:
            yield f"  {trial.file}:{trial.line}: {_in_short(trial)}"
    yield ""
    yield from _about_attacks(report)
    if report.survivors:
        yield ""
        yield "survived: mistakes that cost no points"
        for trial in report.survivors:
            luck = f", with {trial.missed} of {DRAWS} secrets" if trial.missed < DRAWS else ""
            yield f"  {trial.file}:{trial.line} ({trial.task}{luck})"
            yield from (f"    - {line}" for line in trial.before)
            yield from (f"    + {line}" for line in trial.after)
    yield ""
    yield _verdict(report, quick)


def _about_attacks(report: Report) -> Iterator[str]:
    if not report.has_attacks:
        yield f"this source has no {FOLDER}, so no attack was tried"
        return
    kinds = Counter(attack.kind for attack in report.attacks)
    tried = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    yield f"{len(report.attacks)} attacks" + (f" ({tried}): {len(report.paying)} would pay" if tried else "")
    for attack in report.paying:
        yield f"  {attack.kind}, in {attack.part}: {attack.name}: {'; '.join(attack.problems)}"
    yield from (f"  {sentence}" for sentence in report.left_behind)


def _in_short(trial: Trial) -> str:
    before, after = (shorten("; ".join(lines), 90, placeholder=" ...") for lines in (trial.before, trial.after))
    return f"{before or 'nothing'}  ->  {after or 'nothing'}"


def _verdict(report: Report, quick: bool) -> str:
    if report.holds:
        return "the checks hold" + (" on this sample; without --quick all is tried" if quick else "")
    found = [
        f"{len(report.scores)} wrong scores" if report.scores else "",
        f"{len(report.survivors)} mistakes cost nothing" if report.survivors else "",
        f"{len(report.paying)} attacks would pay" if report.paying else "",
        "something was left behind" if report.left_behind else "",
    ]
    return f"the checks do not hold: {', '.join(filter(None, found))}"
