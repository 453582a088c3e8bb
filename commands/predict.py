"""The command `handgrad predict`."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handgrad import losses
from handgrad.commands.arguments import LOSSES, UsageError, column, usable
from handgrad.container import ABOUT
from handgrad.data import Dataset, load_rows
from handgrad.expression import parse_model
from handgrad.files import read_npz, written
from handgrad.losses import Loss
from handgrad.model import Sequential
from handgrad.params import Array


def add(commands: Any) -> None:
    p = commands.add_parser("predict", help="classify with saved weights", allow_abbrev=False)
    p.description = "Prints a line for each row of DATA: its number, the predicted class and, if known, the label."
    p.add_argument("weights", metavar="WEIGHTS", help="weights.npz as written by handgrad train")
    p.add_argument("data", metavar="DATA", help="digits, a folder of IDX files (their test parts), .npz or .csv")
    p.add_argument("--label", metavar="COLUMN", help="a .csv's column of labels: its name, or its number from 0")
    p.add_argument("--out", metavar="FILE", help="write a .csv file instead of printing")
    p.set_defaults(run=run, only_prints=True)


def run(arguments: argparse.Namespace) -> int:
    path = Path(arguments.weights)
    if not arguments.data:
        raise UsageError("DATA is empty")
    if arguments.out and any(Path(arguments.out).resolve() == Path(p).resolve() for p in (path, arguments.data)):
        raise UsageError(f"--out {arguments.out} is what is read; give it another name")
    if not path.is_file():
        raise UsageError(f"{path}: no such file; WEIGHTS is the weights.npz that handgrad train writes")
    texts = {name: str(array) for name, array in usable(read_npz, path).items() if name.startswith(ABOUT)}
    if ABOUT + "model" not in texts:
        raise UsageError(f"{path}: expected weights written by handgrad, which say what the model is")
    model = usable(usable(parse_model, texts[ABOUT + "model"]).load, path)
    shape = model.input_shape()
    if shape is None:
        raise UsageError(f"{path}: the model has no FC layer, so the number of features is unknown")
    data = usable(load_rows, arguments.data, math.prod(shape), label=column(arguments.label))
    loss = LOSSES.get(texts.get(ABOUT + "loss", ""), losses.SoftmaxCE)()
    found = usable(predicted, model, loss, data.x)
    classes = texts.get(ABOUT + "classes", "").split("\n")
    names = [classes[i] if i < len(classes) and classes[i] else str(i) for i in range(int(found.max()) + 1)]
    right = _labels_of(data, classes)

    header = ["row", "predicted"] + (["label"] if right else [])
    rows = [[i, names[k]] + ([right[i]] if right else []) for i, k in enumerate(found)]
    if arguments.out:
        with written(arguments.out, "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        print(f"{len(rows):,} rows written to {arguments.out}")
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([header, *rows])
        sys.stdout.flush()
    if right and not set(right) & set(names):
        print(f"accuracy unknown: the labels ({right[0]}, ...) are none of the model's classes", file=sys.stderr)
    elif right:
        hits = sum(str(row[1]) == row[2] for row in rows)
        print(f"accuracy: {hits / len(rows):.1%} of {len(rows):,} rows", file=sys.stderr)
    return 0


def _labels_of(data: Dataset, classes: Sequence[str]) -> list[str]:
    """Each row's label in words; empty when the data has none."""
    names = data.classes or classes
    return [names[k] if k < len(names) else str(k) for k in data.y] if data.labelled else []


def predicted(model: Sequential, loss: Loss, x: Array) -> Array:
    """The class of each row: the largest score, or the sign of a single one."""
    chunks = []
    for start in range(0, len(x), 1024):
        scores = model.predict(x[start : start + 1024])
        single = scores.ndim == 1 or scores.shape[1] == 1
        threshold = 0.5 if isinstance(loss, losses.MSE) else 0
        chunks.append((scores.ravel() > threshold).astype(np.int64) if single else scores.argmax(axis=1))
    return np.concatenate(chunks)
