"""Pictures with Matplotlib: how they are saved, and a layer's weights as images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.extras import need
from handgrad.files import PathLike, written
from handgrad.params import Array


def save_figure(figure: Any, path: PathLike, dpi: int = 150) -> None:
    """Writes Matplotlib's `figure` to `path`, in the format that its ending says (.png, .svg, .pdf)."""
    with written(path) as file:
        figure.savefig(file, format=Path(path).suffix[1:].lower() or "png", dpi=dpi)


def weight_images(
    W: npt.ArrayLike,
    shape: tuple[int, int] | None = None,
    *,
    units: int = 64,
    columns: int | None = None,
    path: PathLike | None = None,
) -> Any:
    """Draws the weights of a layer's first `units` units, an image each; returns Matplotlib's figure.

        weight_images(model.params["0.W"], path="weights.png")          # digits: 64 features are 8 x 8 pixels

    `W` [out x in] has a row of weights for each unit, as many as there are pixels; `shape` is (height, width) of an
    image, by default a square. All images have one scale of colours: red is positive, white is 0, blue is negative.
    They stand in rows of `columns`, by default as many as make a square. With `path` the picture is written there.
    Needs the extra handgrad[plot]. Raises TypeError when W holds no real numbers; ValueError when it is no matrix
    or not finite, and for a shape, units or columns that do not fit.
    """
    try:
        W = np.asarray(W)
    except ValueError:
        raise ValueError("weight_images: W must be a matrix [out x in], got rows that differ") from None
    if W.dtype.kind not in "buif":
        raise TypeError(f"weight_images: W must be real numbers [out x in], got dtype {W.dtype}")
    if W.ndim != 2 or not W.size:
        raise ValueError(f"weight_images: W must be a matrix [out x in], got {W.shape}")
    if not np.isfinite(W).all():
        unit, feature = np.argwhere(~np.isfinite(W))[0]
        raise ValueError(f"weight_images: W must be finite numbers, got {W[unit, feature]} at [{unit}, {feature}]")
    height, width = _image_shape(W.shape[1], shape)
    for name, value in (("units", units), ("columns", 1 if columns is None else columns)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"weight_images: {name} must be a whole number >= 1, got {value!r}")
    images = W[:units].reshape(-1, height, width)
    mosaic = _mosaic(images, columns or math.ceil(math.sqrt(len(images))))

    figure = need("matplotlib.figure", "plot").Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    largest = float(np.abs(images).max()) or 1.0
    drawn = axes.imshow(mosaic, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    figure.colorbar(drawn, label="weight")
    which = f"the first {len(images)} of {len(W)}" if len(images) < len(W) else f"the {len(W)}"
    axes.set(title=f"weights of {which} units", xticks=[], yticks=[], facecolor="0.8")
    if path is not None:
        save_figure(figure, path)
    return figure


def _image_shape(features: int, shape: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) of an image of so many pixels; ValueError when there is none."""
    if shape is None:
        side = math.isqrt(features)
        if side * side != features:
            raise ValueError(f"weight_images: {features} features make no square image; give its shape=(height, width)")
        return side, side
    match shape:
        case (int() | np.integer() as height, int() | np.integer() as width) if (
            height > 0 and height * width == features
        ):
            return int(height), int(width)
    raise ValueError(f"weight_images: shape must be (height, width) of {features} features, got {shape!r}")


def _mosaic(images: Array, columns: int) -> Array:
    """The images [n x height x width] in rows of `columns`, parted by lines of NaN, which is not drawn."""
    n, height, width = images.shape
    columns = min(columns, n)
    mosaic = np.full((-(-n // columns) * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        mosaic[top : top + height, left : left + width] = image
    return mosaic
