"""How a verdict came about: the formula, the steps tried, and their picture, the V-curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handgrad.checking.report import Report
from handgrad.extras import need
from handgrad.files import PathLike
from handgrad.pictures import save_figure


def explanation(report: Report, mathematics: Mapping[str, str]) -> str:
    """The mathematics of one gradient, and the differences at each step, as text."""
    curve = report.curve
    assert curve is not None
    array, index = curve["array"], curve["index"]
    place = f"{array}[{', '.join(map(str, index))}]" if index else array
    formula = mathematics.get(array)
    lines = [f"{report.layer}: how {place} was decided"]
    if formula:
        lines.append(f"    {formula}")
    lines += [
        "    With L = sum(upstream * y), backward must give dL/d of that entry. The differences give it without any",
        "    formula: (L(x + h) - L(x - h)) / 2h is off by about h^2 (truncation) and by noise / h (rounding), a V.",
        "",
        f"    {'h':>9}  {'difference':>16}  {'extrapolated':>16}  {'off':>9}  {'rounding':>9}",
    ]
    for step in curve["steps"]:
        extrapolated = "" if step["extrapolated"] is None else f"{step['extrapolated']:.12g}"
        off = abs(step["central"] - curve["numeric"])
        numbers = f"{step['h']:>9.2e}  {step['central']:>16.12g}  {extrapolated:>16}"
        lines.append(f"    {numbers}  {off:>9.1e}  {step['rounding']:>9.1e}")
    lines += [
        "",
        f"    numeric   {curve['numeric']:.12g} +- {curve['error']:.1g}",
        f"    backward  {curve['analytic']:.12g}, off by {abs(curve['analytic'] - curve['numeric']):.1e}",
    ]
    if curve["kink"]:
        lines.append(f"    a kink: slope {curve['left']:.9g} to the left, {curve['right']:.9g} to the right")
    return "\n".join(lines)


def plot(report: Report, path: PathLike) -> None:
    """Draws step size against error for the explained entry, as .png, .pdf or .svg; needs handgrad[plot]."""
    figure_module: Any = need("matplotlib.figure", "plot")
    curve = report.curve
    assert curve is not None
    figure = figure_module.Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    tiny = 1e-17 * max(1.0, abs(curve["numeric"]))
    h = [step["h"] for step in curve["steps"]]
    axes.loglog(
        h, [max(abs(s["central"] - curve["numeric"]), tiny) for s in curve["steps"]], "o-", label="central difference"
    )
    steps = [s for s in curve["steps"] if s["extrapolated"] is not None]
    off = [max(abs(s["extrapolated"] - curve["numeric"]), tiny) for s in steps]
    axes.loglog([s["h"] for s in steps], off, "s--", label="extrapolated", markersize=4)
    axes.loglog(h, [s["rounding"] for s in curve["steps"]], ":", color="grey", label="rounding, noise / h")
    wrong = abs(curve["analytic"] - curve["numeric"])
    if wrong > 3 * curve["error"]:
        axes.axhline(wrong, color="tab:red", label="backward")
    index = f"[{', '.join(map(str, curve['index']))}]" if curve["index"] else ""
    axes.set(
        xlabel="step h", ylabel="distance from the best estimate", title=f"{report.layer}: {curve['array']}{index}"
    )
    axes.legend()
    save_figure(figure, path, dpi=130)
