"""The command `handgrad`: finds the commands, parses, calls."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import os
import sys
from collections.abc import Sequence
from types import ModuleType

import handgrad
from handgrad import interrupts
from handgrad.assignment import importing
from handgrad.assignment.blanks import blank_in_use, fault_in_use
from handgrad.commands.arguments import UsageError
from handgrad.train import NonFiniteLoss

COMMANDS = (
    "train",
    "predict",
    "check",
    "jacobian",
    "trace",
    "pack",
    "doctor",
    "handout",
    "grade",
    "regrade",
    "autograder",
    "selftest",
)
"""The files of commands/ as the help lists them; a handout has some of them only."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns 0; 1 if training failed or met a blank; 2 for bad usage or data; 130 after Ctrl-C."""
    interrupts.as_usual()
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        print(interrupts.MESSAGE, file=sys.stderr)
        interrupts.end_at_once()  # whoever waits for threads to end need not
        return interrupts.CODE


def _run(argv: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a class's name that the terminal cannot show
    commands = _commands()
    chosen = commands.get(argv[0]) if argv else None
    if chosen is not None and hasattr(chosen, "arranged"):
        argv[1:] = chosen.arranged(argv[1:])
    arguments = _parser(commands).parse_args(argv)
    if importing.failures:
        print(f"handgrad: error: {'; '.join(importing.failures.values())}", file=sys.stderr)
        return 1
    try:
        return int(arguments.run(arguments))
    except NonFiniteLoss as error:
        print(f"handgrad: {error}", file=sys.stderr)
        return 1
    except (UsageError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # the reader of a pipe has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0 if arguments.only_prints else 1  # what was trained so far is lost
        print(f"handgrad: error: {_sentence(error)}", file=sys.stderr)
        return 2
    except Exception as error:
        sentence = blank_in_use(error) or fault_in_use(error)
        if sentence is None:
            raise
        print(f"handgrad: {sentence}", file=sys.stderr)
        return 1


def _commands() -> dict[str, ModuleType]:
    names = [f"handgrad.commands.{name}" for name in COMMANDS]
    return {name.rpartition(".")[2]: importlib.import_module(name) for name in names if importlib.util.find_spec(name)}


def _parser(commands: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="handgrad", description="Networks with hand-written gradients.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"handgrad {handgrad.__version__}")
    parser.set_defaults(only_prints=False)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands.values():
        command.add(subparsers)
    return parser


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
