"""What the gradient checker finds of a part's layer, with the cause where a known mistake gives the same."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

from handgrad.assignment.draws import probes_of
from handgrad.assignment.draws.layer import CACHED
from handgrad.assignment.judge import first_attempt, judge
from handgrad.assignment.mistakes import Given, known
from handgrad.assignment.probes import Probe, run
from handgrad.assignment.raised import Raised, explanations
from handgrad.assignment.words import what_is_kept
from handgrad.checking.contract import GRADIENTS
from handgrad.checking.report import Report
from handgrad.checking.specimens import SPECIMENS
from handgrad.checking.targets import Check

ABOUT_VALUES = ("value", "nonfinite", "shape", "dtype", "crash")
"""The kinds of findings that are about what is computed; after one about forward nothing can be said of backward."""

OF_ONE_CALL = {"make", "set", "forward"}
"""The steps of a probe that the definition of a layer answers: one forward of a new object."""


def forward(check: Check, part: str, *, skip: tuple[str, ...], seed: int, **options: Any) -> Report:
    """Forward alone, at every size and value: what it gives does not hang on backward."""
    report = whole(check, part, skip=(*skip, GRADIENTS), seed=seed, **options)
    finding = next((one for one in report.findings if one.array == "y" and one.kind in ABOUT_VALUES), None)
    if finding is not None:
        causes = _causes(f"{part}.forward", seed)
        finding.message = f"{causes[0]} ({finding.message})" if causes else finding.message
    return report


def whole(check: Check, part: str, **options: Any) -> Report:
    """The checker's report; with what an error means that the code raised, and with what is wrong in the cache."""
    report = check.run(**options)
    for finding in report.findings:
        if finding.kind == "crash":
            meaning = explanations([Raised(finding.message)])
            finding.message = f"{finding.message} {meaning[0]}." if meaning else finding.message
    of_backward = [one for one in report.findings if one.array != "y" and one.kind in ABOUT_VALUES]
    for finding in of_backward[:1] if of_backward and _keeps_wrong(part) else []:
        finding.message = f"self.cache does not hold {what_is_kept(part)}, which forward must keep. {finding.message}"
    return report


def _keeps_wrong(part: str) -> bool:
    """Whether forward leaves another thing in the cache than the handout's backward expects there."""
    if part not in CACHED:
        return False
    _, probe = probes_of(f"{part}.backward", np.random.default_rng(0))[0]
    make, *rest = probe.script
    layer = getattr(import_module(f"handgrad.{probe.module}"), probe.name)(*make[2], **make[3])
    try:
        for step in rest:
            if step[0] == "set":
                layer.params[step[2]][...] = probe.arrays[step[3]]
        x = probe.arrays["x"].copy()
        y = layer.forward(x)
        return not np.array_equal(layer.cache, x if CACHED[part] == "x" else y)
    except Exception:  # which the report tells of
        return False


def _causes(task: str, seed: int) -> list[str]:
    """The known mistakes that explain what forward gives; none where the layer has no definition here."""
    wrong: list[Given] = []
    right: list[Given] = []
    try:
        drawn = probes_of(task, np.random.default_rng(seed))
    except ValueError:  # an instructor's own layer
        return []
    for check, probe in drawn:
        wanted = _defined(probe)
        if wanted is None:
            continue
        try:
            answer = run(probe)
        except Exception as error:
            wrong.append(Given(check, probe, error=str(error)))
            continue
        given = Given(check, probe, answer, allows_single=probe.is_single)
        is_right = judge(first_attempt(answer), {"y": wanted}, allows_single=True).right
        (right if is_right else wrong).append(given)
    return known(task, wrong, right) if wrong else []


def _defined(probe: Probe) -> Any:
    """What forward must give, by definition; None where that is not said."""
    forwards = [step for step in probe.script if step[0] == "forward"]
    definition = SPECIMENS[probe.name][0].forward
    if definition is None or len(forwards) != 1 or {step[0] for step in probe.script} - OF_ONE_CALL:
        return None
    params = {step[2]: probe.arrays[step[3]] for step in probe.script if step[0] == "set"}
    wanted = definition(SimpleNamespace(params=params), *[probe.arrays[name] for name in forwards[0][3]])
    return None if wanted is None else np.asarray(wanted)
