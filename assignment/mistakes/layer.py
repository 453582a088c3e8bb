"""Mistakes in layers and losses; of most in a backward the gradient checker tells better.

Each part has a module of its own with two tables, FORWARD and BACKWARD: name -> (sentence, formula).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def code(mistake: str, part: str) -> Callable[..., Any]:
    """A class of layers whose forward, or backward, makes the mistake."""
    module = MODULES[part]
    if mistake in module.FORWARD:
        return partial(Mistaken, part, module.FORWARD[mistake][1])
    return partial(MistakenBackward, part, module.BACKWARD[mistake][1])


class Mistaken:
    """Just a forward, and the parameters of a fully connected layer."""

    def __init__(self, part: str, formula: Formula, *sizes: int, **options: Any) -> None:
        self.formula, self.params = formula, dict[str, Array]()
        if part == "fc":
            dtype = options["dtype"]
            self.params["W"] = np.empty(sizes[::-1], dtype)
            if options.get("bias", True):
                self.params["b"] = np.empty(sizes[1], dtype)

    def forward(self, *inputs: Array) -> Any:
        params: Mapping[str, Array] = self.params
        return self.formula(params, *inputs)


class MistakenBackward(Mistaken):
    """A backward; its forward keeps what it is given, and gives nothing."""

    def forward(self, *inputs: Array) -> None:
        self.inputs = inputs

    def backward(self, upstream: Any = 1.0) -> Any:
        return self.formula(self.params, upstream, *self.inputs)
