"""The picture of a Jacobian: where it is zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad.extras import need
from handgrad.files import PathLike
from handgrad.jacobians.text import entry_names
from handgrad.pictures import save_figure

if TYPE_CHECKING:
    from handgrad.jacobian import Jacobian

WRITTEN_OUT = 16
"""Up to so many columns every number is written into its cell."""


def draw(jacobian: Jacobian, path: PathLike | None = None) -> Any:
    """Draws the matrix, white where it is exactly zero, with lines between rows of the batch or of the weight.

    Returns Matplotlib's figure; with `path` it is also written, as .png, .svg or .pdf. Needs handgrad[plot].
    """
    figure_module: Any = need("matplotlib.figure", "plot")
    matrix = jacobian.matrix
    rows, columns = matrix.shape
    largest = float(np.abs(matrix).max(initial=0.0)) or 1.0
    width = float(np.clip(columns * 0.55, 4.5, 12))
    height = float(np.clip(width * rows / columns, 1.2, 12))
    figure = figure_module.Figure(figsize=(width, height + 1.1), layout="constrained")
    axes = figure.subplots()
    shown = np.ma.masked_equal(matrix, 0)  # what is masked stays white
    axes.imshow(shown, cmap="RdBu", vmin=-1.5 * largest, vmax=1.5 * largest, aspect="auto")
    if columns <= WRITTEN_OUT and rows <= 2 * WRITTEN_OUT:
        for i, j in np.ndindex(matrix.shape):
            axes.text(j, i, f"{matrix[i, j]:.2g}" if matrix[i, j] else "0", ha="center", va="center", fontsize=8)
    if columns <= 4 * WRITTEN_OUT and rows <= 4 * WRITTEN_OUT:
        axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="0.85", linewidth=0.5)
    for shape, line in ((jacobian.output_shape, axes.axhline), (jacobian.input_shape, axes.axvline)):
        if len(shape) > 1 and shape[0] > 1:
            step = int(np.prod(shape[1:]))
            for place in range(step, step * shape[0], step):
                line(place - 0.5, color="black", linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel(f"entries of {jacobian.by}")
    axes.set_ylabel("outputs")
    kind = jacobian.structure.partition(":")[0]
    zeros = f"{jacobian.zeros:,} of {matrix.size:,} are zero"
    axes.set_title(f"{jacobian.layer} by {jacobian.by}\n{kind}; {zeros}", fontsize=10)
    for axis, count, names in (
        (axes.xaxis, columns, entry_names(jacobian.by, jacobian.input_shape)),
        (axes.yaxis, rows, entry_names("y", jacobian.output_shape)),
    ):
        if count <= WRITTEN_OUT:
            axis.set_ticks(range(count), [names(k) for k in range(count)], fontsize=7)
        else:
            axis.get_major_locator().set_params(integer=True)
    if path is not None:
        save_figure(figure, path, dpi=110)
    return figure
