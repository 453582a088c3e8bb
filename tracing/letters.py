"""Sizes in letters: B the batch, D features, H hidden units, C classes; only D where there is no batch."""

from __future__ import annotations

from typing import TypeAlias

from handgrad.layers import MatMul
from handgrad.losses import Loss
from handgrad.tracing.formulas import formulas_of, input_names, is_elementwise, shapes_of
from handgrad.tracing.recording import Recording, Value
from handgrad.tracing.text import Shape

Axis: TypeAlias = tuple[Value, int]

MEANINGS = {"B": "the batch", "D": "features", "H": "hidden units", "C": "classes"}


class Letters:
    """Which axes of the values have one size because the docstrings say so, not by chance; and a letter for each size.

    FC says `x [B x in] -> y [B x out]` and W `[out x in]`: so W's columns are as many as x's. An axis of which no
    docstring tells anything has no letter.
    """

    def __init__(self, recording: Recording) -> None:
        self._same: dict[Axis, Axis] = {}
        """From each axis of which something is known to another of that size, at last to itself."""
        self._batches: list[Axis] = []
        for step in recording.steps:
            self._learn(step)
        self._letters = self._named(recording)

    def of(self, value: Value) -> Shape | None:
        """The value's shape in letters, with 1 where the size is 1; None where a letter is missing, as in images."""
        if value.value.ndim > 2:
            return None
        letters: list[int | str] = []
        for axis, size in enumerate(value.value.shape):
            letter = 1 if size == 1 else self._letters.get(self._representative((value, axis)))
            if letter is None:
                return None
            letters.append(letter)
        return tuple(letters)

    @property
    def legend(self) -> str:
        """What the letters that are in use stand for; nothing where there is no batch."""
        first = {letter[0] for letter in self._letters.values()}
        return ", ".join(
            f"{letter} {meaning}" for letter, meaning in MEANINGS.items() if letter in first and self._batches
        )

    def _learn(self, step: Value) -> None:
        met: dict[str, Axis] = {}
        for name, value in local_values(step).items():
            letters = _stated(step).get(name, [])
            if len(letters) != value.value.ndim:
                continue
            for axis, letter in enumerate(letters):
                self._join((value, axis), met.setdefault(letter, (value, axis)))
                if letter == "B":
                    self._batches.append((value, axis))
        assert step.layer is not None
        if is_elementwise(step.layer):
            for source in step.arguments:
                if isinstance(source, Value):
                    shift = step.value.ndim - source.value.ndim
                    for axis in range(source.value.ndim):
                        self._join((source, axis), (step, axis + shift))

    def _join(self, a: Axis, b: Axis) -> None:
        for axis in (a, b):
            self._same.setdefault(axis, axis)
        if _size(a) == _size(b):  # not so where an operand is repeated, or where a docstring is mistaken
            self._same[self._representative(a)] = self._representative(b)

    def _representative(self, axis: Axis) -> Axis:
        """One and the same of all axes that are joined."""
        while self._same.get(axis, axis) != axis:
            axis = self._same[axis]
        return axis

    def _named(self, recording: Recording) -> dict[Axis, str]:
        """A letter for each representative of a size above 1 that some docstring tells of."""
        letters: dict[Axis, str] = {}
        axes = [(value, axis) for value in recording.values for axis in range(value.value.ndim) if value.value.ndim < 3]
        known = list(
            dict.fromkeys(self._representative(axis) for axis in axes if axis in self._same and _size(axis) > 1)
        )

        def name(axis: Axis, letter: str) -> None:
            axis = self._representative(axis)
            if axis in known and axis not in letters:
                letters[axis] = letter if letter not in letters.values() else f"{letter}{len(letters)}"

        if not self._batches:
            return {axis: "D" if len(known) == 1 else f"D{k}" for k, axis in enumerate(known, 1)}
        for axis in self._batches:
            name(axis, "B")
        # The features are those of the first input, or of what makes vectors of images; not the labels, which are [B].
        values = [value for value in recording.values if not value.name_in_model and value.value.ndim in (1, 2)]
        columns = [(value, value.value.ndim - 1) for value in values]
        for axis in [axis for axis in columns if self._representative(axis) not in letters][:1]:
            name(axis, "D")
        scores = recording.output.arguments[0] if isinstance(recording.output.layer, Loss) else recording.output
        if isinstance(scores, Value) and scores in values:
            name((scores, scores.value.ndim - 1), "C")
        hidden = [axis for axis in known if axis not in letters]
        return letters | {axis: "H" if len(hidden) == 1 else f"H{k}" for k, axis in enumerate(hidden, 1)}


def local_values(step: Value) -> dict[str, Value]:
    """The values of a step by what the layer calls them: inputs, parameters, output (nothing if it does not say)."""
    assert step.layer is not None
    names = input_names(step.layer, len(step.arguments))
    found = {name: x for name, x in zip(names, step.arguments, strict=True) if isinstance(x, Value)}
    forward = formulas_of(step.layer)["forward"]
    return {**found, **step.parameters, forward[-1].result if forward else "": step}


def _stated(step: Value) -> dict[str, list[str]]:
    """The letters of each array's axes as the layer's docstring has them."""
    assert step.layer is not None
    if not isinstance(step.layer, MatMul):
        return shapes_of(step.layer)
    a, b = (2 if isinstance(x, Value) and x.value.ndim > 1 else 1 for x in step.arguments)
    return {"a": ["m", "k"][-a:], "b": ["k", "n"][:b], "y": ["m"] * (a > 1) + ["n"] * (b > 1)}


def _size(axis: Axis) -> int:
    value, number = axis
    return int(value.value.shape[number])
