"""The command `handgrad train`."""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from handgrad import losses
from handgrad.commands.arguments import LOSSES, UsageError, column, number_from, usable, whole_from
from handgrad.commands.predict import predicted
from handgrad.confusion import confusion_matrix, confusion_table
from handgrad.data import Dataset, load
from handgrad.expression import parse_model
from handgrad.extras import have
from handgrad.history import History
from handgrad.losses import Loss
from handgrad.model import Sequential
from handgrad.monitor import Monitor
from handgrad.optim import SGD
from handgrad.params import Array
from handgrad.pictures import weight_images
from handgrad.threads import Threads
from handgrad.train import NonFiniteLoss, train

RESULTS = ("weights.npz", "history.csv", "history.png", "monitor.csv", "monitor.png", "weights.png")


def add(commands: Any) -> None:
    p = commands.add_parser("train", help="train a network and write its weights", allow_abbrev=False)
    p.description = "Trains a network: by default a small one on the embedded handwritten digits."
    p.add_argument("source", nargs="?", metavar="DATA", help="digits, a folder of IDX files, .npz or .csv (digits)")
    p.add_argument("--data", metavar="DATA", help="the same as an option")
    p.add_argument("--label", metavar="COLUMN", help="a .csv's column of labels: its name, or its number from 0")
    p.add_argument("--model", metavar="LAYERS", help='such as "FC(64, 128), ReLU(), FC(128, 10)"')
    p.add_argument("--loss", choices=LOSSES, default="SoftmaxCE", help="(SoftmaxCE)")
    p.add_argument("--lr", type=number_from(0, None, open_low=True), default=0.1, help="learning rate (0.1)")
    p.add_argument("--momentum", type=number_from(0, 1), default=0.9, help="(0.9)")
    p.add_argument("--weight-decay", type=number_from(0, None), default=1e-4, metavar="DECAY", help="of weights (1e-4)")
    p.add_argument("--epochs", type=whole_from(1), default=30, help="(30)")
    p.add_argument("--batch-size", type=whole_from(1), default=64, metavar="ROWS", help="(64)")
    p.add_argument("--seed", type=whole_from(0), default=0, help="of the initial weights and the shuffling (0)")
    p.add_argument("--threads", type=whole_from(1), help="for matrix products (as many as help)")
    p.add_argument("--monitor", action="store_true", help="draw gradients, updates, zeros and the first weights, too")
    p.add_argument("--out", metavar="DIR", help="folder for the results (a new one in runs/)")
    p.add_argument("--overwrite", action="store_true", help="replace the results of an earlier run in --out")
    p.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    for name in ("source", "data", "model", "out", "label"):
        if getattr(arguments, name) == "":
            raise UsageError(f"{'DATA' if name == 'source' else '--' + name} is empty")
    if arguments.source and arguments.data and arguments.source != arguments.data:
        raise UsageError(f"DATA is given twice, as {arguments.source} and --data {arguments.data}")
    source = arguments.data or arguments.source or "digits"
    rng = np.random.default_rng(arguments.seed)
    training, test = usable(load, source, label=column(arguments.label))
    classes = _classes(training, test)
    features = training.stored.shape[1]
    model = usable(parse_model, arguments.model or f"FC({features}, 128), ReLU(), FC(128, {len(classes)})", rng)
    if not model.params:
        raise UsageError(f"a model needs parameters to train, {arguments.model} has none")
    loss = LOSSES[arguments.loss]()
    usable(_try_once, model, loss, training, len(classes))
    optimizer = usable(
        SGD, model.params, arguments.lr, momentum=arguments.momentum, weight_decay=arguments.weight_decay
    )
    usable(Threads, arguments.threads, 1)  # refuses what NumPy's BLAS cannot be told
    out = _folder(arguments.out, str(source), arguments.overwrite)
    monitor = Monitor()

    print(f"data: {source}, {len(training):,} training and {len(test):,} test rows of {features} features")
    print(f"{model.summary()}\n{loss!r}, {optimizer!r}, batches of {arguments.batch_size}\n", flush=True)
    try:
        history = train(
            model,
            loss,
            optimizer,
            training,
            epochs=arguments.epochs,
            batch_size=arguments.batch_size,
            validation=test,
            rng=rng,
            callbacks=[monitor] if arguments.monitor else [],
            threads=arguments.threads,
        )
    except NonFiniteLoss as error:
        if len(error.history):
            error.history.to_csv(out / "history.csv")
        if monitor.steps:
            monitor.to_csv(out / "monitor.csv")
            _draw({"monitor.png": monitor.plot}, out)
        with suppress(OSError):
            out.rmdir()  # unless it holds something
        raise
    except NotImplementedError:  # a blank of a handout
        with suppress(OSError):
            out.rmdir()
        raise
    about = {"classes": "\n".join(classes), "loss": arguments.loss}
    written_names = _write_results(out, model, history, monitor, about)
    if history.stopped:
        print(f"stopped: {history.stopped}")
    found = predicted(model, loss, test.x)
    print(f"\n{confusion_table(confusion_matrix(test.y, found, len(classes)), classes)}\n")
    print(f"trained for {sum(history.seconds):.1f} s")
    print(f"test accuracy: {np.mean(found == test.y):.1%}")
    print(f"written to {out}: {written_names}")
    return 130 if history.stopped else 0


def _write_results(out: Path, model: Sequential, history: History, monitor: Monitor, about: dict[str, str]) -> str:
    """Writes weights, records and pictures, in place of all that an earlier run left; returns the files' names."""
    model.save(out / "weights.npz", about)
    history.to_csv(out / "history.csv")
    names, pictures = ["weights.npz", "history.csv"], {"history.png": history.plot}
    if monitor.steps:
        monitor.to_csv(out / "monitor.csv")
        names.append("monitor.csv")
        pictures["monitor.png"] = monitor.plot
        first = next(iter(model.params.values()))
        if _has_pixels(first):
            pictures["weights.png"] = partial(weight_images, first)
    names += _draw(pictures, out)
    for name in set(RESULTS) - set(names):
        (out / name).unlink(missing_ok=True)
    return ", ".join(names) + ("" if have("matplotlib") else " (no picture: it needs pip install 'handgrad[plot]')")


def _draw(pictures: Mapping[str, Callable[..., Any]], out: Path) -> list[str]:
    """Draws the pictures into the folder; returns their names, none without Matplotlib."""
    if not have("matplotlib"):
        return []
    for name, draw in pictures.items():
        draw(path=out / name)
    return list(pictures)


def _has_pixels(W: Array) -> bool:
    """Whether each row of weights may be a square image of 8 x 8 pixels or more."""
    return W.ndim == 2 and W.shape[1] >= 64 and math.isqrt(W.shape[1]) ** 2 == W.shape[1]


def _classes(training: Dataset, test: Dataset) -> tuple[str, ...]:
    if training.y.dtype.kind == "f" or test.y.dtype.kind == "f" or training.y.ndim != 1:
        raise UsageError("labels must be class numbers or words to train a classifier, got fractions")
    classes = max(training.classes, test.classes, key=len)
    if len(classes) < 2:
        largest = int(max(training.y.max(), test.y.max()))
        kind = f"labels up to {largest}" if largest > 1 else "only one class"
        raise UsageError(f"labels must be of two classes or more, numbered from 0 to 65,535, got {kind}")
    if any("\n" in name for name in classes):
        raise UsageError("the names of classes must be of one line each")
    return classes


def _try_once(model: Sequential, loss: Loss, data: Dataset, classes: int) -> None:
    """Runs one small batch through model and loss, so that a misfit is told before anything is written."""
    some = data.rows(np.arange(min(2, len(data))))
    scores = model.predict(some.x)
    width = scores.shape[1] if scores.ndim > 1 else 1
    if width != classes and not (width == 1 and classes == 2 and isinstance(loss, losses.BinaryCE)):
        raise ValueError(f"the model must give a score for each of the {classes} classes, its output is {width} wide")
    loss.predict(scores, some.y)


def _folder(chosen: str | None, source: str, overwrite: bool) -> Path:
    """The folder for the results, made; by default a new one, so that no earlier run is lost."""
    if chosen is None:
        name = Path(source).resolve().name.partition(".")[0] or "data"
        for number in itertools.count(1):
            try:
                Path("runs", f"{name}-{number}").mkdir(parents=True)
            except FileExistsError:
                continue
            return Path("runs", f"{name}-{number}")
    out = Path(str(chosen))
    held = [name for name in RESULTS if (out / name).exists()]
    if held and not overwrite:
        raise UsageError(f"--out {out} holds an earlier run ({', '.join(held)}); add --overwrite to replace it")
    out.mkdir(parents=True, exist_ok=True)
    return out
