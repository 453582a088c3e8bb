"""Results as text, as Markdown and as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.nets import BEST, NO_MOMENTUM, PRODUCTS, Limit
from benchmarks.peers import CALLS_ALONE, ENTRIES, HANDGRAD
from benchmarks.results import TOLERANCE, Result
from handgrad.extras import need


def text(result: Result) -> str:
    """All peers on one net, the fastest first, and its limits."""
    lines = [result.net.name]
    for name in sorted(result.times, key=result.median):
        low, high = result.quartiles(name)
        spread = f"({number(low)} to {number(high)})"
        line = f"  {name:<26}{number(result.median(name)):>7}  {spread:<20}{result.settings[name]:<11}"
        if PRODUCTS in result.times and name != PRODUCTS:
            line += f"{result.median(name) / result.median(PRODUCTS):5.2f} x the products"
        lines.append(line.rstrip())
    for limit in result.net.limits:
        ratio, met = verdict(result, limit)
        lines.append(
            f"  handgrad takes {ratio}; NumPy's calls alone {floor(result, limit)}; at most {limit.factor:g}: {met}"
        )
    return "\n".join(lines + [f"  {remark}" for remark in remarks(result)])


def remarks(result: Result) -> list[str]:
    """Whether the weights agree, how disturbed the measurement was, and what went wrong."""
    others = result.others()
    disturbance = [] if others is None else [f"others had {others:.1f} cpus meanwhile"]
    return [agreement(result), *disturbance, *result.remarks]


def verdict(result: Result, limit: Limit) -> tuple[str, str]:
    """(handgrad's time in multiples of whose, whether that is at most the limit)."""
    found = result.ratio(limit)
    if found is None:
        return f"- x {limit.against}", "not measured"
    ratio, name = found
    whom = f"{BEST}, {name}" if limit.against == BEST else name
    return f"{ratio:.2f} x {whom}", "met" if ratio <= limit.factor else "not met"


def floor(result: Result, limit: Limit) -> str:
    """In the same multiples, what handgrad would take if all but NumPy's calls cost nothing."""
    found = None if limit.against == NO_MOMENTUM else result.ratio(limit, CALLS_ALONE)
    return "-" if found is None else f"{found[0]:.2f}"


def agreement(result: Result) -> str:
    """Whether all ended with the same weights."""
    tolerance = TOLERANCE[result.net.dtype]
    wrong = ", ".join(f"{name} by {result.off[name]:.0e}" for name in result.wrong())
    if wrong:
        return f"WEIGHTS DIFFER by more than {tolerance:g} of their change: {wrong}"
    largest = max(result.off.values(), default=0)
    return f"weights: the same everywhere, to {largest:.0e} of their change (tolerance {tolerance:g})"


def number(microseconds: float) -> str:
    return f"{microseconds:.1f}" if microseconds < 100 else f"{microseconds:.0f}"


def write_markdown(path: str, results: list[Result], about: str) -> None:
    """One table of limits and one of all medians, with quartiles."""
    columns = [entry.name for entry in ENTRIES if any(entry.name in result.times for result in results)]
    lines = [f"{about}. Microseconds a step: median (quartiles), threads.", ""]
    lines += row("net", "handgrad", "handgrad against", "NumPy's calls alone", "at most", "")
    lines += ["|---|---|---|---|---|---|"]
    for result in results:
        for limit in result.net.limits:
            ratio, met = verdict(result, limit)
            lines += row(result.net.name, cell(result, HANDGRAD), ratio, floor(result, limit), f"{limit.factor:g}", met)
    lines += ["", *row("net", *columns), "|---" * (1 + len(columns)) + "|"]
    lines += [line for result in results for line in row(result.net.name, *(cell(result, name) for name in columns))]
    lines += ["", *(f"- {result.net.name}: {remark}" for result in results for remark in remarks(result))]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def row(*cells: str) -> list[str]:
    return [f"| {' | '.join(cells)} |"]


def cell(result: Result, name: str) -> str:
    if name not in result.times:
        return "-"
    low, high = map(number, result.quartiles(name))
    return f"{number(result.median(name))} ({low}-{high}) {result.settings[name].replace(' thread', 't').rstrip('s')}"


def plot(path: str, results: list[Result], about: str) -> None:
    """A panel for each net: the medians with their quartiles, the matrix products as a line; logarithmic."""
    ticker = need("matplotlib.ticker", "plot")
    across = min(3, len(results))
    down = -(-len(results) // across)
    size = (5 * across, 0.6 + 2.6 * down)
    figure = need("matplotlib.figure", "plot").Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, result in zip(panels, results, strict=False):
        shown = [name for name in result.times if name not in (PRODUCTS, NO_MOMENTUM)]
        shown.sort(key=result.median, reverse=True)
        medians = np.array([result.median(name) for name in shown])
        spread = np.abs(np.transpose([result.quartiles(name) for name in shown]) - medians)
        colours = ["tab:orange" if name.startswith(HANDGRAD) else "tab:gray" for name in shown]
        axes.errorbar(medians, shown, xerr=spread, fmt="none", ecolor="tab:gray", elinewidth=0.8, capsize=2)
        axes.scatter(medians, shown, color=colours, zorder=3)
        if PRODUCTS in result.times:
            axes.axvline(result.median(PRODUCTS), color="tab:blue", linestyle=":")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(ticker.NullFormatter())
        axes.grid(alpha=0.3)
        axes.set_title(result.net.name, fontsize=9)
        axes.tick_params(labelsize=7)
    for axes in panels[len(results) :]:
        axes.remove()
    figure.suptitle(f"Microseconds a step; dotted: the matrix products alone\n{about}", fontsize=8, wrap=True)
    figure.savefig(path, dpi=150)
