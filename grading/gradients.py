"""What the gradient checker says of a student's layer. Runs in the sandboxed child: its result is words, no verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from handgrad.assignment.probes.probe import Probe, Step
from handgrad.params import Array

TREE = r"\S*/tree/handgrad/"
"""What leads the paths of the student's files in the sandbox."""

MOST = 20
"""Findings that are told."""


def run(probe: Probe, script: Sequence[Step], code: Any = None) -> dict[str, Array]:
    """{"findings": JSON text as bytes}: [array, message] of each finding of all of the class's specimens."""
    from handgrad.checking.specimens import SPECIMENS
    from handgrad.gradcheck import sweep

    cls = getattr(import_module(f"handgrad.{probe.module}"), probe.name)
    found: list[tuple[str, str]] = []
    for specimen in SPECIMENS[probe.name]:
        report = sweep(
            partial(specimen.make, cls),
            specimen.inputs,
            specimen.sizes,
            extra=specimen.extra,
            domain=specimen.domain,
            at_kink=specimen.at_kink,
            reference=specimen.forward,
        )
        about = f" ({specimen.about})" if specimen.about else ""
        found += [(finding.array, finding.message + about) for finding in report.findings]
        wrong = dict.fromkeys(finding.array for finding in report.findings if finding.kind != "contract")
        found += [
            (array, f"the formula is {specimen.mathematics[array]}") for array in wrong if array in specimen.mathematics
        ]
        if report.findings:
            break
    text = json.dumps(found[:MOST])
    return {"findings": np.frombuffer(text.encode(), np.uint8)}


def read(answer: Mapping[str, Array]) -> list[tuple[str, str]]:
    """The findings of an answer that may be anything."""
    try:
        found = json.loads(bytes(np.asarray(answer["findings"], np.uint8).ravel()))
        return [(str(array)[:50], re.sub(TREE, "", str(message))[:600]) for array, message in found[:MOST]]
    except (KeyError, ValueError, TypeError, RecursionError):
        return []
