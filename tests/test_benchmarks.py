"""The benchmark of steps runs, and all end with the same weights; how fast they are is not asserted."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def step(*arguments):
    command = [sys.executable, "-m", "benchmarks.step", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_table_is_made_and_the_weights_agree(tmp_path):
    file = tmp_path / "table.md"
    peers = "matrix products", "handgrad", "handgrad, steps alone", "handgrad without momentum"
    peers += "handgrad, NumPy's calls alone", "plain NumPy"
    done = step("--quick", "--nets", "4-16-3", "--peers", *peers, "--markdown", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("weights: the same everywhere") == 2
    assert "x handgrad without momentum; NumPy's calls alone -; at most 1.1: " in done.stdout
    lines = file.read_text(encoding="utf-8").splitlines()
    measured = next(line for line in lines if line.startswith("| 4-16-3 ReLU, batch 32, momentum 0.9 |"))
    assert " x handgrad without momentum | - | 1.1 | " in measured
    assert lines.count("| net | " + " | ".join(peers) + " |") == 1


def test_an_unknown_net_is_named():
    done = step("--nets", "5-5")
    assert done.returncode == 2
    assert "'5-5'" in done.stderr
    assert "784-10, batch 64" in done.stderr
