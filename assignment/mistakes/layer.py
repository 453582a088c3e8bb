"""Mistakes in layers and losses; of most in a backward the gradient checker tells better.

Each part has a module of its own with two tables, FORWARD and BACKWARD: name -> (sentence, formula).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from handgrad.assignment.mistakes import fc, relu, sigmoid, softmax_ce
from handgrad.assignment.mistakes.formula import Formula
from handgrad.params import Array

MODULES = {"fc": fc, "relu": relu, "sigmoid": sigmoid, "softmax_ce": softmax_ce}

MISTAKES = {
    f"{part}.{method}": {name: sentence for name, (sentence, _) in table.items()}
    for part, module in MODULES.items()
    for method, table in (("forward", module.FORWARD), ("backward", module.BACKWARD))
}


ACROSS: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "running average": lambda values: np.mean(values),
    "running sum": lambda values: np.sum(values),
    "first for ever": lambda values: values[0],
}
"""What a forward gives that makes something of its values so far, all of them right."""


def code(mistake: str, part: str) -> Callable[..., Any]:
    """A class of layers whose forward, or backward, makes the mistake."""
    module = MODULES[part]
    if mistake in module.FORWARD:
        return partial(Mistaken, part, module.FORWARD[mistake][1], ACROSS.get(mistake))
    return partial(MistakenBackward, part, module.BACKWARD[mistake][1], None)


class Mistaken:
    """Just a forward, and the parameters of a fully connected layer."""

    def __init__(
        self,
        part: str,
        formula: Formula,
        across: Callable[[Sequence[Any]], Any] | None = None,
        *sizes: int,
        **options: Any,
    ) -> None:
        self.formula, self.across, self.params = formula, across, dict[str, Array]()
        self.values: list[Any] = []
        if part == "fc":
            dtype = options["dtype"]
            self.params["W"] = np.empty(sizes[::-1], dtype)
            if options.get("bias", True):
                self.params["b"] = np.empty(sizes[1], dtype)

    def forward(self, *inputs: Array) -> Any:
        params: Mapping[str, Array] = self.params
        value = self.formula(params, *inputs)
        if self.across is None:
            return value
        self.values.append(value)
        return self.across(self.values)


class MistakenBackward(Mistaken):
    """A backward; its forward keeps what it is given, and gives nothing."""

    def forward(self, *inputs: Array) -> None:
        self.inputs = inputs

    def backward(self, upstream: Any = 1.0) -> Any:
        return self.formula(self.params, upstream, *self.inputs)
