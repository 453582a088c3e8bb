"""The command `handgrad`: parses, calls, prints."""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

import handgrad
from handgrad import losses
from handgrad.checking import command
from handgrad.confusion import confusion_matrix, confusion_table
from handgrad.container import ABOUT
from handgrad.data import Dataset, load, load_rows
from handgrad.expression import parse_model
from handgrad.extras import have
from handgrad.files import read_npz, written
from handgrad.history import History
from handgrad.jacobians import command as jacobian_command
from handgrad.losses import Loss
from handgrad.model import Sequential
from handgrad.monitor import Monitor
from handgrad.optim import SGD
from handgrad.params import Array
from handgrad.pictures import weight_images
from handgrad.threads import Threads
from handgrad.tracing import command as trace_command
from handgrad.train import NonFiniteLoss, train

LOSSES: dict[str, type[Loss]] = {"SoftmaxCE": losses.SoftmaxCE, "BinaryCE": losses.BinaryCE, "MSE": losses.MSE}
RESULTS = ("weights.npz", "history.csv", "history.png", "monitor.csv", "monitor.png", "weights.png")

P = ParamSpec("P")
T = TypeVar("T")


class UsageError(Exception):
    """What the user gave cannot be used; the message is one sentence."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns 0; 1 when training diverged; 2 for bad usage or data; 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a class's name that the terminal cannot show
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] in (["jacobian"], ["trace"]):
        argv[1:] = _arranged(argv[1:])
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except NonFiniteLoss as error:
        print(f"handgrad: {error}", file=sys.stderr)
        return 1
    except (UsageError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # the reader of a pipe has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0 if arguments.run in (_predict, _trace) else 1  # what was trained so far is lost
        print(f"handgrad: error: {_sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("handgrad: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="handgrad", description="Networks with hand-written gradients.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"handgrad {handgrad.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    p = commands.add_parser("train", help="train a network and write its weights", allow_abbrev=False)
    p.description = "Trains a network: by default a small one on the embedded handwritten digits."
    p.add_argument("source", nargs="?", metavar="DATA", help="digits, a folder of IDX files, .npz or .csv (digits)")
    p.add_argument("--data", metavar="DATA", help="the same as an option")
    p.add_argument("--label", metavar="COLUMN", help="a .csv's column of labels: its name, or its number from 0")
    p.add_argument("--model", metavar="LAYERS", help='such as "FC(64, 128), ReLU(), FC(128, 10)"')
    p.add_argument("--loss", choices=LOSSES, default="SoftmaxCE", help="(SoftmaxCE)")
    p.add_argument("--lr", type=_number(0, None, open_low=True), default=0.1, help="learning rate (0.1)")
    p.add_argument("--momentum", type=_number(0, 1), default=0.9, help="(0.9)")
    p.add_argument("--weight-decay", type=_number(0, None), default=1e-4, metavar="DECAY", help="of weights (1e-4)")
    p.add_argument("--epochs", type=_whole(1), default=30, help="(30)")
    p.add_argument("--batch-size", type=_whole(1), default=64, metavar="ROWS", help="(64)")
    p.add_argument("--seed", type=_whole(0), default=0, help="of the initial weights and the shuffling (0)")
    p.add_argument("--threads", type=_whole(1), help="for matrix products (as many as help, see docs/training.md)")
    p.add_argument("--monitor", action="store_true", help="draw gradients, updates, zeros and the first weights, too")
    p.add_argument("--out", metavar="DIR", help="folder for the results (a new one in runs/)")
    p.add_argument("--overwrite", action="store_true", help="replace the results of an earlier run in --out")
    p.set_defaults(run=_train)

    p = commands.add_parser("predict", help="classify with saved weights", allow_abbrev=False)
    p.description = "Prints a line for each row of DATA: its number, the predicted class and, if known, the label."
    p.add_argument("weights", metavar="WEIGHTS", help="weights.npz as written by handgrad train")
    p.add_argument("data", metavar="DATA", help="digits, a folder of IDX files (their test parts), .npz or .csv")
    p.add_argument("--label", metavar="COLUMN", help="a .csv's column of labels: its name, or its number from 0")
    p.add_argument("--out", metavar="FILE", help="write a .csv file instead of printing")
    p.set_defaults(run=_predict)

    p = commands.add_parser("check", help="check gradients against numeric ones", allow_abbrev=False)
    command.add_arguments(p)
    p.set_defaults(run=command.run)

    p = commands.add_parser("jacobian", help="show the full Jacobian of a tiny case", allow_abbrev=False)
    jacobian_command.add_arguments(p)
    p.set_defaults(run=lambda arguments: _usable(jacobian_command.run, arguments))

    p = commands.add_parser("trace", help="show one pass of a small net in three views", allow_abbrev=False)
    trace_command.add_arguments(p, LOSSES)
    p.set_defaults(run=_trace)
    return parser


def _arranged(argv: Sequence[str]) -> list[str]:
    """The arguments as argparse reads them right: what has no option first, in one row, and `-1,2` with a space before.

    Without the space it would take an expression or a value that begins with a minus for an option.
    """
    positional: list[str] = []
    options: list[str] = []
    waiting = False
    for argument in argv:
        if argument == "--":
            continue
        spaced = f" {argument}" if re.match(r"-(?!-|h$)", argument) else argument
        is_option = bool(re.match(r"--\w|-h$", argument))
        (options if is_option or waiting else positional).append(spaced)
        waiting = is_option and "=" not in argument and argument not in ("-h", "--help")
    return [*positional, *options]


def _train(arguments: argparse.Namespace) -> int:
    for name in ("source", "data", "model", "out", "label"):
        if getattr(arguments, name) == "":
            raise UsageError(f"{'DATA' if name == 'source' else '--' + name} is empty")
    if arguments.source and arguments.data and arguments.source != arguments.data:
        raise UsageError(f"DATA is given twice, as {arguments.source} and --data {arguments.data}")
    source = arguments.data or arguments.source or "digits"
    rng = np.random.default_rng(arguments.seed)
    training, test = _usable(load, source, label=_column(arguments.label))
    classes = _classes(training, test)
    features = training.stored.shape[1]
    model = _usable(parse_model, arguments.model or f"FC({features}, 128), ReLU(), FC(128, {len(classes)})", rng)
    if not model.params:
        raise UsageError(f"a model needs parameters to train, {arguments.model} has none")
    loss = LOSSES[arguments.loss]()
    _usable(_try_once, model, loss, training, len(classes))
    optimizer = _usable(
        SGD, model.params, arguments.lr, momentum=arguments.momentum, weight_decay=arguments.weight_decay
    )
    _usable(Threads, arguments.threads, 1)  # refuses what NumPy's BLAS cannot be told
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
    about = {"classes": "\n".join(classes), "loss": arguments.loss}
    written_names = _write_results(out, model, history, monitor, about)
    if history.stopped:
        print(f"stopped: {history.stopped}")
    predicted = _predicted(model, loss, test.x)
    print(f"\n{confusion_table(confusion_matrix(test.y, predicted, len(classes)), classes)}\n")
    print(f"trained for {sum(history.seconds):.1f} s")
    print(f"test accuracy: {np.mean(predicted == test.y):.1%}")
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


def _predict(arguments: argparse.Namespace) -> int:
    path = Path(arguments.weights)
    if not arguments.data:
        raise UsageError("DATA is empty")
    if arguments.out and any(Path(arguments.out).resolve() == Path(p).resolve() for p in (path, arguments.data)):
        raise UsageError(f"--out {arguments.out} is what is read; give it another name")
    if not path.is_file():
        raise UsageError(f"{path}: no such file; WEIGHTS is the weights.npz that handgrad train writes")
    texts = {name: str(array) for name, array in _usable(read_npz, path).items() if name.startswith(ABOUT)}
    if ABOUT + "model" not in texts:
        raise UsageError(f"{path}: expected weights written by handgrad, which say what the model is")
    model = _usable(_usable(parse_model, texts[ABOUT + "model"]).load, path)
    shape = model.input_shape()
    if shape is None:
        raise UsageError(f"{path}: the model has no FC layer, so the number of features is unknown")
    data = _usable(load_rows, arguments.data, math.prod(shape), label=_column(arguments.label))
    loss = LOSSES.get(texts.get(ABOUT + "loss", ""), losses.SoftmaxCE)()
    predicted = _usable(_predicted, model, loss, data.x)
    classes = texts.get(ABOUT + "classes", "").split("\n")
    names = [classes[i] if i < len(classes) and classes[i] else str(i) for i in range(int(predicted.max()) + 1)]
    right = _labels_of(data, classes)

    header = ["row", "predicted"] + (["label"] if right else [])
    rows = [[i, names[k]] + ([right[i]] if right else []) for i, k in enumerate(predicted)]
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


def _trace(arguments: argparse.Namespace) -> int:
    with np.errstate(all="ignore"):  # infinities are shown
        return _usable(trace_command.run, arguments, LOSSES)


def _labels_of(data: Dataset, classes: Sequence[str]) -> list[str]:
    """Each row's label in words; empty when the data has none."""
    names = data.classes or classes
    return [names[k] if k < len(names) else str(k) for k in data.y] if data.labelled else []


def _predicted(model: Sequential, loss: Loss, x: Array) -> Array:
    """The class of each row: the largest score, or the sign of a single one."""
    chunks = []
    for start in range(0, len(x), 1024):
        scores = model.predict(x[start : start + 1024])
        single = scores.ndim == 1 or scores.shape[1] == 1
        threshold = 0.5 if isinstance(loss, losses.MSE) else 0
        chunks.append((scores.ravel() > threshold).astype(np.int64) if single else scores.argmax(axis=1))
    return np.concatenate(chunks)


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


def _usable(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Calls `function` on what the user gave; what it refuses becomes a UsageError."""
    try:
        return function(*arguments, **options)
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _column(label: str | None) -> str | int | None:
    is_number = label is not None and re.fullmatch(r"-?[0-9]{1,9}", label)
    return int(label) if label is not None and is_number else label


def _number(low: float, high: float | None, open_low: bool = False) -> Callable[[str], float]:
    """An argparse type: a finite number from `low` up to, but not, `high`."""
    wanted = f"a number {'>' if open_low else '>='} {low}" + (f" and < {high}" if high is not None else "")

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        below = value <= low if open_low else value < low
        if not math.isfinite(value) or below or (high is not None and value >= high):
            raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r}")
        return value

    return number


def _whole(low: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `low` on."""

    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"expected a whole number >= {low}, got {text!r}")
        return int(text)

    return whole
