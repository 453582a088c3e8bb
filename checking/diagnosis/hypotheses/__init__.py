"""Hypotheses: what backward would return if a certain mistake had been made, the simplest mistakes first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from handgrad.checking.diagnosis.catalogue import mistakes
from handgrad.checking.diagnosis.evidence import Case
from handgrad.checking.diagnosis.hypotheses.factors import constant_factors
from handgrad.checking.diagnosis.hypotheses.formulas import (
    missing_term,
    sums_of_parts,
    wrong_derivative,
    wrong_factor,
    wrong_sum,
)
from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis
from handgrad.checking.diagnosis.hypotheses.paths import parts_of_the_jacobian, sums_of_upstream
from handgrad.checking.diagnosis.hypotheses.places import permuted, rearranged, result_changed
from handgrad.checking.diagnosis.hypotheses.products import bare_products
from handgrad.checking.diagnosis.hypotheses.upstream import other_upstream, upstream_ignored
from handgrad.checking.diagnosis.hypotheses.values import other_values, stale


def hypotheses(first: Case, is_linear: bool) -> Iterator[Hypothesis]:
    """All hypotheses, the simplest first; where backward is not linear in the upstream, those that explain that."""
    yield Hypothesis(
        "zero",
        "{d} is zero everywhere, the differences are not: it is never filled in, or the upstream gradient is cut off.",
        lambda case: np.zeros_like(case.analytic),
    )
    if is_linear:
        yield from stale(first)
    yield from constant_factors(first)
    yield from upstream_ignored(first)
    yield from _catalogue(first)
    yield from result_changed(first)
    if is_linear:
        yield from rearranged(first)
        yield from permuted(first)
        yield from sums_of_upstream(first)
    yield from other_upstream(first)
    if is_linear:
        yield from parts_of_the_jacobian(first)
    yield from wrong_derivative(first)
    if is_linear:
        yield from wrong_sum(first)
        yield from other_values(first)
        yield from bare_products(first)
    yield from sums_of_parts(first)
    if is_linear:
        yield from wrong_factor(first)
        yield from missing_term(first)


def _catalogue(first: Case) -> Iterator[Hypothesis]:
    """The wrong formulas of the layer that forward turns out to be."""
    return (Hypothesis(mistake.cause, mistake.message, mistake.gradient) for mistake in mistakes(first))
