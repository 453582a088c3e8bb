"""One epoch on Fashion-MNIST, everything included: handgrad beside the scripts that one writes in other libraries.

    python -m benchmarks.epoch [--rounds N] [--data DIR]

784-256-128-10 with ReLU, batches of 64, SGD: reading the files, shuffling, training with history and progress, and
evaluation on the test set, in a process of its own each time, in turn, with 1 and with 2 threads, of which the faster
counts. Seconds are those of the script without its imports; memory is the peak of the process. The scripts are in
benchmarks/epochs/. Without the files, random pixels in the same format stand in.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import import_time, machine
from benchmarks.learning import FASHION_MNIST
from benchmarks.peers import Entry
from benchmarks.worker import environment, pin

SCRIPTS = [
    Entry("handgrad", "handgrad_script"),
    Entry("PyTorch, tensors", "torch_tensors", "torch"),
    Entry("PyTorch, DataLoader", "torch_loader", "torch"),
    Entry("JAX", "jax_script", "jax", settings=("1 cpu", "2 threads")),
    Entry("scikit-learn", "sklearn_script", "scikit-learn", "sklearn"),
]
IMPORTS = {"handgrad": "handgrad", "torch": "torch", "jax": "jax", "scikit-learn": "sklearn.neural_network"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.epoch", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="how many (7)")
    parser.add_argument("--data", metavar="DIR", default=FASHION_MNIST, help="folder with Fashion-MNIST's IDX files")
    arguments = parser.parse_args()
    for script in SCRIPTS:
        if not script.installed:
            print(f"{script.name}: skipped, it is not installed (pip install {script.package})")
    scripts = [script for script in SCRIPTS if script.installed]
    print(machine.description(["numpy", *(script.package for script in scripts)]))
    with tempfile.TemporaryDirectory() as stand_in:
        folder = arguments.data
        if not Path(folder).is_dir():
            print(f"there is no folder {folder}: random pixels stand in for Fashion-MNIST, and accuracy says nothing")
            folder = stand_in
            write_random(Path(folder))
        compare(scripts, folder, arguments.rounds)
    compare_imports([script.package for script in scripts], arguments.rounds)


def compare(scripts: list[Entry], folder: str, rounds: int) -> None:
    runs = {(script, setting): [] for script in scripts for setting in script.settings}
    for _ in range(rounds):
        for script, setting in runs:
            runs[script, setting].append(run(script, setting, folder))
    print(f"\none epoch, {rounds} rounds: median (quartiles)")
    for script in scripts:
        seconds = {setting: [one["seconds"] for one in runs[script, setting]] for setting in script.settings}
        best = min(seconds, key=lambda setting: statistics.median(seconds[setting]))
        low, high = np.percentile(seconds[best], (25, 75))
        memory = statistics.median(one["memory"] for one in runs[script, best])
        print(
            f"  {script.name:<20} {statistics.median(seconds[best]):6.2f} s ({low:.2f} to {high:.2f})   "
            f"{memory / 1e6:5.0f} MB   test accuracy {runs[script, best][-1]['accuracy']:.1%}   {best}"
        )


def run(script: Entry, setting: str, folder: str) -> dict[str, float]:
    """Seconds, peak memory in bytes and accuracy of one run in a new process."""
    command = [sys.executable, "-m", "benchmarks.epoch", "--child", script.file, setting, folder]
    done = subprocess.run(command, env=environment(setting), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{script.name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def child(file: str, setting: str, folder: str) -> None:
    pin(setting, file.partition("_")[0])
    script = importlib.import_module(f"benchmarks.epochs.{file}")
    start = time.perf_counter()
    accuracy = script.main(folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print("\n" + json.dumps({"seconds": seconds, "memory": peak, "accuracy": float(accuracy)}))


def compare_imports(packages: list[str], rounds: int) -> None:
    statements = {name: f"import {module}" for name, module in IMPORTS.items() if name in ("handgrad", *packages)}
    times = {name: [] for name in statements}
    for _ in range(rounds):
        for name, statement in statements.items():
            times[name].append(import_time.seconds(statement))
    print("\nimport, in a new process each time: median (quartiles)")
    for name, seconds in times.items():
        low, high = np.percentile(seconds, (25, 75))
        print(f"  {statements[name]:<30} {statistics.median(seconds):.2f} s ({low:.2f} to {high:.2f})")


def write_random(folder: Path) -> None:
    """Files of Fashion-MNIST's names and format, without its meaning."""
    rng = np.random.default_rng(0)
    for part, rows in (("train", 60000), ("t10k", 10000)):
        images = np.array([2051, rows, 28, 28], ">i4").tobytes() + rng.bytes(rows * 784)
        labels = np.array([2049, rows], ">i4").tobytes() + rng.integers(0, 10, rows, dtype=np.uint8).tobytes()
        for name, content in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            with gzip.open(folder / f"{part}-{name}.gz", "wb", compresslevel=1) as file:
                file.write(content)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
