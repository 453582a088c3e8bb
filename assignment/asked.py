"""What is asked of a part before it is handed in: checks for the child process that runs them (checking/child.py).

A layer or a loss is held against its definition (checking/specimens.py), then its backward against differences and its
contract. Everything else answers the probes, whose right answers follow from definitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from handgrad.assignment import explained, importing, original
from handgrad.assignment.answered import report_on
from handgrad.assignment.precision import names_single
from handgrad.checking.report import Report
from handgrad.checking.targets import Check, TargetError, checks

LAYERS = ("layers", "losses")
"""The folders whose parts are layers."""

FORWARD = ", forward"
"""At the end of the name of a check that leaves backward alone."""

MATHEMATICS = {
    "sequential.forward": "h0 = x, h(l) = layer l of h(l-1): asked of layers that do not commute, and change shapes; "
    "none occurs twice in one model",
    "sequential.backward": "from the last layer to the first, dL/dh(l-1) and dL/dW(l) of dL/dh(l): held against the "
    "derivatives of the whole composition, by complex steps",
    "sgd.step": "v = momentum * v + g, W = W - lr * v, with g = dL/dW + decay * W: several steps, as the solution of "
    "these equations",
    "train.forward": "scores of the model for each mini-batch, and the loss of these scores and the batch's labels",
    "train.update": "the loss's gradient goes to the model's backward, the model's gradients by name to the optimizer",
}


def is_layer(file: str) -> bool:
    """Whether the part in `file` is a layer or a loss."""
    return PurePosixPath(file).parts[0] in LAYERS


def checks_of(file: str, tasks: Sequence[str]) -> list[Check]:
    """The checks of the part in `file` for those `tasks` that are done; TargetError if it cannot be imported.

    A layer's are named as its class is, all others as their tasks are.
    """
    if file in importing.failures:
        raise TargetError(importing.failures[file])
    if not is_layer(file):
        single = _names_single(file)
        return [Check(task, partial(_answered, task, single), _mathematics(task)) for task in tasks]
    found = checks(str(importing.ROOT / file), None)
    part = PurePosixPath(file).stem
    forward = [
        replace(check, name=check.name + FORWARD, run=partial(explained.forward, check, part)) for check in found
    ]
    whole = [replace(check, run=partial(explained.whole, check, part)) for check in found]
    return [*forward, *(whole if any(task.endswith(".backward") for task in tasks) else [])]


def _names_single(file: str) -> bool:
    try:
        given = original.read(importing.ROOT).parts[file]
    except original.OriginalError:
        given = b""  # `handgrad doctor` tells of it
    return names_single((importing.ROOT / file).read_bytes(), given)


def _answered(task: str, single: bool, *, seed: int, **options: Any) -> Report:
    return report_on(task, seed, names_single=single)


def _mathematics(task: str) -> dict[str, str]:
    return {task: MATHEMATICS[task]} if task in MATHEMATICS else {}
