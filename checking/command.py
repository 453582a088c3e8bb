"""The command line of the gradient checker."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handgrad.checking import child
from handgrad.checking.contract import GRADIENTS, ITEMS
from handgrad.checking.explain import explanation, plot
from handgrad.checking.report import Finding, Report, junit
from handgrad.checking.targets import TargetError, parse_shapes
from handgrad.extras import need
from handgrad.files import written

OK, WRONG, USAGE, UNRESOLVED, CRASHED = range(5)
"""The exit codes."""

PICTURES = (".png", ".pdf", ".svg")

EPILOG = """exit code: 0 all right; 1 a gradient or the contract is wrong; 2 bad usage, or the target cannot be imported
or constructed; 3 nothing is wrong but something is unresolved; 4 the layer's own code raised, or took too long"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--child"]:
        child.serve()
        return OK
    parser = argparse.ArgumentParser(prog="gradcheck", allow_abbrev=False)
    add_arguments(parser)
    try:
        code = run(parser.parse_args(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe has seen enough; the verdict is not known to be good
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNRESOLVED
    except KeyboardInterrupt:
        print("gradcheck: interrupted", file=sys.stderr)
        return 130


TARGET = '"FC(4, 5), ReLU()", a file layers/fc.py or file.py:Class(4, 3), or module:Class (all of handgrad)'


def add_arguments(parser: argparse.ArgumentParser, target: str = TARGET, timeout: float = 60.0) -> None:
    """What the command takes, for `gradcheck` and `handgrad check` alike; `target` is the help on that argument."""
    parser.description = "Checks the gradients of layers against numeric ones, and says what is wrong with them."
    parser.epilog = EPILOG
    parser.add_argument("target", nargs="?", metavar="TARGET", help=target)
    parser.add_argument("--input", metavar="SIZES", help="the input's shape, such as 8x4; of several 8x4,8x3")
    parser.add_argument(
        "--seed", type=_seed, default=0, help="of everything random; the same seed, the same report (0)"
    )
    parser.add_argument("--at-kink", choices=("left", "right", "mean"), help="the derivative to be had at a kink")
    parser.add_argument(
        "--domain",
        action="append",
        type=_domain,
        default=[],
        metavar="NAME=LOW:HIGH",
        help="the open interval an input must stay in, such as x=0:inf",
    )
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=(GRADIENTS, *ITEMS),
        metavar="ITEM",
        help=", ".join((GRADIENTS, *ITEMS)),
    )
    parser.add_argument("--json", metavar="FILE", help="write everything as JSON")
    parser.add_argument("--junit", metavar="FILE", help="write JUnit XML, a test case for each gradient array")
    parser.add_argument("--explain", action="store_true", help="the mathematics of what failed, and how it was decided")
    parser.add_argument(
        "--plot", metavar="FILE", nargs="?", const="gradcheck.png", help="with --explain: step against error"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=timeout, metavar="SECONDS", help=f"for each layer ({timeout:g})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Checks, prints and writes what `arguments` say; returns the exit code."""
    try:
        _must_be_writable(arguments)
        try:
            reports, mathematics = _checked(arguments)
            if len(reports) == 1 and reports[0].unusable:
                raise TargetError(reports[0].unusable)
        except TargetError as error:
            _write(arguments, [], USAGE, str(error))  # lest an earlier report be taken for this one's
            raise
        code = exit_code(reports)
        _write(arguments, reports, code)  # before anything is printed: the reader of a pipe may not wait
        _print(reports)
        if arguments.explain:
            _explain(reports, mathematics, arguments.plot)
        return code
    except (TargetError, ImportError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"gradcheck: error: {error}", file=sys.stderr)
        return USAGE


def _must_be_writable(arguments: argparse.Namespace) -> None:
    """TargetError unless every file to write has a name of its own, in a folder that there is."""
    if arguments.plot and not arguments.explain:
        raise TargetError("--plot draws what --explain says; give both")
    if arguments.plot:
        need("matplotlib", "plot")
        if Path(arguments.plot).suffix.lower() not in PICTURES:
            raise TargetError(f"--plot: expected a file named {', '.join(PICTURES)}, got {arguments.plot!r}")
    target = (arguments.target or "").partition(":")[0]
    taken = {Path(target).resolve()} if target else set()
    for option in ("json", "junit", "plot"):
        name = getattr(arguments, option)
        if name is None:
            continue
        path = Path(name).resolve()
        if name in ("", "-") or (path.exists() and not path.is_file()):
            raise TargetError(f"--{option}: expected the name of a file, got {name!r}")
        if path in taken:
            raise TargetError(f"--{option} {name} would overwrite another file of this command; choose another name")
        if not path.parent.is_dir():
            raise TargetError(f"--{option} {name}: there is no folder {Path(name).parent}")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise TargetError(f"--{option} {name}: no file can be written in {Path(name).parent}")
        taken.add(path)


def _write(arguments: argparse.Namespace, reports: Sequence[Report], code: int, error: str = "") -> None:
    """The JSON and JUnit files, as far as they are asked for."""
    if arguments.json:
        with written(arguments.json, "w", encoding="utf-8") as file:
            everything = {"seed": arguments.seed, "exit": code, "error": error}
            json.dump({**everything, "reports": [report.to_dict() for report in reports]}, file, indent=2)
            file.write("\n")
    if arguments.junit:
        with written(arguments.junit, "w", encoding="utf-8") as file:
            failed = [Report(arguments.target or "handgrad", arguments.seed, unusable=error)] if error else []
            file.write(junit([*reports, *failed]))


def exit_code(reports: Sequence[Report]) -> int:
    findings = [finding for report in reports for finding in report.findings]
    if any(finding.kind != "crash" for finding in findings):
        return WRONG
    if findings:
        return CRASHED
    if any(report.unusable for report in reports):
        return USAGE
    return UNRESOLVED if any(report.unresolved for report in reports) else OK


def _checked(arguments: argparse.Namespace) -> tuple[list[Report], list[dict[str, str]]]:
    """The reports of all layers of the target, and for each the formulas of its gradients."""
    shapes = None if arguments.input is None else parse_shapes(arguments.input)
    request = {
        "target": arguments.target,
        "shapes": shapes,
        "seed": arguments.seed,
        "skip": arguments.skip,
        "at_kink": arguments.at_kink,
        "domain": dict(arguments.domain),
    }
    reports: list[Report] = []
    mathematics: list[dict[str, str]] = []
    progress = Progress()
    for message in child.run(request, arguments.timeout):
        if "usage" in message:
            raise TargetError(message["usage"])
        if "begin" in message:
            progress.at(f"checking {message['begin']} ({message['number'] + 1} of {message['of']})")
        elif "report" in message:
            reports.append(Report.from_dict(message["report"]))
            mathematics.append(message["mathematics"])
        elif "timeout" in message or "died" in message:
            name = message.get("timeout", message.get("died")) or str(arguments.target)
            reports.append(_ended(name, message, arguments))
            mathematics.append({})
    progress.clear()
    return reports, mathematics


def _ended(name: str, message: dict[str, Any], arguments: argparse.Namespace) -> Report:
    """The report of a layer that did not come to its end."""
    if "timeout" in message:
        text = (
            f"took longer than {arguments.timeout:g} s and was stopped: an endless loop, or very slow; --timeout gives "
            "it more time."
        )
    else:
        text = (
            f"the process that checked it {message['how']}: very deep recursion, sys.exit or a fault in compiled code."
        )
    cause = "timeout" if "timeout" in message else "died"
    arrays = message["arrays"] or ["layer"]
    return Report(name, arguments.seed, findings=[Finding(array, "crash", cause, text) for array in arrays])


def _print(reports: Sequence[Report]) -> None:
    """The first failure's full story, then a line for every gradient, then the other stories."""
    failing = [report for report in reports if report.findings or report.unresolved]
    if failing:
        print("\n".join([failing[0].layer, *failing[0].story(), ""]))
    width = max((len(report.layer) for report in reports), default=0)
    for report in reports:
        print("\n".join([*report.lines(width), *(f"{'':<{width}}  note    {note}" for note in report.notes)]))
    for report in failing[1:]:
        print("\n".join(["", report.layer, *report.story()]))
    wrong = sum(1 for report in reports if report.findings)
    unresolved = sum(1 for report in reports if report.unresolved and not report.findings)
    unusable = sum(1 for report in reports if report.unusable)
    parts = [f"{len(reports) - unusable} checked", f"{wrong} wrong"]
    parts += [f"{unresolved} unresolved"] if unresolved else []
    parts += [f"{unusable} not checked"] if unusable else []
    print(f"\n{', '.join(parts)} (seed {reports[0].seed if reports else 0})")


def _explain(reports: Sequence[Report], mathematics: Sequence[dict[str, str]], picture: str | None) -> None:
    chosen = next((i for i, report in enumerate(reports) if report.findings and report.curve), None)
    if chosen is None:
        chosen = next((i for i, report in enumerate(reports) if report.curve), None)
    if chosen is None:
        print("\nnothing to explain: no entry was compared")
        return
    print("\n" + explanation(reports[chosen], mathematics[chosen]))
    if picture:
        plot(reports[chosen], picture)
        print(f"\nwritten to {picture}")


class Progress:
    """One line on a terminal that says what is being checked, once that takes longer than a second."""

    def __init__(self) -> None:
        self.start, self.shown = time.monotonic(), False
        self.visible = sys.stderr.isatty()

    def at(self, text: str) -> None:
        if self.visible and time.monotonic() - self.start > 1:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self.shown = True

    def clear(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number >= 0, got {text!r}")
    return int(text)


def _domain(text: str) -> tuple[str, tuple[float, float]]:
    name, _, bounds = text.partition("=")
    try:
        low, high = (float(bound) for bound in bounds.split(":"))
    except ValueError:
        low, high = 1.0, 0.0
    if not name or not low < high:
        raise argparse.ArgumentTypeError(f"expected NAME=LOW:HIGH such as x=0:inf, got {text!r}")
    return name, (low, high)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number of seconds > 0, got {text!r}")
    return value
