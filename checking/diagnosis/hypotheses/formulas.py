"""The upstream gradient times a simple function, but the wrong one; a factor or a term too many."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from handgrad.checking.diagnosis.catalogue.functions import FUNCTIONS, PAIRS
from handgrad.checking.diagnosis.evidence import Case, same
from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis
from handgrad.params import Array


def wrong_derivative(first: Case) -> Iterator[Hypothesis]:
    """The upstream gradient times a simple function of the input or output, but the wrong one."""
    if first.u.shape != first.analytic.shape:
        return
    for (name, of), (text, function) in itertools.product(_functions(first), FUNCTIONS):
        if same(first.u * function(of(first)), first.numeric, 1e-5):
            continue  # that is right, but for some rounding
        cause, ending = _swapped(first, name, function, text)
        yield Hypothesis(
            cause,
            f"{{d}} is exactly upstream * {text.replace('z', name)}{ending}",
            lambda case, of=of, function=function: case.u * function(of(case)),  # type: ignore[misc]
        )
    if first.x.shape != first.analytic.shape or not first.is_input or first.y.shape != first.x.shape:
        return
    for text, why, both in PAIRS:
        yield Hypothesis(
            "wrong-derivative",
            f"{{d}} is exactly upstream * {text}: {why}.",
            lambda case, both=both: case.u * both(case.x, case.y),  # type: ignore[misc]
        )
    yield Hypothesis(
        "product-rule",
        "{d} is upstream * y / x: of a product y = x * g(x) only the term g(x) is there, x * g'(x) is missing.",
        lambda case: case.u * case.y / case.x,
    )
    yield Hypothesis(
        "product-rule",
        "{d} lacks upstream * y / x: of a product y = x * g(x) only the term x * g'(x) is there, g(x) is missing.",
        lambda case: case.numeric - case.u * case.y / case.x,
    )


def wrong_sum(first: Case) -> Iterator[Hypothesis]:
    """A parameter's gradient as the sum of upstream times a simple function, but the wrong one."""
    if first.name not in first.subject.params or first.x.shape != first.u.shape or first.u.ndim < 1:
        return
    for axes in ((0,), tuple(range(first.u.ndim)), tuple(i for i in range(first.u.ndim) if i != 1)):
        if np.shape(first.u.sum(axis=axes)) != first.analytic.shape:
            continue
        for (name, of), (text, function) in itertools.product(
            (("x", lambda case: case.x), ("y", lambda case: case.y)), FUNCTIONS
        ):
            yield Hypothesis(
                "wrong-derivative",
                f"{{d}} is exactly the sum of upstream * {text.replace('z', name)}, which is not this parameter's "
                f"derivative{_right_sum(first, axes)}.",
                lambda case, of=of, function=function, axes=axes: np.asarray(  # type: ignore[misc]
                    (case.u * function(of(case))).sum(axis=axes)
                ),
            )


def _right_sum(first: Case, axes: tuple[int, ...]) -> str:
    for name, values in (("x", first.x), ("y", first.y)):
        for text, function in FUNCTIONS:
            if same(np.asarray((first.u * function(values)).sum(axis=axes)), first.numeric):
                return f"; the differences give the sum of upstream * {text.replace('z', name)}"
    return ""


def wrong_factor(first: Case) -> Iterator[Hypothesis]:
    """The right gradient times a simple function of the input or output, or without it."""
    for (name, of), (text, function) in itertools.product(_functions(first), FUNCTIONS):
        formula = text.replace("z", name)
        yield Hypothesis(
            "extra-factor",
            f"{{d}} is exactly the right gradient times {formula}: that factor is one too many, or a division by "
            "it is missing.",
            lambda case, of=of, function=function: case.numeric * function(of(case)),  # type: ignore[misc]
        )
        yield Hypothesis(
            "missing-factor",
            f"{{d}} is exactly the right gradient divided by {formula}: that factor is missing.",
            lambda case, of=of, function=function: case.numeric / function(of(case)),  # type: ignore[misc]
        )


def sums_of_parts(first: Case) -> Iterator[Hypothesis]:
    """The right gradient plus a multiple of something."""
    candidates: list[tuple[str, str, Callable[[Case], Array | None]]] = []
    own = first.name in first.subject.params
    candidates.append(
        ("weight-decay" if own else "adds-input", f"{first.name} itself", lambda case: case.point[case.name])
    )
    candidates.append(("adds-upstream", "the upstream gradient", lambda case: case.u))
    candidates.append(("adds-output", "the output", lambda case: case.y))
    candidates.append(("adds-constant", "1", lambda case: np.ones_like(case.analytic)))
    candidates.append(("adds-sign", f"the sign of {first.name}", lambda case: np.sign(case.point[case.name])))
    for cause, what, part in candidates:
        value = part(first)
        if value is None or np.shape(value) != first.analytic.shape:
            continue
        difference = (first.analytic - first.numeric)[np.isfinite(first.numeric)]
        basis = np.asarray(value)[np.isfinite(first.numeric)]
        c = float(difference @ basis / (basis @ basis)) if np.any(basis) else 0.0
        if abs(c) < 1e-9:
            continue
        if cause == "adds-upstream" and abs(c + 1) < 1e-7:
            cause, text = (
                "skip-forgotten",
                "{d} lacks the upstream gradient itself: the direct path (a skip connection, or the entry's own "
                "term) is forgotten.",
            )
        elif cause == "adds-upstream" and abs(c - 1) < 1e-7:
            text = "{d} has the upstream gradient in it once too often."
        elif cause == "weight-decay":
            text = (
                f"{{d}} has {c:.4g} * {what} added to it: weight decay (regularisation) belongs into "
                "the optimizer or the loss."
            )
        else:
            text = f"{{d}} is the right gradient plus {c:.4g} times {what}."
        yield Hypothesis(cause, text, lambda case, part=part, c=c: case.numeric + c * np.asarray(part(case)))  # type: ignore[misc]


def _functions(first: Case) -> list[tuple[str, Callable[[Case], Array]]]:
    """What a factor can be a function of, entry by entry: the variable itself, the output, the other inputs."""
    arguments: list[tuple[str, Callable[[Case], Array]]] = [(first.name, lambda case: case.point[case.name])]
    if first.y.shape == first.analytic.shape:
        arguments.append(("y", lambda case: case.y))
        arguments.append(("upstream", lambda case: case.u))
    for key in first.subject.inputs:
        if key != first.name and first.point[key].shape == first.analytic.shape:
            arguments.append((key, lambda case, key=key: case.point[key]))  # type: ignore[misc]
    return arguments


def _swapped(first: Case, name: str, function: Callable[[Array], Array], text: str) -> tuple[str, str]:
    """The cause, and how the sentence goes on: the right function of the wrong thing, or the wrong function."""
    places = {"y": first.y, first.name: first.point[first.name]}
    if name == "upstream":  # a gate that looks at the wrong thing; gates are told of their input
        places = dict(reversed(places.items()))
    for right, values in places.items():
        if values.shape == first.analytic.shape and right != name and same(first.u * function(values), first.numeric):
            words = {"y": "output", first.name: "input", "upstream": "upstream"}
            used, belongs = words.get(name, name), words[right]
            theirs = "upstream gradient" if used == "upstream" else used
            formula = text.replace("z", right)
            return f"{used}-for-{belongs}", (
                f": you used the {theirs} where the {belongs} belongs; right is upstream * {formula}."
            )
    for right, values in places.items():
        for formula, candidate in FUNCTIONS:
            if values.shape == first.analytic.shape and same(first.u * candidate(values), first.numeric):
                return "wrong-derivative", f", the differences give upstream * {formula.replace('z', right)}."
    return "wrong-derivative", ", which is not this function's derivative."


def missing_term(first: Case) -> Iterator[Hypothesis]:
    """What is missing is the same in all entries of a row, or along the row itself: a path through a mean or a norm."""
    if first.analytic.ndim != 2 or min(first.analytic.shape) < 3:
        return
    for axis, word in ((1, "row"), (0, "column")):
        yield Hypothesis(
            "mean-path-forgotten",
            f"{{d}} is off by the same amount in all entries of a {word}: a term with the {word}'s sum or mean is "
            f"missing or wrong, the path through what is summed over axis {axis}.",
            lambda case, axis=axis: (  # type: ignore[misc]
                case.numeric + (case.analytic - case.numeric).mean(axis=axis, keepdims=True)
            ),
        )
        yield Hypothesis(
            "norm-path-forgotten",
            f"{{d}} is off by a multiple of {first.name} in each {word}: the projection, the path through the norm of "
            f"the {word}, is missing or wrong.",
            lambda case, axis=axis: case.numeric + _along(case, axis),  # type: ignore[misc]
        )


def _along(case: Case, axis: int) -> Array:
    """The part of what is wrong that lies along the variable itself."""
    off, v = case.analytic - case.numeric, case.point[case.name]
    return np.asarray(v * (off * v).sum(axis=axis, keepdims=True) / (v * v).sum(axis=axis, keepdims=True))
