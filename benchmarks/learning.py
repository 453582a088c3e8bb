"""Test accuracy on real data: the digits by the default command, Fashion-MNIST by a deeper net."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from handgrad import FC, SGD, ReLU, Sequential, SoftmaxCE, evaluate, train
from handgrad.data import Dataset, load
from handgrad.train import Run

FASHION_MNIST = "/usr/share/datasets/fashion-mnist"
"""Where Debian's package dataset-fashion-mnist puts it."""

LR, MOMENTUM, BATCH_SIZE = 0.02, 0.9, 64


def network(seed: int, dtype: str = "float32") -> Sequential:
    """784-256-128-10 with ReLU."""
    rng = np.random.default_rng(seed)
    layers = FC(784, 256, rng=rng), ReLU(), FC(256, 128, rng=rng), ReLU(), FC(128, 10, rng=rng)
    return Sequential(*layers).astype(dtype)


def load_fashion(folder: str) -> tuple[Dataset, Dataset] | None:
    if not Path(folder).is_dir():
        print(f"\nFashion-MNIST: skipped, there is no folder {folder}")
        return None
    return load(folder)


def digits(seeds: range = range(5)) -> None:
    """`handgrad train` with no option but the seed."""
    print("digits, the command `handgrad train`:")
    for seed in seeds:
        command = [sys.executable, "-m", "handgrad", "train", "--seed", str(seed)]
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        lines = [line for line in result.stdout.splitlines() if line.startswith(("trained for", "test accuracy"))]
        print(f"  seed {seed}: {', '.join(reversed(lines))}")


def slower(run: Run) -> None:
    """A tenth of the learning rate for the last 3 of 10 epochs, which settles the last digits of the accuracy."""
    if run.epoch == run.epochs * 7 // 10:
        run.optimizer.lr /= 10


def fashion_mnist(data: tuple[Dataset, Dataset], epochs: int, seeds: range = range(3)) -> None:
    print(f"\nFashion-MNIST, 784-256-128-10 ReLU, batch {BATCH_SIZE}, SGD lr {LR}, momentum {MOMENTUM},")
    print("a tenth of the learning rate for the last 3 epochs:")
    training, test = data
    for seed in seeds:
        model, loss = network(seed), SoftmaxCE()
        optimizer = SGD(model.params, LR, momentum=MOMENTUM)
        options = {"epochs": epochs, "batch_size": BATCH_SIZE, "rng": seed, "callbacks": [slower], "progress": False}
        history = train(model, loss, optimizer, training, **options)
        accuracy = evaluate(model, loss, test).accuracy
        print(f"  seed {seed}: test accuracy {accuracy:.1%}, {sum(history.seconds):.1f} s for {epochs} epochs")
