"""Products of the upstream gradient, weights and inputs, from which something in between is missing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from handgrad.checking.diagnosis.evidence import Case
from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis
from handgrad.params import Array

Product = tuple[str, Callable[[Case], Array]]
"""What is multiplied, in words and in numbers."""


def bare_products(first: Case) -> Iterator[Hypothesis]:
    """Products of the upstream gradient, weights and an input, as if nothing else came between them."""
    if first.u.ndim != 2 or first.analytic.ndim != 2:
        return
    own = first.name in first.subject.params
    for text, product in _weight_products(first) if own else _input_products(first):
        yield Hypothesis(
            "intermediate-forgotten",
            f"{{d}} is {text} and nothing more: what forward computes between these factors (an activation, a mask, "
            "another product) has no part in it. Bring upstream back step by step.",
            product,
        )


def _input_products(first: Case) -> Iterator[Product]:
    """upstream W, upstream W2 W1: the way back through the weights."""
    for (far, back), (near, weights) in itertools.product(_upstreams(first), _matrices(first)):
        yield f"{far} {near}", lambda case, back=back, weights=weights: back(case) @ weights(case)  # type: ignore[misc]


def _weight_products(first: Case) -> Iterator[Product]:
    """upstream' x, (upstream W2)' x, upstream' (x W1'): what comes back times what went in, either way round."""
    for (theirs, back), (ours, value) in itertools.product(_upstreams(first), _values(first)):
        back_text = f"({theirs})" if " " in theirs else theirs
        text = f"({ours})" if " " in ours else ours
        yield f"{back_text}' {text}", lambda case, back=back, value=value: back(case).T @ value(case)  # type: ignore[misc]
        yield f"{text}' {back_text}", lambda case, back=back, value=value: value(case).T @ back(case)  # type: ignore[misc]


def _upstreams(first: Case) -> Iterator[Product]:
    yield "upstream", lambda case: case.u
    for name, weights in _matrices(first):
        yield f"upstream {name}", lambda case, weights=weights: case.u @ weights(case)  # type: ignore[misc]


def _values(first: Case) -> Iterator[Product]:
    """The inputs, and the inputs times a weight, with and without a bias."""
    for key in first.subject.inputs:
        yield key, lambda case, key=key: case.point[key]  # type: ignore[misc]
        for name, weights in _matrices(first):
            yield f"{key} {name}", lambda case, key=key, weights=weights: case.point[key] @ weights(case)  # type: ignore[misc]
            for bias in first.subject.params:
                if first.point[bias].ndim == 1:
                    yield (
                        f"{key} {name} + {bias}",
                        lambda case, key=key, weights=weights, bias=bias: (  # type: ignore[misc]
                            case.point[key] @ weights(case) + case.point[bias]
                        ),
                    )


def _matrices(first: Case) -> Iterator[Product]:
    for key in first.subject.params:
        if first.point[key].ndim == 2:
            yield key, lambda case, key=key: case.point[key]  # type: ignore[misc]
            yield f"{key}'", lambda case, key=key: case.point[key].T  # type: ignore[misc]
