"""The student's side of an assignment: the commands of a handout, run as a student runs them."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import handgrad
from handgrad.assignment import original
from handgrad.assignment.doctor import fits
from handgrad.course.handout import skeleton, solved

SOURCE = Path(handgrad.__file__).parent

pytestmark = pytest.mark.skipif(not (SOURCE / "course").is_dir(), reason="only a source tree makes handouts")


@pytest.fixture(scope="module")
def blank_files():
    return skeleton(SOURCE)


@pytest.fixture(scope="module")
def solutions():
    return {path: content.decode() for path, content in solved(SOURCE).items()}


class Handout:
    """A student's folder, in which commands are run."""

    def __init__(self, folder, files):
        self.folder, self.root = folder, folder / "handgrad"
        for path, content in files.items():
            self.write(path, content)

    def write(self, path, content):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def command(self, *arguments):
        return [sys.executable, "-m", "handgrad", *map(str, arguments)]

    @property
    def environment(self):
        return {**os.environ, "PYTHONPATH": str(self.folder), "COLUMNS": "2000", "OPENBLAS_NUM_THREADS": "1"}

    def run(self, *arguments, cwd=None):
        """The exit code, standard output and standard error."""
        done = subprocess.run(
            self.command(*arguments), cwd=cwd or self.root, env=self.environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout, done.stderr

    def check(self, *arguments):
        """The exit code, {task: (word, reason)}, and all that was printed."""
        code, out, err = self.run("check", *arguments)
        assert err == ""
        lines = [line.split(maxsplit=4) for line in out.splitlines() if " points " in line]
        return code, {task: (word, rest[0] if rest else "") for task, _, _, word, *rest in lines}, out


@pytest.fixture
def handout(tmp_path, blank_files):
    return Handout(tmp_path, blank_files)


def changed(text, old, new):
    assert text.count(old) == 1, (old, text.count(old))
    return text.replace(old, new)


def words(found):
    return {task: word for task, (word, _) in found.items()}


def test_an_untouched_handout_is_blank_everywhere(handout):
    code, found, out = handout.check()
    assert code == 1 and len(found) == 13 and set(words(found).values()) == {"blank"}
    assert found["fc.backward"][1].startswith("layers/fc.py, line ")
    line = int(found["fc.backward"][1].split()[-1])
    assert 'NotImplementedError("fc.backward")' in (handout.root / "layers/fc.py").read_text().splitlines()[line - 1]
    last = out.splitlines()[-1]
    assert last.startswith("public 0 of 13 right; ") and last.endswith(" more checks run after you submit")


def test_the_whole_solution_is_right_everywhere_and_trains(handout, solutions):
    for path, text in solutions.items():
        handout.write(path, text)
    code, found, out = handout.check()
    assert code == 0 and set(words(found).values()) == {"right"}
    assert "public 13 of 13 right" in out and "passed" not in out
    code, out, err = handout.run("train", "--epochs", 2)
    assert code == 0 and err == "" and "test accuracy: 9" in out


def test_only_fc_done_gets_fc_checked(handout, solutions):
    handout.write("layers/fc.py", solutions["layers/fc.py"])
    code, found, _ = handout.check()
    right = {task for task, word in words(found).items() if word == "right"}
    assert code == 1 and right == {"fc.forward", "fc.backward"}
    assert {word for task, word in words(found).items() if task not in right} == {"blank"}
    assert handout.check("fc")[0] == 0 and handout.check("fc.backward")[0] == 0
    assert list(handout.check("fc.backward")[1]) == ["fc.backward"]


@pytest.mark.parametrize(
    "broken",
    ["def forward(:\n", "import os\nos._exit(3)\n", "raise SystemExit\n", "while True: pass\n", "\0", "\xff"],
)
def test_a_broken_file_does_not_matter_to_another(handout, solutions, broken):
    handout.write("layers/fc.py", solutions["layers/fc.py"])
    handout.write("layers/relu.py", broken.encode("latin-1"))
    code, found, _ = handout.check("fc")
    assert code == 0 and words(found) == {"fc.forward": "right", "fc.backward": "right"}


def test_a_file_that_cannot_be_imported_says_why(handout, solutions):
    handout.write("layers/relu.py", changed(solutions["layers/relu.py"], "class ReLU", "np.nothing\nclass ReLU"))
    handout.write("layers/sigmoid.py", changed(solutions["layers/sigmoid.py"], "y += 1", "y +="))
    handout.write("optim/sgd.py", "")
    (handout.root / "model.py").unlink()
    code, found, _ = handout.check()
    assert code == 1
    assert found["relu.forward"][0] == "wrong" and "has no attribute 'nothing'" in found["relu.forward"][1]
    line = 1 + solutions["layers/sigmoid.py"].splitlines().index("        y += 1")
    assert found["sigmoid.backward"] == ("wrong", f"layers/sigmoid.py, line {line}: SyntaxError: invalid syntax")
    assert found["sequential.forward"] == ("wrong", "model.py: no such file")
    assert found["sgd.step"] == ("wrong", "optim/sgd.py: ImportError: SGD must be defined in it")
    code, out, err = handout.run("train")
    assert code == 1 and out == "" and len(err.splitlines()) == 1 and "relu.py" in err


WRONG = [
    ("layers/fc.py", "upstream.T, x,", "2 * upstream.T, x,", {"fc.backward": "twice"}),
    ("layers/fc.py", "y += self.b", "y -= self.b", {"fc.forward": "the sign of the bias is wrong"}),
    ("layers/fc.py", "x, self.W.T)", "x, self.W)", {"fc.forward": "W is not transposed"}),
    (
        "layers/fc.py",
        "upstream, self.W,",
        "upstream, self.W.T,",
        {"fc.backward": "the factors of a product do not fit"},
    ),
    ("layers/relu.py", "np.greater(x", "np.greater_equal(x", {"relu.backward": "0"}),
    ("layers/relu.py", "np.multiply(upstream, gate", "np.multiply(1, gate", {"relu.backward": "upstream"}),
    ("layers/sigmoid.py", "dx *= y\n", "pass\n", {"sigmoid.backward": ""}),
    ("losses/softmax_ce.py", "/ len(exp)", "", {"softmax_ce.backward": "N"}),
    ("losses/softmax_ce.py", " / rows  # -log", "  # -log", {"softmax_ce.forward": "the sum over the batch"}),
    (
        "model.py",
        "self.cache = caches",
        "self.cache = caches[::-1]",
        {"sequential.backward": "the part's other task"},
    ),
    ("optim/sgd.py", "add_scaled(w, -self.lr", "add_scaled(w, self.lr", {"sgd.step": "sign"}),
    (
        "optim/sgd.py",
        "scale_and_add(v, self.momentum, g)",
        "scale_and_add(v, 1.0, g)",
        {"sgd.step": "momentum is missing"},
    ),
    ("train.py", "optimizer.step(grads)", "pass", {"train.update": "takes no step"}),
    ("train.py", "loss.backward()", "loss.backward(run.value)", {"train.update": "its upstream is 1"}),
    (
        "train.py",
        "run.value = loss.forward(scores, y)",
        "run.value = 2 * loss.forward(scores, y)",
        {"train.forward": "value"},
    ),
]


@pytest.mark.parametrize(("path", "old", "new", "expected"), WRONG)
def test_what_is_wrong_is_told_with_its_cause(handout, solutions, path, old, new, expected):
    handout.write(path, changed(solutions[path], old, new))
    part = next(iter(expected)).partition(".")[0]
    code, found, _ = handout.check(part)
    assert code == 1
    for task, (word, reason) in found.items():
        if task in expected:
            assert word == "wrong" and expected[task] in reason, (task, word, reason)
        else:
            assert word == "right" or (word == "waits" and ".forward" in reason), (task, word, reason)


def test_a_task_is_checked_without_the_others_of_its_part(handout, solutions):
    def blank(path, line, task):
        indent = line[: len(line) - len(line.lstrip())]
        handout.write(path, changed(solutions[path], line, f'{indent}raise NotImplementedError("{task}")\n{line}'))

    blank("layers/fc.py", "        grads = {", "fc.backward")
    blank("model.py", "        parts = self._no_parts", "sequential.forward")
    blank("train.py", "                dx, grads = model", "train.update")
    blank("layers/relu.py", "        self.cache = x", "relu.forward")
    assert words(handout.check("fc")[1]) == {"fc.forward": "right", "fc.backward": "blank"}
    assert words(handout.check("sequential")[1]) == {"sequential.forward": "blank", "sequential.backward": "right"}
    assert words(handout.check("train")[1]) == {"train.forward": "right", "train.update": "blank"}
    assert words(handout.check("relu")[1]) == {"relu.forward": "blank", "relu.backward": "waits"}


def test_single_precision_is_right_where_the_file_names_it(handout, solutions):
    mixed = changed(solutions["optim/sgd.py"], "self._vector(grads)\n", "self._vector(grads).astype('f')\n")
    handout.write("optim/sgd.py", mixed)
    assert words(handout.check("sgd")[1]) == {"sgd.step": "right"}


def test_a_loop_and_an_end_are_told_and_cost_the_others_nothing(handout, solutions):
    fc = changed(solutions["layers/fc.py"], "        grads = {", "        while True: pass\n        grads = {")
    line = 1 + fc.splitlines().index("        while True: pass")
    handout.write("layers/fc.py", fc)
    sgd = changed(
        solutions["optim/sgd.py"], "        g, v, update", "        import os; os._exit(7)\n        g, v, update"
    )
    handout.write("optim/sgd.py", sgd)
    handout.write("layers/relu.py", solutions["layers/relu.py"])
    code, found, _ = handout.check("--timeout", 4)
    assert code == 1 and words(found)["fc.forward"] == words(found)["relu.backward"] == "right"
    assert found["fc.backward"][0] == "wrong"
    assert "took longer than 4 s" in found["fc.backward"][1]
    assert os.name == "nt" or f"layers/fc.py, line {line}" in found["fc.backward"][1]
    assert found["sgd.step"][0] == "wrong" and "exited with code 7" in found["sgd.step"][1]


def test_prints_do_not_disturb(handout, solutions):
    noisy = "import os, sys\nprint('{'); os.write(1, b'[1]\\n'); print('error', file=sys.stdout)\n"
    fc = changed(solutions["layers/fc.py"], "\nclass FC", f"\n{noisy}\nclass FC")
    handout.write("layers/fc.py", changed(fc, "        grads = {", "        print('x' * 10_000)\n        grads = {"))
    sgd = changed(solutions["optim/sgd.py"], "        g, v, update", "        print(grads)\n        g, v, update")
    handout.write("optim/sgd.py", sgd)
    for part in ("fc", "sgd"):
        code, found, out = handout.check(part)
        assert code == 0 and "xxx" not in out and len(out.splitlines()) == len(found) + 2


def test_explain_gives_the_mathematics_and_the_hint(handout, solutions):
    handout.write("layers/fc.py", changed(solutions["layers/fc.py"], "upstream.T, x,", "3 * upstream.T, x,"))
    handout.write("optim/sgd.py", changed(solutions["optim/sgd.py"], "(w, -self.lr", "(w, self.lr"))
    out = handout.check("fc.backward", "--explain")[2]
    assert "dW = upstream' x" in out and "extrapolated" in out and "a hint: dW has W's shape" in out
    assert str(handout.root) not in out
    assert "v = momentum * v + g" in handout.check("sgd", "--explain")[2]


def test_watch_checks_again_when_the_file_changes(handout, solutions):
    child = subprocess.Popen(
        handout.command("check", "sgd", "--watch"),
        cwd=handout.root,
        env=handout.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "blank" in child.stdout.readline()
        while not child.stdout.readline().startswith("watching optim/sgd.py"):
            pass
        time.sleep(0.1)
        handout.write("optim/sgd.py", solutions["optim/sgd.py"])
        while not (line := child.stdout.readline()).startswith("sgd.step"):
            pass
        assert "right" in line
        while not child.stdout.readline().startswith("watching"):
            pass
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130 and child.stderr.read() == "handgrad: interrupted\n"
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fc.backwards"], "the parts are relu, sigmoid, fc"),
        (["fc", "--json", "x.json"], "--json goes with a layer's file"),
        (["layers/fc.py", "--watch"], "--watch goes with a part or a task"),
    ],
)
def test_bad_usage_is_one_sentence(handout, arguments, words):
    code, out, err = handout.run("check", *arguments)
    assert code == 2 and out == "" and len(err.splitlines()) == 1 and words in err


def test_other_targets_go_to_the_gradient_checker(handout, solutions):
    handout.write("layers/fc.py", solutions["layers/fc.py"])
    code, out, _ = handout.run("check", "layers/fc.py")
    assert code == 0 and "2 checked, 0 wrong" in out
    handout.write("layers/relu.py", "def")
    code, out, err = handout.run("check", "layers/fc.py")
    assert code == 2 and "layers/relu.py, line 1: SyntaxError" in err and "Traceback" not in err


def test_train_says_where_a_part_fails(handout, solutions):
    for file, content in solutions.items():
        handout.write(file, content)
    handout.write("model.py", changed(solutions["model.py"], "self.cache = caches\n", "raise KeyError('0.W')\n"))
    code, out, err = handout.run("train", "--epochs", 1)
    assert code == 1 and "Traceback" not in err
    assert err.startswith("handgrad: model.py, line ") and err.endswith(": KeyError: '0.W'\n")


def test_train_says_which_task_is_still_to_do(handout, solutions):
    code, out, err = handout.run("train")
    assert code == 1 and out == ""
    line = 1 + (handout.root / "layers/fc.py").read_text().splitlines().index(
        '        raise NotImplementedError("fc.forward")'
    )
    assert err == f"handgrad: fc.forward is still blank: layers/fc.py, line {line}\n"
    for path, text in solutions.items():
        if path != "optim/sgd.py":
            handout.write(path, text)
    code, out, err = handout.run("train", "--out", "results")
    assert code == 1 and err.startswith("handgrad: sgd.step is still blank: optim/sgd.py, line ")
    assert not (handout.root / "results").exists()


def test_pack_is_the_same_to_the_byte_and_says_what_is_unfinished(handout, solutions, tmp_path):
    handout.write("layers/fc.py", solutions["layers/fc.py"])
    handout.write("layers/relu.py", "def")
    (handout.root / "train.py").unlink()
    code, out, err = handout.run("pack", "--out", tmp_path / "a.zip")
    assert code == 0 and err == ""
    assert "layers/relu.py, line 1: SyntaxError" in out and "train.py: no such file" in out
    assert "sgd.step is still blank: optim/sgd.py, line" in out and "fc.backward" not in out
    os.utime(handout.root / "layers/fc.py", (1, 1))
    (handout.root / "layers/fc.py").chmod(0o600)
    assert handout.run("pack", "--out", tmp_path / "b.zip")[0] == 0
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == sorted(set(solutions) - {"train.py"})
        assert archive.read("layers/fc.py").decode() == solutions["layers/fc.py"]
    code, out, err = handout.run("pack", "--out", tmp_path / "a.zip")
    assert code == 2 and "add --overwrite" in err
    assert handout.run("pack", "--out", tmp_path / "a.zip", "--overwrite")[0] == 0
    assert handout.run("pack", "--out", tmp_path / "none" / "a.zip")[0] == 2
    assert handout.run("pack")[0] == 0 and (handout.root / "submission.zip").exists()


def test_doctor_says_what_to_mend(handout, blank_files, tmp_path):
    code, out, err = handout.run("doctor")
    assert (code, err) == (0, "") and "wrong" not in out
    handout.write("params.py", blank_files["params.py"].replace(b"\n", b"\r\n"))  # as Windows writes it
    handout.write("layers/fc.py", "anything = 1")
    assert handout.run("doctor")[0] == 0
    handout.write("layers/base.py", blank_files["layers/base.py"] + b"# mine\n")
    (handout.root / "data/README.md").unlink()
    toml = blank_files["assignment.toml"].decode()
    handout.write(
        "assignment.toml", toml.replace("numpy>=1.26", "numpy>=99", 1).replace("scipy>", "no-such-package>", 1)
    )
    code, out, err = handout.run("doctor")
    assert code == 1 and err == ""
    for sentence in (
        "changed since it was handed out: assignment.toml, layers/base.py",
        "missing since it was handed out: data/README.md",
        "does not fit >=99",
        "no-such-package is not installed",
        'to mend it: python -m pip install "numpy>=99"',
    ):
        assert sentence in out, sentence


def test_another_handout_in_use_is_noticed(handout, blank_files, tmp_path):
    other = Handout(tmp_path / "other", blank_files)
    code, out, _ = handout.run("doctor", cwd=other.root)
    assert code == 1 and f"this folder is the handout {other.root}" in out and f"pip install -e {other.root}" in out
    for command in ("check", "pack"):
        code, out, err = handout.run(command, cwd=other.root)
        assert code == 2 and f"this folder is the handout {other.root}" in err


def test_pack_and_doctor_are_for_handouts():
    for command in ("pack", "doctor"):
        done = subprocess.run([sys.executable, "-m", "handgrad", command], capture_output=True, text=True)
        assert done.returncode == 2 and "handout" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("version", "wanted", "fit"),
    [
        ("3.10.0", ">=3.10", True),
        ("3.9.18", ">=3.10", False),
        ("2.0.0rc1", ">=1.26,<3", True),
        ("3.0", ">=1.26,<3", False),
        ("1.26.4", "==1.26.*", True),
        ("1.27", "~=1.26.1", False),
        ("2.1", "", True),
    ],
)
def test_versions(version, wanted, fit):
    assert fits(version, wanted) is fit


def test_the_original_holds_the_parts_as_they_were_handed_out(handout, blank_files, solutions):
    kept = original.read(handout.root)
    assert kept.parts == {path: blank_files[path] for path in solutions}
    assert kept.digests.keys() == blank_files.keys() - solutions.keys() - {original.PATH}
