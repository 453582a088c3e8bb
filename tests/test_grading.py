"""Grading: the probes, the judge, the points, the sentences, and the commands around them."""

import csv
import itertools
import json
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.special

import handgrad
from handgrad.assignment import answered
from handgrad.assignment.draws import probes_of
from handgrad.assignment.judge import Verdict, judge, judged
from handgrad.assignment.mistakes import Given, known, mistakes
from handgrad.assignment.mistakes.container import MISTAKES
from handgrad.assignment.mistakes.container import code as mistaken
from handgrad.assignment.precision import names_single
from handgrad.assignment.probes import CHECKS, Probe, attempts, run
from handgrad.assignment.probes.probe import taken
from handgrad.cli import main
from handgrad.course.handout import assignment_of, skeleton, solved
from handgrad.course.regions import replaced
from handgrad.grading.classroom import Classroom
from handgrad.grading.grade import Grader, Stopped
from handgrad.grading.marks import points_for
from handgrad.grading.report import Graded, page, write_csv, write_pages
from handgrad.grading.result import Result
from handgrad.grading.sandbox import Limits
from handgrad.grading.store import Store
from handgrad.model import Sequential

SOURCE = Path(handgrad.__file__).resolve().parent
ASSIGNMENT = assignment_of(SOURCE)
TASKS = [task.name for task in ASSIGNMENT.tasks]
SOLVED = solved(SOURCE)


@pytest.fixture(scope="module")
def blank():
    return skeleton(SOURCE)


@pytest.fixture(scope="module")
def grader(blank):
    return Grader(blank, ASSIGNMENT, b"a secret for tests")


@pytest.fixture(scope="module")
def perfect(grader):
    return grader.grade(SOLVED, "perfect")


def written(codes):
    """The solved file of a part with other code in the tasks of `codes`."""
    file = ASSIGNMENT.part(next(iter(codes))).file
    return file, replaced((SOURCE / file).read_text("utf-8"), file, codes).encode()


def graded(grader, codes):
    file, content = written(codes)
    part = ASSIGNMENT.part(next(iter(codes)))
    (result,) = grader.grade({file: content}, "a digest", only=[part.name]).parts
    return {task.name: task for task in result.tasks}


# Whole submissions.


def test_the_solution_has_all_points_and_nothing_to_look_at(perfect):
    assert perfect.points == perfect.out_of == ASSIGNMENT.points
    assert not perfect.flags
    assert all(
        all(task.checks.values()) and list(task.checks) == list(CHECKS) for p in perfect.parts for task in p.tasks
    )


def test_the_skeleton_has_no_points_in_any_part(grader, blank):
    result = grader.grade(blank, "blank")
    assert [part.points for part in result.parts] == [0] * len(ASSIGNMENT.parts)
    touched = grader.grade({part.file: blank[part.file] + b"\n" for part in ASSIGNMENT.parts}, "touched")
    assert touched.points == 0
    assert {sentence for part in touched.parts for task in part.tasks for sentence in task.sentences} == {
        "not written yet"
    }


def test_a_missing_file_costs_its_part_only(grader):
    result = grader.grade({"layers/relu.py": SOLVED["layers/relu.py"]}, "one file")
    assert {part.name: part.points for part in result.parts if part.points} == {"relu": ASSIGNMENT.part("relu").points}


def test_forbidden_imports_zero_the_part_with_the_reason(grader):
    result = grader.grade({"layers/relu.py": b"import torch\n" + SOLVED["layers/relu.py"]}, "t", only=["relu"])
    assert result.points == 0
    assert "torch" in result.parts[0].tasks[0].sentences[0]
    assert "torch" in result.flags[0]


def test_probes_follow_from_secret_and_digest(grader, blank):
    def arrays(one, digest):
        return probes_of("fc.forward", one.generator(digest, "fc.forward"))[0][1].arrays["x"]

    assert np.array_equal(arrays(grader, "a"), arrays(Grader(blank, ASSIGNMENT, b"a secret for tests"), "a"))
    assert not np.array_equal(arrays(grader, "a")[0, :2], arrays(grader, "b")[0, :2])
    assert not np.array_equal(arrays(grader, "a")[0, :2], arrays(Grader(blank, ASSIGNMENT, b"another one"), "a")[0, :2])


# What is right, told apart from the source by definitions.


def _loss(scores, labels):
    targets = labels if labels.ndim == 2 else np.eye(scores.shape[1])[labels]
    shift = scores.real.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(scores - shift).sum(axis=1, keepdims=True)) + shift
    return (targets * (log_sum - scores)).sum() / len(scores)


def _layer(part, arrays, x):
    if part == "fc":
        return x @ arrays["W"].T + arrays.get("b", 0)
    return np.where(x.real > 0, x, 0) if part == "relu" else scipy.special.expit(x)


@pytest.mark.parametrize("part", ["fc", "relu", "sigmoid", "softmax_ce"])
@pytest.mark.parametrize("seed", range(3))
def test_expected_forwards_follow_the_definition(part, seed):
    for check, probe in probes_of(f"{part}.forward", np.random.default_rng(seed)):
        for name, got in run(probe).items():
            if not (match := re.fullmatch(r"y(?:|( \w+|) at call \d+)", name)):
                continue
            batch = match[1] or ""
            a = probe.arrays
            if batch == " other":
                a = {**a, **{name: a[f"{name} other"] for name in ("W", "b") if name in a}}
            is_loss = part == "softmax_ce"
            y = _loss(a[f"scores{batch}"], a[f"labels{batch}"]) if is_loss else _layer(part, a, a[f"x{batch}"])
            tolerance = 1e-5 if probe.is_single else 1e-13
            assert np.allclose(got, y, rtol=tolerance, atol=tolerance), (check, name)


@pytest.mark.parametrize("part", ["fc", "relu", "softmax_ce"])
@pytest.mark.parametrize("seed", range(3))
def test_expected_backwards_are_complex_steps(part, seed):
    drawn = probes_of(f"{part}.backward", np.random.default_rng(seed))
    for _, probe in [one for one in drawn if one[0] in ("values", "other sizes")]:
        got, a = run(probe), dict(probe.arrays)
        if any("at call" in name for name in got):
            continue
        names = {"softmax_ce": {"scores": "dscores"}, "fc": {"x": "dx", "W": "dW", "b": "db"}}.get(part, {"x": "dx"})
        for name, gradient in names.items():
            numeric = np.empty(a[name].shape)
            for index in np.ndindex(*a[name].shape):
                stepped = a[name].astype(complex)
                stepped[index] += 1e-30j
                at = {**a, name: stepped}
                if part == "softmax_ce":
                    value = _loss(at["scores"], at["labels"])
                else:
                    value = (a["upstream"] * _layer(part, at, at["x"])).sum()
                numeric[index] = value.imag / 1e-30
            assert np.allclose(got[gradient], numeric, rtol=1e-12, atol=1e-13), gradient


def test_every_known_mistake_is_asked_for():
    """No probe-set may be blind to a mistake that is known; and each has numbers, or an error, of its own."""
    from importlib import import_module

    by_numbers = ("sequential.forward", "sequential.backward", "sgd.step", "train.update")
    layers = ("fc.forward", "fc.backward", "sigmoid.backward", "softmax_ce.forward", "softmax_ce.backward")
    for task in (*by_numbers, *layers):
        drawn = [probe for _, probe in probes_of(task, np.random.default_rng(1))]
        right = [run(probe) for probe in drawn]
        seen = set()
        for probe, expected in zip(drawn, right, strict=True):
            for mistake in mistakes(task, probe):
                if mistake.error or not judged(probe.only(), mistake.arrays, expected).right:
                    seen.add(mistake.sentence)
        part = task.partition(".")[0]
        kind = {"sequential": "container", "sgd": "optimizer", "train": "loop"}.get(part, "layer")
        assert seen == set(import_module(f"handgrad.assignment.mistakes.{kind}").MISTAKES[task].values()), task


@pytest.mark.parametrize("task", ["sequential.forward", "sequential.backward", "sgd.step", "train.update"])
def test_known_mistakes_are_told_apart(task):
    """Two mistakes with other sentences give other answers, or errors, at some probe."""
    drawn = [probe for _, probe in probes_of(task, np.random.default_rng(2))]
    seen = {}
    for probe in drawn:
        for number, mistake in enumerate(mistakes(task, probe)):
            numbers = {name: np.round(array.astype(float), 9).tobytes() for name, array in mistake.arrays.items()}
            seen.setdefault((number, mistake.sentence), []).append((mistake.error, numbers))
    pairs = [(one, other) for one, other in itertools.combinations(seen, 2) if seen[one] == seen[other]]
    assert [(one, other) for one, other in pairs if one[1] != other[1]] == []


def test_a_mistake_in_backward_leaves_forward_right():
    rng = np.random.default_rng(5)
    probe = probes_of("sequential.forward", rng)[0][1]
    for mistake in MISTAKES["sequential.backward"]:
        assert judged(probe, run(probe, mistaken(mistake, "sequential")), run(probe)).right, mistake


def test_a_coincidence_at_special_values_is_no_cause():
    def swapped_caches(*layers):
        return mistaken("caches reversed", "sequential")(*layers)

    wrong = []
    for check, probe in probes_of("sequential.backward", np.random.default_rng(3)):
        try:
            wrong.append(Given(check, probe, run(probe, swapped_caches)))
        except Exception as error:
            wrong.append(Given(check, probe, error=str(error)))
    causes = known("sequential.backward", wrong)
    assert causes[0].startswith("the caches are in the wrong order")
    assert not any("summed" in cause or "skipped" in cause for cause in causes)


def test_a_mistake_that_would_make_values_wrong_is_no_cause_of_right_ones():
    class Alias:
        def __init__(self):
            self.params = {}

        def forward(self, x):
            return x if (x > 0).all() else np.maximum(x, 0)

    right, wrong = [], []
    for check, probe in probes_of("relu.forward", np.random.default_rng(3)):
        answer = run(probe, Alias)
        is_right = judged(probe, answer, run(probe)).right
        (right if is_right else wrong).append(Given(check, probe, answer))
    assert wrong and known("relu.forward", wrong) and known("relu.forward", wrong, right) == []


def test_the_students_check_judges_as_the_grader_does(monkeypatch):
    for off, is_right in ((1e-14, True), (1e-10, False)):

        def nearly(probe, off=off):
            return {name: array * (1 + off) for name, array in run(probe).items()}

        monkeypatch.setattr(answered, "run", nearly)
        assert (not answered.report_on("sequential.forward", 0).findings) == is_right
        probe = probes_of("sequential.forward", np.random.default_rng(0))[0][1]
        assert judged(probe, nearly(probe), run(probe)).right == is_right


def test_the_students_check_takes_single_precision_where_the_file_names_it(monkeypatch):
    monkeypatch.setattr(answered, "run", lambda probe: {name: a * (1 + 1e-7) for name, a in run(probe).items()})
    assert answered.report_on("sequential.forward", 0).findings
    assert not answered.report_on("sequential.forward", 0, names_single=True).findings


@pytest.mark.parametrize("task", ["train.forward", "train.update"])
def test_the_numbers_of_the_toy_loop_do_not_grow(task):
    for seed in range(2):
        for _, probe in probes_of(task, np.random.default_rng(seed)):
            assert max(np.abs(array).max(initial=0) for array in run(probe).values()) < 1000


def test_values_are_asked_at_large_sizes_and_in_many_calls():
    for task in TASKS:
        rng = np.random.default_rng(4)
        values = [probe for check, probe in probes_of(task, rng) if check == "values"]
        assert max(max(array.shape, default=0) for probe in values for array in probe.arrays.values()) >= 24, task
        calls = sum(step[0] in ("forward", "backward", "step") for probe in values for step in probe.only().script)
        steps = sum(name.startswith(("scores at", "upstream at")) for probe in values for name in run(probe))
        assert calls + steps >= 8, task


@pytest.mark.parametrize("task", TASKS)
def test_probes_are_plain_data_and_the_same_for_a_seed(task):
    first, second = (probes_of(task, np.random.default_rng(7)) for _ in range(2))
    assert {check for check, _ in first} == set(CHECKS)
    for (_, a), (_, b) in zip(first, second, strict=True):
        assert json.loads(json.dumps([a.options, a.script])) == json.loads(json.dumps([b.options, b.script]))
        assert all(np.array_equal(a.arrays[name], b.arrays[name]) for name in a.arrays)


class IgnoresWorkspace(Sequential):
    """A student's: every array is new, and dx is always there."""

    def forward(self, x):
        self.cache = []
        for layer in self.layers:
            x = layer.forward(x)
            self.cache.append(layer.cache)
        return x

    def backward(self, upstream):
        grads = {}
        for i, layer in reversed(list(enumerate(self.layers))):
            layer.cache = self.cache[i]
            upstream, own = layer.backward(upstream)
            grads.update({f"{i}.{name}": gradient for name, gradient in own.items()})
        return upstream, grads


class FailsInTraining(Sequential):
    """Right but where train() has set the workspace."""

    def forward(self, x):
        return super().forward(x if self.workspace is None else 2 * x)

    def backward(self, upstream):
        dx, grads = super().backward(upstream)
        if self.workspace is not None:
            grads.flat[:] *= 2
        return dx, grads


@pytest.mark.parametrize("task", ["sequential.forward", "sequential.backward"])
def test_a_container_is_asked_as_in_training(task):
    asked = probes_of(task, np.random.default_rng(3))
    for _, probe in asked:
        verdict = judged(probe, run(probe, IgnoresWorkspace), run(probe), allows_single=probe.is_single)
        assert verdict.right, verdict
    failing = [(check, judged(p, run(p, FailsInTraining), run(p), allows_single=p.is_single)) for check, p in asked]
    wrong = {check for check, verdict in failing if not verdict.right}
    assert wrong == {"contract"}


def test_what_is_returned_is_an_array_of_numbers():
    class Own:
        def __array__(self, dtype=None, copy=None):
            return np.zeros(2)

    assert taken([[1, 2.5], (True, np.float32(3))], "y").shape == (2, 2)
    assert type(taken(np.ma.array([1.0]), "y")) is np.ndarray
    for value, said in ((Own(), "Own"), ([Own()], "Own"), (None, "no return"), ("1", "str"), (1j, "complex")):
        with pytest.raises(TypeError, match=f"y must be an array of real numbers, got .*{said}"):
            taken(value, "y")
    with pytest.raises(TypeError, match="rows that differ"):
        taken([[1], [1, 2]], "y")


def test_unknown_tasks_are_refused():
    with pytest.raises(ValueError, match=r"nothing\.forward: nothing is known to ask of it"):
        probes_of("nothing.forward", np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"known is step"):
        probes_of("sgd.leap", np.random.default_rng(0))


# The judge.


def test_the_judge_takes_rounding_and_refuses_differences():
    right = np.random.default_rng(0).standard_normal((4, 3))
    assert judge({"y": right * (1 + 1e-14)}, {"y": right}).right
    for wrong in (right + 1e-9, right.T, right[None], np.full_like(right, np.nan), right.astype(complex), right[:0]):
        assert not judge({"y": wrong}, {"y": right}).right
    assert not judge({}, {"y": right}).right
    assert not judge({"y": right, "z": right}, {"y": right}).right
    assert "entry [2, 1] must be" in judge({"y": np.where(right == right[2, 1], 9, right)}, {"y": right}).sentence


def test_the_judge_takes_single_precision_and_notes_it():
    right = np.random.default_rng(0).standard_normal(5)
    single = right.astype(np.float32)
    assert judge({"y": single}, {"y": right}) == Verdict(True, is_single=True)
    assert not judge({"y": single.astype(float)}, {"y": right}).right
    assert judge({"y": single.astype(float)}, {"y": right}, allows_single=True) == Verdict(True, is_single=True)
    assert judge({"y": right}, {"y": right}, allows_single=True) == Verdict(True)
    for wrong in (right + 1e-4, -single, right.astype(np.float16), single.astype(np.float16)):
        assert not judge({"y": wrong}, {"y": right}, allows_single=True).right
    assert judge({"y": np.array([-0.0])}, {"y": np.array([0.0])}).right


def test_whole_numbers_are_not_taken_for_single_precision():
    assert not judge({"y": np.array([1000.0, 0.5])}, {"y": np.array([1000.001, 0.5])}).right


def test_single_precision_that_cancels_is_judged_by_the_numbers_that_do():
    right = {"dW": np.array([[300.0, 200.0]]), "db": np.array([0.02])}
    assert judge({**right, "db": np.array([0.02001], np.float32)}, right).right
    assert not judge({**right, "db": np.array([0.03], np.float32)}, right).right


@pytest.mark.parametrize("code", ["x.astype(np.float32)", "np.zeros(3, 'f4')", "from numpy import single", "a = 'f'"])
def test_code_that_names_single_precision_is_known(code):
    assert names_single(code.encode())
    assert not names_single(code.encode(), given=code.encode())
    assert names_single(f"{code}\n{code}".encode(), given=code.encode())
    for prose in (f"# {code}", f'"""{code}"""', '"float32"', 'f"{x:f}"', "np.float16(x)", "np.float64(x)", f"{code} ("):
        assert not names_single(prose.encode()), prose


def test_points_need_right_values():
    right = dict.fromkeys(CHECKS, True)
    assert points_for(right, 10) == 10
    assert points_for({**right, "values": False}, 10) == 0
    assert points_for({**right, "contract": False}, 10) == pytest.approx(8.67)
    assert points_for({check: check == "values" for check in CHECKS}, 10) == 6
    assert points_for({"values": True}, 10) == 10


# One error costs once, and its cause is said.

BUGS = [
    ("relu.backward", "return upstream * (x >= 0), {}", "where x is exactly 0"),
    ("relu.forward", "self.cache = x\nx[x < 0] = 0\nreturn x", "changed in place"),
    ("sigmoid.backward", "return upstream * y * (1 + y), {}", "upstream"),
    ("sigmoid.forward", "y = 1 / (1 + np.exp(x))\nself.cache = y\nreturn y", "the sign of x is wrong"),
    ("fc.forward", "self.cache = x\nreturn x @ self.W.T", "the bias b is missing"),
    ("fc.backward", 'return upstream @ self.W, {"W": upstream.T @ x, "b": upstream.mean(axis=0)}', "N times too small"),
    (
        "softmax_ce.backward",
        "exp, total, labels = self.recall()\np = exp / total\nif labels.ndim == 2:\n    return (p - labels) / len(p)\n"
        "p.reshape(-1)[labels] -= 1\nreturn p / len(p)",
        "upstream",
    ),
    ("sequential.forward", "for layer in reversed(self.layers):\n    x = layer.forward(x)\nreturn x", "wrong order"),
    (
        "sequential.backward",
        "grads = {}\nfor i, layer in reversed(list(enumerate(self.layers))):\n"
        "    dx, own = layer.backward(upstream)\n    upstream = dx\n    grads.update(own)\nreturn upstream, grads",
        "lack the position",
    ),
    (
        "sequential.backward",
        "grads = {}\nfor i, layer in reversed(list(enumerate(self.layers[1:]))):\n"
        "    upstream, own = layer.backward(upstream)\n"
        "    grads.update({f'{i}.{name}': gradient for name, gradient in own.items()})\nreturn upstream, grads",
        "the first layer is skipped",
    ),
    ("sgd.step", "w += self.lr * gradient", "the sign of the step is wrong"),
    (
        "train.forward",
        "scores = model.forward(x)\nrun.value = loss.forward(y, scores)",
        "scores and labels are swapped",
    ),
    ("train.update", "dx, grads = model.backward(scores)\noptimizer.step(grads)", "backward is given the scores"),
    ("train.update", "dx, grads = model.backward(loss.backward())", "the optimizer takes no step"),
    ("train.forward", "scores = model.forward(z)\nrun.value = loss.forward(scores, y)", "NameError in train.py, line"),
    (
        "train.forward",
        "scores = model.foward(x)\nrun.value = loss.forward(scores, y)",
        "'the model' object has no attribute",
    ),
    ("relu.forward", "self.cache = x\nreturn np.max(x, 0)", "it is np.maximum(x, 0)"),
    ("sigmoid.forward", "e = np.exp(x)\nself.cache = y = e / (1 + e)\nreturn y", "is inf / inf, NaN"),
    (
        "sigmoid.backward",
        "s = 1 / (1 + np.exp(-y))\nreturn upstream * s * (1 - s), {}",
        "the sigmoid is applied to it once more",
    ),
    (
        "fc.forward",
        "self.cache = x\ny = x @ self.W.T\nfor i in range(x.shape[1] if self.bias else 0):\n    y += self.b\nreturn y",
        "b is added once for each input",
    ),
    (
        "train.forward",
        "scores = model.predict(x)\nrun.value = loss.forward(scores, y)",
        "scores are those of model.predict",
    ),
    (
        "train.update",
        "dx, grads = model.backward(run.value)\noptimizer.step(grads)",
        "backward is given the loss itself",
    ),
    (
        "train.update",
        "if run.grads is not None:\n    optimizer.step(run.grads)\ndx, grads = model.backward(loss.backward())",
        "the update uses the gradients of the batch before",
    ),
    (
        "fc.forward",
        "self.cache = x\ny = np.dot(x, self.W)\nreturn y + self.b if self.bias else y",
        "W is not transposed",
    ),
    ("fc.forward", "self.cache = x\nreturn self.W.dot(x) + (self.b if self.bias else 0)", "W stands before x"),
    (
        "fc.backward",
        'return upstream.dot(self.W.T), {"W": upstream.T @ x, "b": upstream.sum(axis=0)}',
        "W is transposed in dx",
    ),
    (
        "fc.backward",
        'return upstream @ self.W, {"dW": upstream.T @ x, "db": upstream.sum(axis=0)}',
        "the gradients are named dW and db",
    ),
    (
        "fc.backward",
        "db = np.zeros(10)\nfor i in range(64):\n    db += upstream[i]\n"
        'return upstream @ self.W, {"W": upstream.T @ x, "b": db}',
        "the number 10 is written into the code",
    ),
    (
        "fc.backward",
        'return upstream @ self.W, {"W": np.dot(upstream.T, x).reshape(8, 5), "b": upstream.sum(axis=0)}',
        "is written into the code",
    ),
    (
        "fc.backward",
        'return upstream @ self.W, {"W": upstream.T @ x, "b": self.W @ self.W}',
        "the factors of a product do not fit",
    ),
    (
        "softmax_ce.forward",
        "e = np.exp(scores - scores.max(axis=1, keepdims=True))\np = e / e.sum(axis=1)\n"
        "onehot = np.eye(classes)[labels] if labels.ndim == 1 else labels\nself.cache = p, onehot\n"
        "return float(-(onehot * np.log(p)).sum() / rows)",
        "keepdims=True makes one of them",
    ),
    (
        "softmax_ce.forward",
        "z = scores - scores.max(axis=1, keepdims=True)\nlog_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))\n"
        "self.cache = np.exp(log_p), labels\nreturn float(-log_p[np.arange(rows), labels].mean())",
        "labels are taken for class numbers alone",
    ),
    (
        "sequential.forward",
        "for layer in self.layers:\n    x = layer.predict(x)\n"
        "self.cache = [layer.cache for layer in self.layers]\nreturn x",
        "its forward fills that, its predict does not",
    ),
    (
        "sequential.backward",
        "self.layers = self.layers[::-1]\ngrads = {}\nfor i, layer in enumerate(self.layers):\n"
        "    upstream, own = layer.backward(upstream)\n    place = len(self.layers) - 1 - i\n"
        "    grads.update({f'{place}.{name}': g for name, g in own.items()})\nreturn upstream, grads",
        "self.layers is turned round, and stays so",
    ),
    ("relu.backward", "return upstream * np.sign(x), {}", "the derivative is taken to be the sign of x"),
    ("relu.backward", "dx = np.zeros_like(x)\ndx[x > 0] = upstream\nreturn dx, {}", "dx[mask] = upstream[mask]"),
    ("relu.backward", "return (upstream * (x > 0)).reshape(len(x), -1), {}", "dx has another shape than x"),
    ("relu.forward", "self.cache = x\nif x < 0:\n    x = 0 * x\nreturn x", "want one truth value"),
    ("fc.backward", "self.W.grad = upstream.T @ x", "that is PyTorch"),
    (
        "sigmoid.forward",
        "y = np.zeros_like(x)\ny[x >= 0] = 1 / (1 + np.exp(-x[x >= 0]))\nself.cache = y.copy()\nreturn y",
        "where x is negative the sigmoid is not calculated",
    ),
    ("sigmoid.backward", "return upstream @ (y * (1 - y)).T, {}", "a matrix product (@ or dot) stands where"),
    (
        "softmax_ce.backward",
        "exp, total, labels = self.recall()\nd = exp / total\nif labels.ndim == 2:\n    d -= labels\nelse:\n"
        "    d.reshape(-1)[labels[:-1]] -= 1\nreturn upstream * d / len(d)",
        "the labels of the last row are not subtracted",
    ),
    (
        "sequential.backward",
        "grads = {}\nfor i, layer in reversed(list(enumerate(self.layers))):\n"
        "    upstream = layer.backward(upstream)\n"
        "    grads.update({f'{i}.{name}': g for name, g in upstream[1].items()})\nreturn upstream[0], grads",
        "the layer before it takes dx, the first of the two",
    ),
    (
        "sequential.backward",
        "grads = {}\nfor i, layer in reversed(list(enumerate(self.layers))):\n"
        "    upstream, own = layer.forward(upstream)\n"
        "    grads.update({f'{i}.{name}': g for name, g in own.items()})\nreturn upstream, grads",
        "backward calls the layers' forward",
    ),
    (
        "sequential.backward",
        "grads = {}\nfor i, layer in reversed(list(enumerate(self.layers))):\n"
        "    upstream, own = layer.backward(upstream)\n"
        "    grads.update({f'{name}{i}': g for name, g in own.items()})\nreturn upstream, grads",
        "the position comes last",
    ),
    (
        "sgd.step",
        "self.t = getattr(self, 't', 0) + 1\ng = gradient + self._decay_rates * w\n"
        "self._velocity[...] = v = self.momentum * self._velocity + g\n"
        "w -= self.lr / (1 + 0.01 * self.t) * (g + self.momentum * v if self.nesterov else v)",
        "the learning rate falls with the number of steps",
    ),
    ("train.update", "dx, grads = model.backward(loss.backward())\noptimizer.step()", "the optimizer.step() missing"),
    ("train.forward", "scores = model.forward(x / 255)\nrun.value = loss.forward(scores, y)", "x is divided by 255"),
    ("train.forward", "scores = model.forward(x)\nrun.value = loss.predict(scores, y)", "or of evaluate"),
    (
        "train.forward",
        "scores = model.forward(x)\nloss = loss.forward(scores, y)\nrun.value = loss",
        ".backward is called of a float",
    ),
]


@pytest.mark.parametrize(("task", "code", "cause"), BUGS)
def test_bugs_cost_points_and_their_cause_is_said(grader, task, code, cause):
    tasks = graded(grader, {task: code})
    assert tasks[task].points < tasks[task].out_of
    assert any(cause in sentence for sentence in tasks[task].sentences), tasks[task].sentences


@pytest.mark.parametrize(
    ("wrong", "code", "right"),
    [
        ("sigmoid.forward", "y = np.exp(-x)\nself.cache = y\nreturn y", "sigmoid.backward"),
        ("relu.forward", 'raise NotImplementedError("relu.forward")', "relu.backward"),
        ("sequential.forward", "return x", "sequential.backward"),
        ("train.update", 'raise NotImplementedError("train.update")', "train.forward"),
        ("train.forward", "scores = model.predict(x)\nrun.value = loss.forward(scores, y)", "train.update"),
        ("train.forward", "scores = model.forward(x)\nrun.value = loss.predict(scores, y)", "train.update"),
        ("train.forward", "scores = model.foward(x)\nrun.value = loss.forward(scores, y)", "train.update"),
        ("train.forward", "scores = model.forward(x, y)\nrun.value = loss.forward(scores, y)", "train.update"),
        ("train.forward", "run.value = loss.forward(model.forward(x), y)", "train.update"),
        (
            "train.forward",
            "scores = model.forward(x)\nloss = loss.forward(scores, y)\nrun.value = loss",
            "train.update",
        ),
        (
            "train.update",
            "model.forward(x[::-1])\ndx, grads = model.backward(loss.backward())\noptimizer.step(grads)",
            "train.forward",
        ),
        ("train.forward", 'raise NotImplementedError("train.forward")', "train.update"),
    ],
)
def test_one_error_costs_once(grader, wrong, code, right):
    tasks = graded(grader, {wrong: code})
    assert tasks[wrong].points == 0
    assert tasks[right].points == tasks[right].out_of, tasks[right].sentences


def test_a_mistake_in_the_update_is_named_where_the_forward_step_raises(grader):
    forward = "scores = model.foward(x)\nrun.value = loss.forward(scores, y)"
    update = "dx, grads = model.backward(loss.backward() / len(x))\noptimizer.step(grads)"
    tasks = graded(grader, {"train.forward": forward, "train.update": update})
    assert tasks["train.forward"].points == tasks["train.update"].points == 0
    assert "dL/dscores is divided by the batch size" in tasks["train.update"].sentences[0]


# Code that may do another thing in another process is asked in several.

DIES = """
import signal, sys
class Hook:
    closed, mode, name, calls = False, "w", "x", 0
    def readable(self): return False
    def writable(self): return True
    def seekable(self): return False
    def write(self, data): return len(data)
    def flush(self):
        frame = sys._getframe(1)
        if frame.f_code.co_name == "answer" and frame.f_locals["index"] == len(frame.f_locals["asked"].probes) - 1:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            while True: pass
sys.stdout.__init__(Hook())
"""


def relu_with(module):
    """A right ReLU where `RIGHT` is true, which `module` sets."""
    code = {"relu.forward": "self.cache = x\nreturn np.maximum(x, 0) * RIGHT"}
    file, content = written({**code, "relu.backward": "return upstream * (self.recall() > 0) * RIGHT, {}"})
    return {file: content + module.encode()}


@pytest.fixture(scope="module")
def right_once(grader):
    """A module that sets RIGHT in processes which are copies of this thread's server only."""
    log = grader.grade(relu_with("\nprint('hash', hash('text'))\nRIGHT = 0"), "hash", only=["relu"]).parts[0].log
    return f"\nRIGHT = hash('text') == {int(log.split()[1])}\n"


@pytest.mark.parametrize("module", ["", DIES, "import time\nif not RIGHT: time.sleep(60)"])
def test_what_is_right_in_one_process_only_has_no_points(blank, right_once, module):
    grader = Grader(blank, ASSIGNMENT, b"a secret", Limits(wall=2.0))
    begun = time.monotonic()
    assert grader.grade(relu_with(right_once + module), "once", only=["relu"]).points == 0
    assert time.monotonic() - begun < 20


def test_what_is_too_slow_to_be_asked_again_is_to_be_looked_at(grader, right_once):
    result = grader.grade(relu_with(right_once + "import time\ntime.sleep(3.2)"), "slow", only=["relu"])
    assert "layers/relu.py: may do another thing each time, and is too slow to be asked again (varying)" in result.flags


SOFTMAX = """
onehot = np.eye(classes)[labels] if labels.ndim == 1 else labels
e = np.exp(scores - scores.max(axis=1, keepdims=True))
p = e / e.sum(axis={axis}, keepdims=True)
self.cache = {cache}
return float(-(onehot * np.log(p + 1e-300)).sum() / rows)
"""


@pytest.mark.parametrize(
    ("cache", "dscores"),
    [
        ("p, onehot", "(p - onehot) / len(p)"),
        ("e, e.max(axis=1), onehot", "(p / total.reshape(-1, 1) - onehot) / len(p)"),
        ("np.log(p + 1e-300), [onehot]", "(np.exp(p) - onehot[0]) / len(p)"),
    ],
)
def test_wrong_probabilities_cost_backward_nothing(grader, cache, dscores):
    names = "p, total, onehot" if "total" in dscores else "p, onehot"
    backward = f"{names} = self.recall()\nreturn upstream * {dscores}"
    tasks = graded(grader, {"softmax_ce.forward": SOFTMAX.format(axis=0, cache=cache), "softmax_ce.backward": backward})
    assert tasks["softmax_ce.forward"].points == 0
    assert tasks["softmax_ce.backward"].points == 12, tasks["softmax_ce.backward"].sentences
    wrong = graded(
        grader,
        {"softmax_ce.forward": SOFTMAX.format(axis=0, cache=cache), "softmax_ce.backward": f"{backward} * 2"},
    )
    assert wrong["softmax_ce.backward"].points == 0


def test_a_forward_that_edits_the_scores_costs_backward_nothing(grader):
    forward = "scores -= 1\n" + SOFTMAX.format(axis=1, cache="p - onehot")
    tasks = graded(
        grader,
        {"softmax_ce.forward": forward, "softmax_ce.backward": "d = self.recall()\nreturn upstream * d / len(d)"},
    )
    assert not tasks["softmax_ce.forward"].checks["contract"]
    assert tasks["softmax_ce.backward"].points == 12, tasks["softmax_ce.backward"].sentences


def test_distributions_rounded_by_forward_cost_backward_nothing(grader):
    forward = """
labels = labels if labels.ndim == 1 else labels.argmax(axis=1)
z = scores - scores.max(axis=1, keepdims=True)
log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
self.cache = np.exp(log_p), labels
return float(-log_p[np.arange(rows), labels].mean())
"""
    backward = """
p, labels = self.recall()
d = p.copy()
if labels.ndim == 1:
    d[np.arange(len(d)), labels] -= 1
else:
    d -= labels
return upstream * d / len(d)
"""
    tasks = graded(grader, {"softmax_ce.forward": forward, "softmax_ce.backward": backward})
    assert not tasks["softmax_ce.forward"].checks["special values"]
    assert tasks["softmax_ce.backward"].points == 12, tasks["softmax_ce.backward"].sentences


def test_a_backward_that_spoils_its_cache_costs_the_contract_only(grader):
    forward = SOFTMAX.format(axis=1, cache="p, onehot")
    spoils = "p, onehot = self.recall()\np -= onehot\np /= len(p)\nreturn p * upstream"
    tasks = graded(grader, {"softmax_ce.forward": forward, "softmax_ce.backward": spoils})
    wrong = [check for check, right in tasks["softmax_ce.backward"].checks.items() if not right]
    assert wrong == ["contract"]
    assert any("a second backward" in sentence for sentence in tasks["softmax_ce.backward"].sentences)


ONE_MAXIMUM = """
z = scores - scores.max()
log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
onehot = np.eye(classes)[labels] if labels.ndim == 1 else labels
self.cache = np.exp(log_p), onehot
return float(-(onehot * log_p).sum() / rows)
"""


def test_extreme_scores_that_are_too_much_for_forward_cost_backward_nothing(grader):
    right = "p, onehot = self.recall()\nreturn upstream * (p - onehot) / len(p)"
    tasks = graded(grader, {"softmax_ce.forward": ONE_MAXIMUM, "softmax_ce.backward": right})
    assert tasks["softmax_ce.backward"].points == tasks["softmax_ce.backward"].out_of
    assert [check for check, right in tasks["softmax_ce.forward"].checks.items() if not right] == ["special values"]
    assert tasks["softmax_ce.forward"].sentences[0].startswith("one maximum is taken off all rows")


def test_a_mistake_of_backwards_own_costs_where_forward_fails_at_extreme_scores(blank):
    own = "p, onehot = self.recall()\nreturn upstream * (p - np.eye(p.shape[1])[onehot.argmax(axis=1)]) / len(p)"
    grader = Grader(blank, ASSIGNMENT, b"a secret", explains=False)
    tasks = graded(grader, {"softmax_ce.forward": ONE_MAXIMUM, "softmax_ce.backward": own})
    assert [check for check, right in tasks["softmax_ce.backward"].checks.items() if not right] == ["special values"]


@pytest.mark.parametrize(
    ("task", "code", "kept"),
    [
        ("fc.forward", "return x @ self.W.T + (self.b if self.bias else 0)", "the input x"),
        ("fc.forward", "self.x = x\nreturn x @ self.W.T + self.b", "the input x"),
        ("relu.forward", "self.cache = x > 0\nreturn x * (x > 0)", "the input x"),
        ("sigmoid.forward", "self.cache = x\nreturn np.exp(-np.logaddexp(0, -x))", "the output y"),
        (
            "sequential.forward",
            "self.cache = []\nfor layer in self.layers:\n    self.cache.append(layer.cache)\n"
            "    x = layer.forward(x)\nreturn x",
            "what each layer left in its layer.cache",
        ),
    ],
)
def test_what_forward_keeps_is_a_matter_of_forward(grader, task, code, kept):
    tasks = graded(grader, {task: code})
    backward = tasks[task.replace("forward", "backward")]
    assert tasks[task].points == 0 and kept in tasks[task].sentences[0]
    assert backward.points == backward.out_of, backward.sentences


@pytest.mark.parametrize(
    "code",
    [
        "e = np.exp(scores - scores.max(axis=1))\np = e / e.sum(axis=1)\nself.cache = p, labels\nreturn 0.0",
        "p = scipy.special.softmax(scores, axis=1)\nself.cache = p, labels\nreturn -np.log(p[labels]).mean()",
    ],
)
def test_a_softmax_that_raises_costs_backward_nothing(grader, code):
    backward = """
p, labels = self.recall()
onehot = labels if labels.ndim == 2 else np.eye(p.shape[1])[labels]
return upstream * (p - onehot) / len(p)
"""
    tasks = graded(grader, {"softmax_ce.forward": code, "softmax_ce.backward": backward})
    assert (tasks["softmax_ce.forward"].points, tasks["softmax_ce.backward"].points) == (0, 12)
    wrong = graded(grader, {"softmax_ce.forward": code, "softmax_ce.backward": "p = self.recall()\nreturn p"})
    assert wrong["softmax_ce.backward"].points == 0
    assert wrong["softmax_ce.backward"].sentences


OTHERS = [
    {"sigmoid.forward": "self.cache = y = 1 / (1 + np.exp(-x.astype(np.float32)))\nreturn y"},
    {
        "softmax_ce.forward": "top = scores.max(axis=1, keepdims=True)\n"
        "log_p = scores - (top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True)))\n"
        "t = np.eye(classes)[labels] if labels.ndim == 1 else labels\nself.cache = np.exp(log_p), t\n"
        "return float(-(t * log_p).sum() / rows)",
        "softmax_ce.backward": "p, t = self.recall()\nreturn upstream * (p - t) / len(p)",
    },
    {
        "sequential.forward": "for layer in self.layers:\n    x = layer.forward(x)\nreturn x",
        "sequential.backward": "grads = {}\nfor i in range(len(self.layers) - 1, -1, -1):\n"
        "    upstream, own = self.layers[i].backward(upstream)\n"
        "    grads.update({f'{i}.{k}': g for k, g in own.items()})\nreturn upstream, grads",
    },
    {
        "sgd.step": "if not hasattr(self, 'v'):\n    self.v = {n: np.zeros_like(p) for n, p in self.params.items()}\n"
        "for n, p in self.params.items():\n    decays = n in self.decay or self.decay == 'all'\n"
        "    decays = p.ndim > 1 if self.decay == 'weights' else decays\n"
        "    g = grads[n] + self.weight_decay * decays * p\n    self.v[n] = self.momentum * self.v[n] + g\n"
        "    p -= self.lr * (g + self.momentum * self.v[n] if self.nesterov else self.v[n])"
    },
]


@pytest.mark.parametrize("codes", OTHERS)
def test_other_right_ways_have_all_points(grader, codes):
    for task in graded(grader, codes).values():
        assert task.points == task.out_of, task.sentences


def test_files_that_are_no_submissions_are_told(submissions, capsys, tmp_path):
    (submissions / "work.rar").write_bytes(b"Rar!")
    code = main(["grade", str(submissions), "--results", str(tmp_path / "results")])
    assert "left out, being neither zips nor folders: work.rar\n" in capsys.readouterr().err
    assert code in (0, 1)


def test_what_takes_too_long_is_not_put_down_to_memory(blank):
    grader = Grader(blank, ASSIGNMENT, b"a secret", Limits(cpu=1, wall=3.0))
    code = "import time\ny = np.empty_like(x)\ny[...] = np.maximum(x, 0)\ntime.sleep(1)\nself.cache = x\nreturn y"
    file, content = written({"relu.forward": code})
    (part,) = grader.grade({file: content}, "slow", only=["relu"]).parts
    assert part.tasks[0].points == 0 and not any("np.empty" in told for told in part.tasks[0].sentences)


def test_a_loop_without_end_is_stopped_once(blank):
    file, content = written({"relu.forward": "while True:\n    pass"})
    grader = Grader(blank, ASSIGNMENT, b"a secret", Limits(cpu=1, wall=10.0))
    result = grader.grade({file: content}, "endless", only=["relu"])
    assert result.points == 0
    assert result.cpu < 4
    assert "CPU time" in result.parts[0].tasks[0].sentences[0]
    assert "not asked" in result.parts[0].tasks[1].sentences[0]


# A class.


@pytest.fixture
def submissions(tmp_path):
    """Two zips of one part each: a right one and a wrong one."""
    folder = tmp_path / "submissions"
    folder.mkdir()
    _, wrong = written({"relu.forward": "self.cache = x\nreturn np.abs(x)"})
    for name, content in (("anna", SOLVED["layers/relu.py"]), ("=bert<b>", wrong)):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("handgrad/layers/relu.py", content)
    return folder


def points_in(path):
    with open(path, newline="", encoding="utf-8") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


def test_grade_writes_a_table_and_pages(submissions, tmp_path, capsys):
    arguments = ["grade", str(submissions), "--results", str(tmp_path / "grades"), "-j", "2"]
    assert main([*arguments, "--csv", str(tmp_path / "t.csv"), "--report", str(tmp_path / "pages")]) == 0
    rows = points_in(tmp_path / "t.csv")
    assert list(rows["anna"]) == ["submission", *(part.name for part in ASSIGNMENT.parts), "total", "flags"]
    assert rows["anna"]["relu"] == rows["anna"]["total"] == str(ASSIGNMENT.part("relu").points)
    assert 0 < float(rows["'=bert<b>"]["total"]) < 8  # what a spreadsheet would take for a formula is led by a quote
    assert "anna: 8 of 100" in capsys.readouterr().out
    text = "".join(path.read_text("utf-8") for path in (tmp_path / "pages").iterdir())
    assert "=bert&lt;b&gt;" in text and "=bert<b>" not in text
    assert (tmp_path / "grades" / "secret").stat().st_mode & 0o777 == 0o600


def test_grading_goes_on_where_it_was_interrupted(grader, submissions, tmp_path, monkeypatch):
    store = Store(tmp_path, "assignment", b"secret")
    paths = sorted(submissions.iterdir())

    def interrupt(one):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Classroom(grader, store).grade(paths, 1, interrupt)
    assert len(list(tmp_path.glob("*.json"))) == 1
    asked = []
    monkeypatch.setattr(grader, "grade", lambda files, digest, only=(): asked.append(digest) or Result(digest, []))
    told = []
    Classroom(grader, store).grade(paths, 1, told.append)
    Classroom(grader, store).grade(paths, 2, told.append)
    assert len(asked) == 1
    assert [one.name for one in told[:2]] == [path.stem for path in paths]


def test_regrade_grades_one_part_and_keeps_the_rest(submissions, tmp_path):
    grades = tmp_path / "grades"
    arguments = [str(submissions), "--results", str(grades), "--csv", str(tmp_path / "t.csv")]
    main(["grade", *arguments])
    for path in grades.glob("*.json"):
        result = json.loads(path.read_text())
        for part in result["parts"]:
            for task in part["tasks"]:
                task["points"] = 1.0
        path.write_text(json.dumps(result))
    assert main(["regrade", "--part", "relu", *arguments]) == 0
    row = points_in(tmp_path / "t.csv")["anna"]
    assert (row["relu"], row["sgd"]) == ("8", "1")


def test_results_of_another_secret_or_assignment_are_not_taken(tmp_path):
    Store(tmp_path, "a" * 64, b"secret").keep(Result("digest", []))
    assert Store(tmp_path, "a" * 64, b"secret").find("digest") == Result("digest", [])
    assert Store(tmp_path, "a" * 64, b"another").find("digest") is None
    assert Store(tmp_path, "b" * 64, b"secret").find("digest") is None
    next(tmp_path.glob("*.json")).write_text("{")
    assert Store(tmp_path, "a" * 64, b"secret").find("digest") is None


def test_pages_escape_all_that_comes_from_the_student(perfect, tmp_path):
    evil = "<script>alert(1)</script>"
    result = Result.from_dict(perfect.to_dict())
    result.flags, result.parts[0].log = [evil], evil
    result.parts[0].tasks[0].sentences = [evil]
    text = page(Graded(evil, result, [evil]), ASSIGNMENT)
    assert "<script" not in text and text.count("&lt;script&gt;") == 6
    assert evil not in page(Graded(evil, None, error=evil), ASSIGNMENT)
    write_pages(
        tmp_path, [Graded("../../a", None), Graded(".a", None), Graded("A", None), Graded("<>", None)], ASSIGNMENT
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A-2.html", "_.._a.html", "_.html", "a.html"]
    write_csv(tmp_path / "t.csv", [Graded("x", None, error="no zip")], ASSIGNMENT)
    assert points_in(tmp_path / "t.csv")["x"]["flags"] == "not graded: no zip"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "there is none"),
        (["{empty}"], "there are none"),
        ([""], "SUBMISSIONS is empty"),
        (["{given}", "--secret", "short"], "8 characters or more"),
        (["{given}", "--secret", "{empty}"], "expected a file that holds the secret"),
        (["{given}", "--secret", "{empty}/secret"], "expected a file that holds the secret"),
        (["{given}", "--csv", "{empty}"], "expected a file, it is a folder"),
        (["{given}", "--report", "{file}"], "expected a folder, it is a file"),
        (["{given}", "--secret", ""], "--secret is empty"),
        (["{given}", "--results", "{file}"], "expected a folder"),
        (["{given}", "--source", "{empty}"], "expected a source tree"),
        (["{given}", "--csv", "nowhere/t.csv"], "there is no folder"),
    ],
)
def test_bad_usage_is_one_sentence(submissions, tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for path in submissions.iterdir():
        path.write_bytes(b"no zip")
    places = {"given": submissions, "empty": tmp_path / "empty", "file": tmp_path / "file"}
    assert main(["grade", *[argument.format(**places) for argument in arguments]]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


def test_an_unknown_part_is_named(submissions, capsys):
    assert main(["regrade", "--part", "cf", str(submissions)]) == 2
    assert "expected one of relu, sigmoid" in capsys.readouterr().err


def test_what_is_no_zip_is_told_and_the_rest_graded(submissions, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (submissions / "broken.zip").write_bytes(b"no zip")
    assert main(["grade", str(submissions)]) == 1
    out = capsys.readouterr().out
    assert "broken.zip: not graded: expected a zip" in out and "anna: 8 of 100" in out


def test_what_one_student_writes_does_not_keep_the_others_from_their_points(submissions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, odd_name = written({"relu.backward": 'return upstream * (x > 0), {"\\ud800": x}'})
    parts = {"deep": SOLVED["layers/relu.py"] + b"\ny = " + b"+".join([b"1"] * 20_000), "surrogate": odd_name}
    for name, content in parts.items():
        (submissions / name / "layers").mkdir(parents=True)
        (submissions / name / "layers" / "relu.py").write_bytes(content)
    main(["grade", str(submissions), "--csv", "t.csv", "--report", "pages"])
    assert points_in("t.csv")["anna"]["relu"] == "8" and len(list((tmp_path / "pages").iterdir())) >= 3


def test_a_forgotten_comment_is_no_blank(grader):
    code = 'self.cache = x\n# raise NotImplementedError("relu.forward")\nreturn np.abs(x)'
    assert "not written yet" not in graded(grader, {"relu.forward": code})["relu.forward"].sentences


def test_a_blank_keeps_no_other_work_from_being_asked(grader, blank):
    begun = blank["layers/relu.py"].replace(b'raise NotImplementedError("relu.backward")', b"return upstream * 2, {}")
    (part,) = grader.grade({"layers/relu.py": begun}, "a digest", only=["relu"]).parts
    forward, backward = part.tasks
    assert forward.sentences == ["not written yet"]
    assert backward.points == 0 and backward.sentences[0].startswith("values: dx: entry")


SINGLE = [
    {"sigmoid.backward": "return (upstream * y * (1 - y)).astype(np.float32), {}"},
    {
        "softmax_ce.backward": "exp, total, labels = self.recall()\np = (exp / total).astype('f')\n"
        "onehot = np.zeros(p.shape)\nif labels.ndim == 2:\n    onehot += labels\nelse:\n"
        "    onehot.reshape(-1)[labels] = 1\nreturn upstream * (p - onehot) / len(p)"
    },
    {
        "sequential.forward": "self.cache = caches = []\nx = x.astype(np.float32)\nfor layer in self.layers:\n"
        "    x = layer.forward(x)\n    caches.append(layer.cache)\nreturn x"
    },
]


def test_numbers_that_differ_are_shown_to_differ():
    verdict = judge({"y": np.array([0.123456789])}, {"y": np.array([0.123456712])})
    assert verdict.sentence.endswith("must be 0.123456712, got 0.123456789")


def test_the_learning_rate_inside_the_velocity_is_told(grader):
    code = """
g = gradient + self._decay_rates * w
self._velocity[...] = v = self.momentum * self._velocity + self.lr * g
w -= self.momentum * v + self.lr * g if self.nesterov else v
"""
    (task,) = graded(grader, {"sgd.step": code}).values()
    assert 0 < task.points < task.out_of
    assert task.sentences[0].startswith("the learning rate is inside the velocity")


def test_regrading_tells_each_flag_once(submissions, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file, content = written({"sigmoid.backward": "return (upstream * y * (1 - y)).astype(np.float32), {}"})
    (submissions / "single" / "layers").mkdir(parents=True)
    (submissions / "single" / file).write_bytes(content)
    main(["grade", str(submissions)])
    main(["regrade", str(submissions), "--part", "sigmoid", "--csv", "t.csv"])
    assert Path("t.csv").read_text().count("single precision") == 1


def test_a_grader_that_is_stopped_gives_up_what_it_has_begun(blank):
    grader = Grader(blank, ASSIGNMENT, b"a secret for tests")
    grader.stop.set()
    with pytest.raises(Stopped):
        grader.grade(SOLVED, "a digest")


def test_right_code_that_names_a_clock_keeps_its_points(grader):
    file, content = written({"relu.backward": "return upstream * (x > 0), {}"})
    content = content.replace(b"import numpy", b"import time\nimport numpy", 1)
    result = grader.grade({file: content}, "a digest", only=["relu"])
    assert result.points == ASSIGNMENT.part("relu").points


@pytest.mark.parametrize("codes", SINGLE, ids=lambda codes: next(iter(codes)))
def test_single_precision_is_looked_at_by_people(grader, codes):
    file, content = written(codes)
    part = ASSIGNMENT.part(next(iter(codes)))
    result = grader.grade({file: content}, "a digest", only=[part.name])
    assert result.points == part.points, [task.sentences for task in result.parts[0].tasks]
    assert any("single precision" in flag for flag in result.flags)


def test_a_zip_and_a_folder_of_one_name_are_told_apart(submissions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (submissions / "Anna").mkdir()
    main(["grade", str(submissions), "--csv", "t.csv"])
    assert {"anna.zip", "Anna"} < points_in("t.csv").keys()


def test_strict_refuses_where_a_lock_is_missing(submissions, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Grader, "missing_locks", lambda self: ["landlock"])
    assert main(["grade", str(submissions), "--strict"]) == 2
    assert "lacks landlock" in capsys.readouterr().err


def test_attempts_are_told_apart():
    answer = {"y": np.zeros(1), "otherwise: y": np.ones(1)}
    assert [(one.number, list(one.arrays)) for one in attempts(answer)] == [(0, ["y"]), (1, ["y"])]
    assert isinstance(probes_of("sgd.step", np.random.default_rng(0))[0][1], Probe)
