"""What the picture of a traced graph shows, whoever draws it: boxes, and wires with values and gradients."""

from __future__ import annotations

from dataclasses import dataclass

from handgrad.tracing.recording import Recording, Value
from handgrad.tracing.text import array_text

LONGEST = 24
"""Characters of an array that is written on a wire in full."""

VALUE, GRADIENT, PATH, LINE, TEXT = "#1a7f37", "#c0262d", "#e8930c", "#57606a", "#24292f"
"""The colours of values, gradients, the highlighted path, lines, and other text."""
FILL = {False: "#ddf4ff", True: "#f6f8fa"}
"""The colours of boxes: of inputs and parameters, and of steps."""


@dataclass(eq=False)
class Box:
    """An input or a parameter, which is nothing but its name, or a step."""

    name: str
    made: str = ""
    is_on_path: bool = False


@dataclass(eq=False)
class Wire:
    """From a box to one that takes its value; the output's leads nowhere."""

    source: Box
    target: Box | None
    value: str
    gradient: str
    is_on_path: bool = False


@dataclass(eq=False)
class Drawing:
    """Boxes in topological order, wires, and what the legend says of the highlighted path."""

    boxes: list[Box]
    wires: list[Wire]
    path: str


def drawing(recording: Recording, weight: Value) -> Drawing:
    """The graph, with the path highlighted on which the gradient flows from the output to `weight` (L19)."""
    on_path = {weight}
    for value in recording.values:
        if value in on_path:
            on_path.update(use.target for use in value.uses if use.gradient is not None)
    boxes = {value: Box(value.name, value.made if value.layer else "", value in on_path) for value in recording.values}
    wires = []
    for value in recording.values:
        text = array_text(value.value, LONGEST)
        for use in value.uses:
            gradient = "" if use.gradient is None else array_text(use.gradient, LONGEST)
            is_on_path = value in on_path and use.gradient is not None
            wires.append(Wire(boxes[value], boxes[use.target], text, gradient, is_on_path))
    output = recording.output
    assert output.gradient is not None
    above = array_text(output.gradient, LONGEST)
    wires.append(Wire(boxes[output], None, array_text(output.value, LONGEST), above, output in on_path))
    return Drawing(list(boxes.values()), wires, f"the path from {recording.symbol} to {weight.name}")
