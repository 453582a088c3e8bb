"""What the commands share: kinds of arguments, and the error that becomes one sentence."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from handgrad import losses
from handgrad.losses import Loss

LOSSES: dict[str, type[Loss]] = {"SoftmaxCE": losses.SoftmaxCE, "BinaryCE": losses.BinaryCE, "MSE": losses.MSE}

P = ParamSpec("P")
T = TypeVar("T")


class UsageError(Exception):
    """What the user gave cannot be used; the message is one sentence."""


def usable(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Calls `function` on what the user gave; what it refuses becomes a UsageError."""
    try:
        return function(*arguments, **options)
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None


def check_writable(option: str, path: str | None) -> None:
    """UsageError where no file can be written, so that this is told before the work that the file is for."""
    if not path:
        return
    place = Path(path).absolute()
    if place.is_dir():
        raise UsageError(f"{option} {path}: expected a file, it is a folder")
    if not place.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {Path(path).parent}")
    if not os.access(place.parent, os.W_OK):
        raise UsageError(f"{option} {path}: the folder {Path(path).parent} cannot be written to")


def arranged(argv: Sequence[str]) -> list[str]:
    """The arguments as argparse reads them right: what has no option first, in one row, and `-1,2` with a space before.

    Without the space it would take an expression or a value that begins with a minus for an option.
    """
    positional: list[str] = []
    options: list[str] = []
    waiting = False
    for argument in argv:
        if argument == "--":
            continue
        spaced = f" {argument}" if re.match(r"-(?!-|h$)", argument) else argument
        is_option = bool(re.match(r"--\w|-h$", argument))
        (options if is_option or waiting else positional).append(spaced)
        waiting = is_option and "=" not in argument and argument not in ("-h", "--help")
    return [*positional, *options]


def column(label: str | None) -> str | int | None:
    is_number = label is not None and re.fullmatch(r"-?[0-9]{1,9}", label)
    return int(label) if label is not None and is_number else label


def number_from(low: float, high: float | None, open_low: bool = False) -> Callable[[str], float]:
    """An argparse type: a finite number from `low` up to, but not, `high`."""
    wanted = f"a number {'>' if open_low else '>='} {low}" + (f" and < {high}" if high is not None else "")

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        below = value <= low if open_low else value < low
        if not math.isfinite(value) or below or (high is not None and value >= high):
            raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r}")
        return value

    return number


def whole_from(low: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `low` on."""

    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"expected a whole number >= {low}, got {text!r}")
        return int(text)

    return whole
