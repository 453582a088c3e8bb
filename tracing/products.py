"""View 2: the formulas of all layers, with the names of the graph and the sizes put in (L20)."""

from __future__ import annotations

import numpy as np

from handgrad.layers import MatMul
from handgrad.layers.broadcasting import Broadcasting
from handgrad.tracing.formulas import Formula, formulas_of, input_names, spread, substituted
from handgrad.tracing.letters import Letters, local_values
from handgrad.tracing.notation import constant_text
from handgrad.tracing.recording import Recording, Value
from handgrad.tracing.sizes import Sizes, sized
from handgrad.tracing.text import Shape, size_text, table

Line = tuple[str, str, str]


def products(recording: Recording) -> str:
    """The forward formulas, then the backward ones from the output on, as a table."""
    letters = Letters(recording)
    steps = [_Step(step, recording, letters) for step in recording.steps]
    lines: list[tuple[str, ...]] = [(f"sizes: {letters.legend}",)] if letters.legend else []
    lines.append(("forward",))
    for step in steps:
        lines += step.forward()
    for step in reversed(steps):
        if step.step.gradient is not None:
            lines.append((f"backward through {step.step.name}, upstream = {recording.derivative(step.step)}",))
            lines += step.backward()
    return table(lines)


class _Step:
    """One layer's lines: (result, formula, sizes)."""

    def __init__(self, step: Value, recording: Recording, letters: Letters) -> None:
        assert step.layer is not None
        self.step, self.layer, self.recording = step, step.layer, recording
        inputs = input_names(self.layer, len(step.arguments))
        numbers = {name: f"{value:g}" for name, value in vars(self.layer).items() if isinstance(value, float)}
        self.formulas = {
            direction: [
                formula._replace(expression=substituted(formula.expression, numbers))
                for stated in formulas
                for formula in spread(stated, inputs)
            ]
            for direction, formulas in formulas_of(self.layer).items()
        }
        self.values = local_values(step)
        self.names = {name: value.name for name, value in self.values.items()}
        self.sizes: Sizes = {name: (value.value.shape, letters.of(value)) for name, value in self.values.items()}
        for name, argument in zip(inputs, step.arguments, strict=True):
            if not isinstance(argument, Value):
                self.names[name] = constant_text(argument)
                self.sizes[name] = np.shape(argument), None if np.ndim(argument) else ()
        if isinstance(self.layer, MatMul):
            self.sizes = _as_matrices(self.sizes)
        self.result = next(name for name, value in self.values.items() if value is step)
        self.sizes["upstream"] = self.sizes[self.result]

    def forward(self) -> list[Line]:
        lines = [self._line(self.names.get(f.result, f.result), f, f.result) for f in self.formulas["forward"]]
        return lines or [(self.step.name, self.step.made, size_text(self.step.value.shape))]

    def backward(self) -> list[Line]:
        lines, told = [], set()
        for formula in self.formulas["backward"]:
            name = formula.result.removeprefix("d")
            if name in self.values:
                told.add(name)
                lines.append(self._line(self._derivative(self.values[name]), self._summed(formula, name), name))
        for name, value in self.values.items():
            has_gradient = any(use.target is self.step and use.gradient is not None for use in value.uses)
            if has_gradient and name not in told:
                lines.append((self._derivative(value), "", size_text(value.value.shape)))
        return lines

    def _line(self, left: str, formula: Formula, name: str) -> Line:
        intermediate = {f.result for f in self.formulas["forward"]} - {self.result}
        sizes = "" if name in intermediate else f": {sized(formula.expression, name, self.sizes, intermediate)}"
        return left, f"= {substituted(formula.expression, self.names)}", sizes

    def _derivative(self, value: Value) -> str:
        """dL/dx; where x has other uses, too, this is a summand of it."""
        several = len({use.target for use in value.uses}) > 1
        return self.recording.derivative(value) + (f" in {self.step.name}" if several else "")

    def _summed(self, formula: Formula, name: str) -> Formula:
        """The formula with the sum that undoes broadcasting, where there was some."""
        repeated = isinstance(self.layer, Broadcasting) and not isinstance(self.layer, MatMul)
        if repeated and self.sizes[name][0] != self.sizes["upstream"][0]:
            return formula._replace(expression=f"sum of {formula.expression}")
        return formula


def _as_matrices(sizes: Sizes) -> Sizes:
    """The sizes of a product's operands and result; a vector on the left is a row, one on the right a column."""
    row, column = len(sizes["a"][0]) == 1, len(sizes["b"][0]) == 1

    def matrix(name: str, shape: Shape) -> Shape:
        if name == "a":
            return (1, *shape) if row else shape
        if name == "b":
            return (*shape, 1) if column else shape
        shape = (*shape, 1) if column else shape
        return (*shape[:-1], 1, shape[-1]) if row else shape

    return {
        name: (matrix(name, numbers), None if letters is None else matrix(name, letters))
        for name, (numbers, letters) in sizes.items()
    }
