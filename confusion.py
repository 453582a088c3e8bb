"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handgrad.params import Array


def confusion_matrix(labels: Array, predicted: Array, classes: int) -> Array:
    """[C x C] counts: row i, column j is how many rows of class i were predicted to be j."""
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def confusion_table(counts: Array, names: Sequence[str]) -> str:
    """The counts as text, a line for each true class with the share that was predicted right."""
    total = counts.sum(axis=1)
    rows = [["true \\ predicted", *names, "right"]]
    for i, name in enumerate(names):
        share = f"{counts[i, i] / total[i]:.1%}" if total[i] else "-"
        rows.append([name, *(str(n) if n else "." for n in counts[i]), share])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
