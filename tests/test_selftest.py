"""The test of an assignment's own checks: mutants, attacks, and what an instructor is told."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import handgrad
from handgrad.cli import main
from handgrad.course.attacks import FOLDER, Attacks
from handgrad.course.handout import assignment_of, skeleton, solved
from handgrad.course.mutation import mutants_of, student_ways
from handgrad.grading.grade import Grader

SOURCE = Path(handgrad.__file__).parent
SECRET = "the secret of a test"

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the sandbox's locks are Linux's")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the source without hostile submissions, as it is installed."""
    folder = tmp_path_factory.mktemp("source") / "handgrad"
    left_out = shutil.ignore_patterns(
        ".*", "__pycache__", "benchmarks", "docs", "examples", "tests", "*.egg-info", "build", "runs"
    )
    shutil.copytree(SOURCE, folder, ignore=left_out)
    return folder


def edited(source, tmp_path, *edits):
    """A copy of it with (file, old text, new text) exchanged."""
    tree = Path(shutil.copytree(source, tmp_path / "handgrad"))
    for file, old, new in edits:
        text = (tree / file).read_text()
        assert old in text
        (tree / file).write_text(text.replace(old, new))
    return tree


def selftest(tree, *arguments):
    """Exit code, standard output and what --json writes."""
    report = tree.with_name("report.json")
    command = [sys.executable, "-m", "handgrad", "selftest", "--source", str(tree), "--secret", SECRET]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    result = subprocess.run(
        [*command, "--json", str(report), *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert result.returncode in (0, 1), result.stderr
    return result.returncode, result.stdout, json.loads(report.read_text())


@pytest.mark.parametrize(
    "code, mistakes",
    [
        ("return a - b", ["return a + b", "return a", "return b", "return b - a", "return -(a - b)"]),
        ("return a @ b", ["return b @ a", "return a.T @ b", "return a @ b.T", "return a @ a"]),
        ("return a.T * c", ["return a * c", "return a.T", "return c", "return a.T / c"]),
        ("return a.sum(axis=0, keepdims=True)", ["return a.sum(axis=1, keepdims=True)", "return a.sum(axis=0)"]),
        ("return a.sum(axis=0, keepdims=True)", ["return a.sum(axis=0, keepdims=False)", "return a.mean(axis=0, "]),
        ("y = a * b\nreturn y", ["a *= b", "y = a", "return a", "return -y"]),
        ("a *= 2\nreturn a", ["a = a * 2", "a = 2", "a /= 2", "a *= 3", "pass"]),
        ("return np.exp(a, out=b)", ["return np.exp(a, out=a)", "return np.exp(a)", "return a"]),
        ("if a > 0:\n    b = 1", ["if a >= 0:", "if a < 0:", "if True:", "if False:", "if not a > 0:"]),
        ("for a in b:\n    c = a", ["for a in reversed(list(b)):"]),
        ("g = {'W': self.W, 'b': self.b}", ["g = {'W': self.b, 'b': self.b}", "g = {'b': self.W, 'b': self.b}"]),
    ],
)
def test_mutants_are_the_mistakes_that_students_make(code, mistakes):
    mutants = mutants_of(code, student_ways(["np"]))
    lines = [line for mutant in mutants for line in mutant.after]
    for mistake in mistakes:
        assert any(line.startswith(mistake) for line in lines), f"{mistake} is not among {lines}"
    assert len({mutant.code for mutant in mutants}) == len(mutants)
    assert code not in [mutant.code for mutant in mutants]


def test_the_checks_of_this_source_hold(source):
    code, out, report = selftest(source, "--part", "relu", "--quick")
    assert code == 0, out
    assert "the solution gets all points and the handout none, with 3 secrets" in out
    assert f"this source has no {FOLDER}, so no attack was tried" in out
    assert out.endswith("the checks hold on this sample; without --quick all is tried\n")
    assert report["holds"] and {trial["task"] for trial in report["trials"]} == {"relu.forward", "relu.backward"}


def test_a_weakened_check_shows_what_it_misses(source, tmp_path):
    questions = "assignment/draws/layer.py"
    zeros = (", [0, 1, 2, 3]] = 0.0, -0.0, 0.0, -0.0", "np.zeros((3, 4))", "[0.0, 1e30]]")
    ones = (", [0, 1, 2, 3]] = 1.0, -1.0, 1.0, -1.0", "np.ones((3, 4))", "[1.0, 1e30]]")
    tree = edited(source, tmp_path, *[(questions, old, new) for old, new in zip(zeros, ones, strict=True)])
    code, out, report = selftest(tree, "--part", "relu")
    assert code == 1
    survivors = [trial for trial in report["trials"] if trial["outcome"] == "survived"]
    assert any("np.greater_equal(x, 0" in line for trial in survivors for line in trial["after"]), survivors
    assert "    - gate = np.greater(x, 0, out=self.out_like('dx', x))\n    + gate = np.greater_equal(" in out
    assert "the checks do not hold" in out


def test_another_marked_layer_is_tested_too(source, tmp_path):
    forward = '        y = np.tanh(x, out=self.out_like("y", x))\n        self.cache = self.keep(y)\n        return y\n'
    backward = '        dx = np.multiply(y, y, out=self.out_like("dx", y))\n'
    rest = "        np.subtract(1, dx, out=dx)\n        dx *= upstream\n        return dx, {}\n"
    begin, end = "        # BEGIN SOLUTION tanh.{} points=3\n", "        # END SOLUTION\n"
    tree = edited(
        source,
        tmp_path,
        ("layers/tanh.py", forward, begin.format("forward") + forward + end),
        ("layers/tanh.py", backward + rest, begin.format("backward") + backward + rest + end),
        ("course/assignment.toml", '"layers/tanh.py", ', ""),
    )
    code, out, report = selftest(tree, "--part", "tanh", "--quick")
    assert {trial["task"] for trial in report["trials"]} == {"tanh.forward", "tanh.backward"}
    assert code == 0, out


@pytest.mark.skipif(not (SOURCE / FOLDER).is_dir(), reason="no hostile submissions here")
def test_an_attack_that_pays_is_told():
    grader = Grader(skeleton(SOURCE), assignment_of(SOURCE), SECRET.encode(), explains=False)
    attacks = Attacks(SOURCE, grader, solved(SOURCE))
    entry = next(one for one in attacks.entries if one.part == "relu" and not one.must_review)
    assert attacks.run(entry).problems == ()
    (problem,) = attacks.run(replace(entry, most=-1)).problems
    assert problem.startswith("gets ") and "points of relu" in problem
    assert attacks.left_behind() == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--part", "conv"], "there is no part or task 'conv'"),
        (["--secret", ""], "--secret is empty"),
        (["--source", "nowhere"], "there is none"),
        (["--json", "nowhere/report.json"], "--json nowhere/report.json: there is no folder nowhere"),
        (["-j", "0"], "expected a whole number >= 1, got '0'"),
    ],
)
def test_bad_usage_is_one_sentence(capsys, arguments, message):
    try:
        code = main(["selftest", *arguments])
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err
    assert code == 2 and message in error and "Traceback" not in error


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "handgrad", "selftest", "--part", "relu", "-j", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    patience = time.monotonic() + 30
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not any(tmp_path.iterdir()) and time.monotonic() < patience:
        if children.exists() and children.read_text().strip():  # the sandbox's folders may lie in memory instead
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130 and error == "handgrad: interrupted\n" and out == ""
    assert list(tmp_path.iterdir()) == []
