"""The right gradient times a constant: a sign, a size, a number of the layer's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from handgrad.checking.diagnosis.catalogue.functions import FUNCTIONS
from handgrad.checking.diagnosis.evidence import Case, lengths_of, own_numbers
from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis


def constant_factors(first: Case) -> Iterator[Hypothesis]:
    yield Hypothesis(
        "sign",
        "{d} has the wrong sign: backward gives exactly minus the differences. Look for a difference taken the wrong "
        "way round, or a forgotten minus.",
        lambda case: -case.numeric,
    )
    if first.weights.size == 1 and first.subject.takes_upstream:
        yield Hypothesis(
            "upstream-ignored",
            "{d} does not depend on the upstream gradient: backward gives the derivative for an upstream of 1. "
            "Multiply by upstream (chain rule: dL/dx = upstream * local).",
            lambda case: case.numeric / case.weights[0],
        )
        yield Hypothesis(
            "upstream-twice",
            "{d} has the upstream gradient in it twice (upstream squared).",
            lambda case: case.numeric * case.weights[0],
        )
    for cause, text, factor in _factors(first):
        for sign in (1, -1):
            extra = " and has the wrong sign" if sign < 0 else ""
            yield Hypothesis(
                cause,
                text + extra + ".",
                lambda case, factor=factor, sign=sign: sign * factor(case) * case.numeric,  # type: ignore[misc]
                speaks_of_sizes=True,
            )
    if first.y.ndim == 0:
        for text, function in FUNCTIONS:
            if any(sign in text for sign in ("<", ">", "=", "sign", "|")):
                continue  # of a loss >= 0 these are constants, which explain nothing
            formula = text.replace("z", "L")
            for cause, words, power in (("extra-factor", "times", 1), ("missing-factor", "divided by", -1)):
                for half in (1.0, 2.0):
                    yield Hypothesis(
                        cause,
                        f"{{d}} is exactly the right gradient {words} {'2 * ' if half == 2 else ''}{formula}, L "
                        "being the loss's value: the derivative of the outermost function (a root, a log) is missing.",
                        lambda case, f=function, power=power, half=half: (  # type: ignore[misc]
                            case.numeric * (half * f(case.y)) ** power
                        ),
                        speaks_of_sizes=True,
                    )
    seen = np.isfinite(first.numeric) & (np.abs(first.numeric) > 1e-6 * np.nanmax(np.abs(first.numeric)))
    ratios = first.analytic[seen] / first.numeric[seen]
    if ratios.size > 1 and np.ptp(ratios) < 1e-8 * np.abs(ratios).max():
        c = float(np.round(ratios.mean(), 9)) or float(ratios.mean())
        yield Hypothesis(
            "constant-factor",
            f"{{d}} is exactly {c:.9g} times what the differences give: a constant factor too many or too few.",
            lambda case: c * case.numeric,
            speaks_of_sizes=True,  # a factor that the labels or the sizes make is no constant
        )


def _factors(first: Case) -> Iterator[tuple[str, str, Callable[[Case], float]]]:
    """Factors with a meaning: sizes, the layer's own numbers, 2, ratios of sizes."""
    lengths = lengths_of(first)
    for label in lengths:
        yield (
            f"missing-1/{label}",
            f"{{d}} is exactly {label} times too large: the division by {label} is missing (a sum where forward takes "
            "a mean)",
            lambda case, label=label: float(lengths_of(case)[label]),  # type: ignore[misc]
        )
        yield (
            f"extra-1/{label}",
            f"{{d}} is exactly {label} times too small: divided by {label} once too often (a mean where a sum belongs; "
            "the 1/N is the loss's business alone)",
            lambda case, label=label: 1 / lengths_of(case)[label],  # type: ignore[misc]
        )
    for label in lengths:
        yield (
            f"missing-1/sqrt({label})",
            f"{{d}} is too large by the square root of {label}: the factor 1 / sqrt({label}) is missing",
            lambda case, label=label: float(lengths_of(case)[label]) ** 0.5,  # type: ignore[misc]
        )
        yield (
            f"extra-1/sqrt({label})",
            f"{{d}} is too small by the square root of {label}: divided by it once too often",
            lambda case, label=label: float(lengths_of(case)[label]) ** -0.5,  # type: ignore[misc]
        )
    for name in own_numbers(first):
        keep = "keep probability " if name in ("p", "rate", "drop", "keep") else ""
        told: list[tuple[str, Callable[[float], float]]] = [
            (f"missing-scale-1/(1-{name})", lambda a: 1 - a),
            (f"extra-scale-1/(1-{name})", lambda a: 1 / (1 - a)),
            (f"missing-factor-{name}", lambda a: 1 / a),
            (f"extra-factor-{name}", lambda a: a),
        ]
        for cause, of in told if keep else told[2:] + told[:2]:
            what = cause.split("-", 2)[2]
            verb = "is missing" if cause.startswith("missing") else "is there once too often"
            yield (
                cause,
                f"{{d}} is off by a constant factor: the {keep}scale {what} of the layer {verb}",
                lambda case, name=name, of=of: of(own_numbers(case)[name]),  # type: ignore[misc]
            )

    yield "missing-factor-2", "{d} is exactly half of the differences: a factor 2 is missing", lambda case: 0.5
    yield (
        "extra-factor-2",
        "{d} is exactly twice the differences: a factor 2 too much, or counted twice",
        lambda case: 2.0,
    )
    for a, b in itertools.permutations(lengths, 2):
        yield (
            f"{a}-for-{b}",
            f"{{d}} is exactly {b}/{a} times the differences: divided by {a} where {b} belongs",
            lambda case, a=a, b=b: lengths_of(case)[b] / lengths_of(case)[a],  # type: ignore[misc]
        )
        if a < b:
            yield (
                f"missing-1/({a}*{b})",
                f"{{d}} is exactly {a}*{b} times too large: the division by both is missing",
                lambda case, a=a, b=b: float(lengths_of(case)[a] * lengths_of(case)[b]),  # type: ignore[misc]
            )
            yield (
                f"extra-1/({a}*{b})",
                f"{{d}} is exactly {a}*{b} times too small",
                lambda case, a=a, b=b: 1 / (lengths_of(case)[a] * lengths_of(case)[b]),  # type: ignore[misc]
            )
    for name, words, size in _windows(first):
        yield (
            f"missing-1/{name}",
            f"{{d}} is exactly as many times too large as there are {words}: the mean's division is missing",
            lambda case, size=size: float(size(case)),  # type: ignore[misc]
        )
        yield (
            f"extra-1/{name}",
            f"{{d}} is exactly as many times too small as there are {words}: a mean where a sum belongs",
            lambda case, size=size: 1 / float(size(case)),  # type: ignore[misc]
        )


def _windows(first: Case) -> Iterator[tuple[str, str, Callable[[Case], float]]]:
    """Numbers of entries that have no symbol: of a pooling's window, of the places of an output with several axes."""
    if first.y.ndim > 2:
        yield (
            "places",
            "places in the output (the batch and the channels left out)",
            lambda case: case.y.size / case.y.shape[0] / case.y.shape[1],
        )
        yield "places*N", "places in the output, in the whole batch", lambda case: case.y.size / case.y.shape[1]
    if first.y.ndim > 1 and first.x.size > first.y.size:
        yield "window", "entries in a window (x.size / y.size)", lambda case: case.x.size / case.y.size
