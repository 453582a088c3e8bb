"""Why a gradient is wrong: hypotheses, tried from the simplest on until one reproduces the numbers.

A cause is named only if it gives what backward did return, to 1e-8, at points with different inputs, parameters,
upstream gradients and, where it speaks of sizes, sizes. Where none does, the wrong entries are located.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handgrad.checking.diagnosis.evidence import Case, Evidence
from handgrad.checking.diagnosis.hypotheses import hypotheses
from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis
from handgrad.checking.diagnosis.hypotheses.upstream import not_linear
from handgrad.checking.diagnosis.location import located, pattern
from handgrad.checking.subject import BadReturn, LayerError
from handgrad.params import Array


def diagnose(evidence: Evidence) -> tuple[str, str]:
    """(cause, message): the simplest hypothesis that reproduces the numbers; cause "" when none does."""
    cases = evidence.cases
    array = "d" + evidence.name
    if cases and np.isfinite(cases[0].analytic).all():
        first = cases[0]
        unused = all(not np.any(case.numeric[np.isfinite(case.numeric)]) for case in cases)
        if unused and evidence.name in first.subject.params:
            return "parameter-unused", (
                f"forward gives the same whatever params['{evidence.name}'] is: it does not read it, or params hands "
                f"out a copy; so {array} should be 0."
            )
        if len(cases) > 1 and all(map(_is_half_precision, cases)):
            return "half-precision", (
                f"{array} is right to 3 digits and no more: it is computed in half precision (float16)."
            )
        if len(cases) > 1:
            nonlinear = not_linear(first)
            for hypothesis in hypotheses(first, nonlinear is None):
                if _holds(hypothesis, evidence.against(hypothesis)):
                    return _placed(evidence, hypothesis.cause, hypothesis.message.replace("{d}", array))
            if nonlinear:
                return nonlinear[0], nonlinear[1].replace("{d}", array)
    return located(evidence)


def _is_half_precision(case: Case) -> bool:
    with np.errstate(over="ignore"):
        rounded = case.analytic.astype(np.float16).astype(np.float64)
    off = np.abs(case.analytic - case.numeric)
    is_close = np.nanmax(off, initial=0.0) <= 5e-3 * np.nanmax(np.abs(case.numeric), initial=0.0)
    return bool(case.analytic.size > 3 and np.array_equal(rounded, case.analytic) and is_close)


def _holds(hypothesis: Hypothesis, cases: Sequence[Case]) -> bool:
    """Whether it gives what backward returned, everywhere, and not what is right."""
    try:
        predicted: list[Array | None] = []
        for case in cases:  # one after the other: most hypotheses are refuted by the first
            predicted.append(hypothesis.predict(case))
            if not case.fits(predicted[-1]):
                return False
        return any(map(Case.differs, cases, predicted))
    except (LayerError, BadReturn, ValueError, IndexError, KeyError, ZeroDivisionError):
        return False  # it makes no sense here


def _placed(evidence: Evidence, cause: str, message: str) -> tuple[str, str]:
    """The cause; where only some inputs are concerned (negative ones, say), that is it, and the formula explains it."""
    if cause in ("wrong-derivative", "wrong-input", "extra-factor", "missing-factor"):
        where, text = pattern(evidence)
        if where.startswith("wrong-"):
            return where, f"{message[:-1]}: it is wrong {text}."
    return cause, message
