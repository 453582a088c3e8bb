"""The picture of a traced graph as SVG of our own: columns from left to right, by the longest path to each box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from handgrad.tracing.drawing import FILL, GRADIENT, LINE, PATH, TEXT, VALUE, Box, Drawing, Wire

CHARACTER = 7.3
"""The width of a character, in pixels."""
PORT, GAP, BEND, MARGIN = 38, 16, 44, 20
"""The room for a wire with its two texts; between boxes; for wires to bend in; around everything."""


@dataclass(eq=False)
class Stop:
    """A place in a column: of a box, or of a wire that passes through."""

    column: int
    box: Box | None = None
    y: float = 0


@dataclass(eq=False)
class Stretch:
    """A wire's part from one column to the next; the output's has no end."""

    wire: Wire
    start: Stop
    end: Stop | None


def svg(drawing: Drawing) -> str:
    """The picture; a wire's value stands above it where it leaves its box, the gradient below."""
    return "\n".join(_Picture(drawing).lines()) + "\n"


class _Picture:
    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        columns = _columns(drawing)
        self.stops = {box: Stop(columns[box], box) for box in drawing.boxes}
        self.stretches = [stretch for wire in drawing.wires for stretch in self._stretches(wire)]
        stops = dict.fromkeys([*self.stops.values(), *(stretch.start for stretch in self.stretches)])
        self.columns = [[s for s in stops if s.column == k] for k in range(max(columns.values()) + 1)]
        self.leaving: dict[Stop, list[Stretch]] = {stop: [] for stop in stops}
        self.entering: dict[Stop, list[Stretch]] = {stop: [] for stop in stops}
        for stretch in self.stretches:
            self.leaving[stretch.start].append(stretch)
            if stretch.end:
                self.entering[stretch.end].append(stretch)
        self._place()
        for parts in self.leaving.values():
            parts.sort(key=lambda part: part.end.y if part.end else 0)
        for parts in self.entering.values():
            parts.sort(key=lambda part: part.start.y)
        self._measure()

    def _stretches(self, wire: Wire) -> Iterator[Stretch]:
        start = self.stops[wire.source]
        if wire.target is None:
            yield Stretch(wire, start, None)
            return
        end = self.stops[wire.target]
        while start.column + 1 < end.column:
            through = Stop(start.column + 1)
            yield Stretch(wire, start, through)
            start = through
        yield Stretch(wire, start, end)

    def _place(self) -> None:
        """Gives every stop its height: near its neighbours', in turn those before and those behind it."""
        for k, (box, stop) in enumerate(self.stops.items()):
            above = [self.stops[wire.source].y for wire in self.drawing.wires if wire.target is box]
            stop.y = _mean(above, float(PORT * k))
        for column in self.columns:
            self._spread(column, {stop: stop.y for stop in column})
        for _ in range(4):
            for column in self.columns:
                self._spread(column, {s: _mean([part.start.y for part in self.entering[s]], s.y) for s in column})
            for column in reversed(self.columns):
                behind = {s: [part.end.y for part in self.leaving[s] if part.end] for s in column}
                self._spread(column, {s: _mean(behind[s], s.y) for s in column})

    def _spread(self, column: list[Stop], wanted: dict[Stop, float]) -> None:
        """Places the stops in the order of the heights wanted, without overlap, and near these on the whole."""
        column.sort(key=wanted.__getitem__)
        below = float("-inf")
        for stop in column:
            half = self._height(stop) / 2
            stop.y = max(wanted[stop], below + half)
            below = stop.y + half + GAP
        shift = _mean([wanted[stop] - stop.y for stop in column], 0)
        for stop in column:
            stop.y += shift

    def _height(self, stop: Stop) -> float:
        return PORT * max(1, len(self.leaving[stop]), len(self.entering[stop])) if stop.box else PORT / 2

    def _measure(self) -> None:
        """The columns' left and right sides, and where wires that leave them begin to bend."""
        self.left, self.right, self.bend = [], [], []
        x = float(MARGIN)
        for column in self.columns:
            words = [word for stop in column if stop.box for word in (stop.box.name, stop.box.made)]
            texts = [text for s in column if s.box for p in self.leaving[s] for text in (p.wire.value, p.wire.gradient)]
            self.left.append(x)
            self.right.append(x + CHARACTER * max(map(len, words), default=0) + 20)
            self.bend.append(self.right[-1] + CHARACTER * max(map(len, texts), default=0) + 14)
            x = self.bend[-1] + BEND
        lines = [stop.y + sign * self._height(stop) / 2 for stop in self.leaving for sign in (-1, 1)]
        down = 3 * MARGIN - min(lines)  # below the legend
        for stop in self.leaving:
            stop.y += down
        self.width, self.height = self.bend[-1] + MARGIN, max(lines) + down + MARGIN
        self.width = max(self.width, MARGIN + CHARACTER * len("".join(text for text, _ in self._legend())) + 200)

    def _legend(self) -> list[tuple[str, str]]:
        return [
            ("value, forward", VALUE),
            ("gradient, backward", GRADIENT),
            (self.drawing.path, PATH),
        ]

    def lines(self) -> Iterator[str]:
        size = f"{self.width:.0f} {self.height:.0f}"
        width, height = size.split()
        yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{width}" height="{height}"'
        yield '  font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">'
        yield '<rect width="100%" height="100%" fill="white"/>'
        yield '<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        yield f'<path d="M0 0 L8 4 L0 8 z" fill="{LINE}"/></marker>'
        x = float(MARGIN)
        for text, colour in self._legend():
            if colour == PATH:
                yield f'<path class="path" d="M{x:.0f} {MARGIN} h30" stroke="{PATH}" stroke-width="5"/>'
                x += 38
            yield _text(x, MARGIN + 4, text, TEXT if colour == PATH else colour, "")
            x += CHARACTER * len(text) + 30
        for stretch in sorted(self.stretches, key=lambda part: part.wire.is_on_path):
            yield from self._stretch(stretch)
        for stop in self.stops.values():
            yield from self._box(stop)
        yield "</svg>"

    def _stretch(self, stretch: Stretch) -> Iterator[str]:
        wire, start, end = stretch.wire, stretch.start, stretch.end
        column = start.column
        y = _port(start, self.leaving[start], stretch)
        x = self.right[column] if start.box else self.left[column]
        way = f"M{x:.1f} {y:.1f} H{self.bend[column]:.1f}"
        if end:
            way += f" L{self.left[column + 1]:.1f} {_port(end, self.entering[end], stretch):.1f}"
        if wire.is_on_path:
            yield f'<path class="path" d="{way}" fill="none" stroke="{PATH}" stroke-width="5"/>'
        arrow = ' marker-end="url(#arrow)"' if end is None or end.box else ""
        yield f'<path class="wire" d="{way}" fill="none" stroke="{LINE}"{arrow}/>'
        if start.box:
            middle = (self.right[column] + self.bend[column]) / 2
            yield _text(middle, y - 5, wire.value, VALUE)
            yield _text(middle, y + 14, wire.gradient, GRADIENT)

    def _box(self, stop: Stop) -> Iterator[str]:
        assert stop.box is not None
        box, x, height = stop.box, self.left[stop.column], self._height(stop)
        width, centre = self.right[stop.column] - x, (x + self.right[stop.column]) / 2
        frame = f'stroke="{PATH}" stroke-width="3"' if box.is_on_path else f'stroke="{LINE}"'
        fill = FILL[bool(box.made)]
        yield (
            f'<rect class="{"path" if box.is_on_path else "box"}" x="{x:.1f}" y="{stop.y - height / 2:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}" rx="5" fill="{fill}" {frame}/>'
        )
        yield _text(centre, stop.y + (-3 if box.made else 4), box.name, TEXT, 'text-anchor="middle" font-weight="bold"')
        yield _text(centre, stop.y + 12, box.made, TEXT)


def _columns(drawing: Drawing) -> dict[Box, int]:
    """A step stands behind all that it takes, an input or parameter right before the first step that takes it."""
    columns: dict[Box, int] = {}
    sources: dict[Box | None, list[Box]] = {}
    for wire in drawing.wires:
        sources.setdefault(wire.target, []).append(wire.source)
    for box in drawing.boxes:
        columns[box] = 1 + max((columns[source] for source in sources.get(box, [])), default=-1)
    for box in drawing.boxes:
        if not box.made:
            columns[box] = (
                min((columns[w.target] for w in drawing.wires if w.source is box and w.target), default=1) - 1
            )
    return columns


def _port(stop: Stop, stretches: list[Stretch], stretch: Stretch) -> float:
    """The height at which a stretch meets the stop's side."""
    return stop.y + (stretches.index(stretch) - (len(stretches) - 1) / 2) * PORT


def _mean(numbers: list[float], default: float) -> float:
    return sum(numbers) / len(numbers) if numbers else default


def _text(x: float, y: float, text: str, colour: str, more: str = 'text-anchor="middle"') -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" {more}>{escape(text)}</text>'
