"""The picture of a traced graph through Graphviz, which the extra `graph` and the program `dot` make available."""

from __future__ import annotations

from xml.sax.saxutils import escape

from handgrad.extras import need
from handgrad.tracing.drawing import FILL, GRADIENT, LINE, PATH, VALUE, Box, Drawing, Wire

FONT = {"fontname": "Helvetica,Arial,sans-serif", "fontsize": "12"}


def svg(drawing: Drawing) -> str:
    """The picture. ImportError that says what to install when the package or the program is missing."""
    graphviz = need("graphviz", "graph")
    graph = graphviz.Digraph(
        graph_attr={"rankdir": "LR", "label": _legend(drawing), "labelloc": "t", "nodesep": "0.35", **FONT},
        node_attr={"shape": "box", "style": "rounded,filled", "color": LINE, **FONT},
        edge_attr={"color": LINE, "arrowsize": "0.6", **FONT},
    )
    numbers = {box: str(i) for i, box in enumerate(drawing.boxes)}
    for box, number in numbers.items():
        graph.node(number, _box(box), fillcolor=FILL[bool(box.made)], **_emphasis(box.is_on_path))
    for wire in drawing.wires:
        target = "end" if wire.target is None else numbers[wire.target]
        if wire.target is None:
            graph.node(target, "", shape="none", width="0", height="0", margin="0")
        graph.edge(numbers[wire.source], target, _wire(wire), **_emphasis(wire.is_on_path))
    try:
        return str(graph.pipe(format="svg", encoding="utf-8"))
    except graphviz.ExecutableNotFound:
        raise ImportError("this needs the program dot, which comes with Graphviz") from None
    except graphviz.CalledProcessError as error:
        raise ImportError(f"this needs a program dot that can write SVG ({error})") from None


def _box(box: Box) -> str:
    return _lines(f"<B>{escape(box.name)}</B>", escape(box.made))


def _wire(wire: Wire) -> str:
    return _lines(_coloured(wire.value, VALUE), _coloured(wire.gradient, GRADIENT))


def _legend(drawing: Drawing) -> str:
    return _lines(
        "&nbsp;&nbsp;&nbsp; ".join(
            [
                _coloured("value, forward", VALUE),
                _coloured("gradient, backward", GRADIENT),
                _coloured(drawing.path, PATH),
            ]
        )
    )


def _lines(*lines: str) -> str:
    """A label in Graphviz's markup, told by its brackets."""
    return f"<{'<BR/>'.join(line for line in lines if line)}>"


def _coloured(text: str, colour: str) -> str:
    return f'<FONT COLOR="{colour}">{escape(text)}</FONT>' if text else ""


def _emphasis(is_on_path: bool) -> dict[str, str]:
    return {"class": "path", "color": PATH, "penwidth": "3"} if is_on_path else {"class": "wire"}
