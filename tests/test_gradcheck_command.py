"""The checker's command line: targets, options, exit codes, what is written, and layers that do not come to an end."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

import handgrad
from handgrad.checking.command import main
from handgrad.cli import main as handgrad_command

STUDENT = """
import numpy as np

class Square:
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, upstream):
        return {formula}, {{}}
"""


@pytest.fixture
def student(tmp_path, monkeypatch):
    """Writes a student's file in an empty working folder; returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(text=None, formula="2 * self.x * upstream", name="mine.py"):
        Path(name).write_text(STUDENT.format(formula=formula) if text is None else text)
        return name

    return write


def test_without_a_target_every_layer_of_the_package_is_checked(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    for name in ("FC", "ReLU", "LeakyReLU", "Sigmoid", "Tanh", "Softmax", "Flatten", "Dropout", "SoftmaxCE", "MSE"):
        assert f"\n{name} " in f"\n{out}"
    assert "WRONG" not in out and "42 checked, 0 wrong (seed 0)" in out


@pytest.mark.parametrize(
    "target",
    ["FC(4, 3)", "FC(4, 3, bias=False)", "Sequential(FC(4, 5), ReLU(), FC(5, 3))", "SoftmaxCE()", "Dropout(0.3)"],
)
def test_expressions(target, capsys):
    assert main([target]) == 0
    assert "1 checked, 0 wrong" in capsys.readouterr().out


def test_the_input_option_gives_the_shape(capsys):
    assert main(["Sequential(Flatten(), FC(12, 3))", "--input", "2x3x4"]) == 0
    assert main(["FC(4, 3)", "--input", "8x5"]) == 2
    assert "FC(4, 3) cannot be run on an input of 8x5: FC(4, 3): input must be [B x 4]" in capsys.readouterr().err


def test_a_file_of_the_package_and_a_module(capsys):
    assert main([str(Path(handgrad.__file__).parent / "layers" / "fc.py")]) == 0
    assert main(["handgrad.layers:Tanh"]) == 0
    assert "Tanh" in capsys.readouterr().out


def test_a_students_file(student, capsys):
    assert main([student()]) == 0
    assert main([student(formula="self.x * upstream")]) == 1
    out = capsys.readouterr().out
    assert "dx is exactly half of the differences: a factor 2 is missing" in out
    assert "<-" in out and "Square  dx" in out and "WRONG" in out
    assert out.index("a factor 2 is missing") < out.rindex("Square  dx")


def test_a_handouts_own_fc_is_checked_at_many_sizes(student, capsys):
    text = "import handgrad\n\nclass FC(handgrad.FC):\n    def backward(self, upstream):\n"
    text += "        dx, grads = super().backward(upstream)\n        grads['b'] = grads['b'] / len(upstream)\n"
    text += "        return dx, grads\n"
    assert main([student(text)]) == 1
    assert "db is exactly N times too small" in capsys.readouterr().out


def test_a_wrong_forward_is_told_first(student, capsys):
    text = "import numpy as np\n\nclass Sigmoid:\n    def forward(self, x):\n        self.y = np.tanh(x)\n"
    text += (
        "        return self.y.copy()\n    def backward(self, upstream):\n        return upstream * (1 - self.y**2)\n"
    )
    assert main([student(text)]) == 1
    assert "forward is not what this layer computes" in capsys.readouterr().out


def test_classes_that_need_arguments_and_labels(student, capsys):
    text = "import numpy as np\n\nclass Scale:\n    def __init__(self, factor):\n        self.factor = factor\n"
    text += "    def forward(self, x):\n        return self.factor * x\n"
    text += "    def backward(self, upstream):\n        return self.factor * upstream\n\n"
    text += "class Pick:\n    def forward(self, scores, labels):\n        self.s, self.l = scores, labels\n"
    text += "        return float(scores[np.arange(len(labels)), labels].sum())\n"
    text += "    def backward(self, upstream=1.0):\n        d = np.zeros_like(self.s, dtype=float)\n"
    text += "        d[np.arange(len(self.l)), self.l] = upstream\n        return d\n"
    name = student(text)
    assert main([name, "--junit", "out.xml", "--json", "out.json"]) == 2
    out = capsys.readouterr().out
    assert "Scale  layer   not checked: Scale cannot be constructed" in out and "Pick   dscores ok" in out
    assert "1 checked, 0 wrong, 1 not checked" in out
    assert ElementTree.parse("out.xml").getroot().get("errors") == "1"
    assert "mine.py:Scale(4, 3)" not in json.loads(Path("out.json").read_text())["reports"][1]["unusable"]
    assert main([f"{name}:Scale"]) == 2
    assert "Scale cannot be constructed (TypeError" in capsys.readouterr().err
    assert main([f"{name}:Scale(3.5)"]) == 0
    assert main([f"{name}:Pick", "--input", "3x4"]) == 0
    assert main(["mine:Pick"]) == 0


NEEDS = """
class Needs:
    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return self.factor * x

    def backward(self, upstream):
        return self.factor * upstream
"""


@pytest.mark.parametrize(
    ("formula", "code"), [("2 * self.x * upstream", 2), ("self.x * upstream", 1), ("upstream / 0 + [1][3]", 4)]
)
def test_a_class_that_cannot_be_built_does_not_hide_the_others(formula, code, student, capsys):
    assert main([student(STUDENT.format(formula=formula) + NEEDS)]) == code
    out = capsys.readouterr().out
    assert "Needs   layer   not checked: Needs cannot be constructed (TypeError" in out and "Square  dx" in out
    assert main([student(NEEDS + STUDENT.format(formula=formula))]) == code


HANDOUT_FC = """
import numpy as np

class FC:
    def __init__(self, n_in, n_out, rng=None):
        rng = rng or np.random.default_rng(0)
        self.params = {{"{W}": rng.standard_normal((n_out, n_in)), "{b}": np.zeros(n_out)}}

    def forward(self, x):
        self.x = x
        return {forward}

    def backward(self, upstream):
        {backward}
"""
FORWARD = "x @ self.params['weight'].T + self.params['bias']"
BACKWARD = "return upstream @ self.params['weight'], {'weight': upstream.T @ self.x, 'bias': upstream.sum(axis=0)}"


def handout_fc(forward=FORWARD, backward=BACKWARD, W="weight", b="bias"):
    return HANDOUT_FC.format(forward=forward, backward=backward, W=W, b=b)


def arrays_of(junit_file):
    """The (array, verdict, type) of every test case."""
    cases = ElementTree.parse(junit_file).getroot().iter("testcase")
    return [(case.get("name"), *((child.tag, child.get("type")) for child in list(case)[:1])) for case in cases]


def test_a_handouts_fc_may_call_its_parameters_otherwise_and_take_no_bias(student, capsys):
    assert main([student(handout_fc())]) == 0
    assert "1 checked, 0 wrong" in capsys.readouterr().out  # not a second time without bias, which it does not take
    assert main([student(handout_fc(forward=f"2 * ({FORWARD})"))]) == 1
    assert "forward is not what this layer computes" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a", "alpha", "slope", "negative_slope"])
def test_a_handouts_leaky_relu_may_call_its_slope_otherwise(name, student, capsys):
    def written(factor):
        return student(
            f"import numpy as np\n\nclass LeakyReLU:\n    def __init__(self, {name}):\n        self.{name} = {name}\n"
            f"    def forward(self, x):\n        self.x = x\n"
            f"        return np.where(x > 0, x, {factor} * self.{name} * x)\n    def backward(self, upstream):\n"
            f"        return upstream * np.where(self.x > 0, 1, {factor} * self.{name})\n"
        )

    assert main([written(1)]) == 0
    assert main([written(2)]) == 1
    assert "forward is not what this layer computes" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["p", "rate", "drop"])
def test_a_handouts_dropout_may_call_its_rate_otherwise(name, student, capsys):
    def written(scale):
        return student(
            f"import numpy as np\n\nclass Dropout:\n    def __init__(self, {name}, rng):\n"
            f"        self.{name}, self.rng = {name}, rng\n    def forward(self, x):\n"
            f"        self.mask = (self.rng.random(x.shape) >= self.{name}) * {scale}\n        return x * self.mask\n"
            f"    def backward(self, upstream):\n        return upstream * self.mask\n"
        )

    assert main([written(f"1 / (1 - self.{name})")]) == 0
    assert main([written("1.0")]) == 1
    assert "forward is not what this layer computes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("backward", "options", "expected"),
    [
        (
            "raise RuntimeError('no cache')",
            [],
            [("dx", ("error", "crash")), ("dW", ("error", "unchecked")), ("db", ("error", "unchecked"))],
        ),
        (
            "return upstream @ self.params['W'], {'W': upstream.T @ self.x}",
            [],
            [("dx",), ("dW",), ("db", ("failure", "missing-gradient"))],
        ),
        (
            "while True: pass",
            ["--timeout", "3"],
            [("dx", ("error", "crash")), ("dW", ("error", "crash")), ("db", ("error", "crash"))],
        ),
    ],
    ids=["raises", "missing", "hangs"],
)
def test_every_array_is_listed_whatever_happens(backward, options, expected, student):
    forward = FORWARD.replace("weight", "W").replace("bias", "b")
    name = student(handout_fc(forward, backward, "W", "b"))
    assert main([name, "--junit", "out.xml", "--json", "out.json", *options]) in (1, 4)
    assert arrays_of("out.xml") == expected
    (report,) = json.loads(Path("out.json").read_text())["reports"]
    verdicts = {array: row["verdict"] for array, row in report["arrays"].items()}
    assert list(verdicts) == ["dx", "dW", "db"]
    if "raise" in backward:
        assert verdicts == {"dx": "wrong", "dW": "unchecked", "db": "unchecked"}


def test_bad_usage_is_written_too_lest_an_earlier_report_be_read(student, capsys):
    name = student()
    assert main([name, "--json", "out.json", "--junit", "out.xml"]) == 0
    student("import nowhere")
    assert main([name, "--json", "out.json", "--junit", "out.xml"]) == 2
    written = json.loads(Path("out.json").read_text())
    assert written["exit"] == 2 and written["reports"] == [] and "No module named 'nowhere'" in written["error"]
    assert arrays_of("out.xml") == [("layer", ("error", "unusable"))]


def test_the_interval_of_an_input(student, capsys):
    text = STUDENT.format(formula="upstream / self.x").replace("x * x", "np.log(x)")
    assert main([student(text)]) == 3
    assert main([student(text), "--domain", "x=0:inf"]) == 0


def test_the_interval_of_what_is_no_input_is_bad_usage(student):
    assert main([student(), "--domain", "z=0:inf"]) == 2


def test_a_file_in_the_checkout_may_import_what_lies_beside_it():
    with tempfile.TemporaryDirectory(dir=Path(handgrad.__file__).parent) as folder:
        (Path(folder) / "helper_of_mine.py").write_text("def double(x):\n    return 2 * x\n")
        file = Path(folder) / "mine.py"
        file.write_text("import helper_of_mine\n" + STUDENT.format(formula="helper_of_mine.double(self.x) * upstream"))
        assert main([str(file)]) == 0


def test_what_is_written(student, capsys):
    name = student(formula="self.x * upstream")
    assert main([name, "--json", "out.json", "--junit", "out.xml", "--seed", "7"]) == 1
    written = json.loads(Path("out.json").read_text())
    assert written["seed"] == 7 and written["exit"] == 1
    (finding,) = written["reports"][0]["findings"]
    assert finding["array"] == "dx" and finding["cause"] == "missing-factor-2" and finding["kind"] == "value"
    suite = ElementTree.parse("out.xml").getroot()
    assert suite.get("tests") == "1" and suite.get("failures") == "1"
    assert suite.find("testcase").get("classname") == "Square" and suite.find("testcase").get("name") == "dx"
    assert main(["FC(4, 3)", "--junit", "out.xml"]) == 0
    names = [case.get("name") for case in ElementTree.parse("out.xml").getroot()]
    assert names == ["dx", "dW", "db"]


def test_what_is_written_does_not_wait_for_the_reader_of_a_pipe(student):
    command = [sys.executable, str(Path(handgrad.__file__).parent / "gradcheck.py"), student(), "--json", "out.json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    process.stdout.close()
    process.wait()
    assert json.loads(Path("out.json").read_text())["exit"] == 0


def test_the_explanation_and_its_picture(student, capsys):
    pytest.importorskip("matplotlib")
    name = student(formula="self.x * upstream")
    assert main([name, "--explain", "--plot", "v.png"]) == 1
    out = capsys.readouterr().out
    assert "how dx[" in out and "extrapolated" in out and "rounding" in out
    assert Path("v.png").read_bytes().startswith(b"\x89PNG")
    assert main(["FC(4, 3)", "--explain"]) == 0
    assert "dx = upstream W" in capsys.readouterr().out


def test_layers_that_do_not_come_to_an_end(student, capsys):
    assert main([student(formula="[1 for _ in iter(int, 1)]"), "--timeout", "3"]) == 4
    assert "took longer than 3 s and was stopped" in capsys.readouterr().out
    assert main([student(formula="self.backward(upstream)")]) == 4
    assert "RecursionError" in capsys.readouterr().out
    assert main([student(formula="__import__('os')._exit(7)")]) == 4
    assert "exited with code 7" in capsys.readouterr().out
    assert main([student(formula="1 / 0")]) == 4
    assert "backward raised ZeroDivisionError" in capsys.readouterr().out


def test_the_arrays_of_a_layer_that_hangs_are_named(student, capsys):
    hangs = STUDENT.format(formula="max(iter(int, 1))").replace("Square", "Mine")
    assert main([student(hangs), "--timeout", "2", "--junit", "out.xml"]) == 4
    assert arrays_of("out.xml") == [("dx", ("error", "crash"))]


def test_a_layer_that_hangs_does_not_keep_the_others_from_being_checked(student, capsys):
    text = STUDENT.format(formula="[1 for _ in iter(int, 1)]") + STUDENT.format(
        formula="2 * self.x * upstream"
    ).replace("Square", "Fine")
    assert main([student(text), "--timeout", "3"]) == 4
    out = capsys.readouterr().out
    assert "2 checked, 1 wrong" in out and "Fine" in out


BASE = """
import functools
import numpy as np

class Layer:
    def forward(self, x):
        raise NotImplementedError
    def backward(self, upstream):
        raise NotImplementedError

class Doubled(Layer):
    def forward(self, x):
        return 2 * x
    def backward(self, upstream):
        return 2 * upstream

Again = Doubled
"""


def test_a_base_class_is_left_out_and_a_second_name_is_no_second_layer(student, capsys):
    assert main([student(BASE)]) == 0
    assert "1 checked, 0 wrong" in capsys.readouterr().out


DECORATED = """
def logged(f):
    def inner(*arguments):
        return f(*arguments)
    return inner

class Doubled:
    @logged
    def forward(self, x):
        return 2 * x
    def backward(self, upstream):
        return 2 * upstream
"""


def test_a_decorated_forward_has_an_input(student, capsys):
    assert main([student(DECORATED), "--input", "3x4"]) == 0
    assert "Doubled  dx" in capsys.readouterr().out


OF_PROBABILITIES = """
import numpy as np

class BinaryCE:
    def forward(self, scores, labels):
        self.p, self.y = scores, labels
        return -np.mean(labels * np.log(scores) + (1 - labels) * np.log(1 - scores))
    def backward(self, upstream=1.0):
        return upstream * (self.p - self.y) / (self.p * (1 - self.p)) / self.p.size
"""


def test_a_binary_ce_that_takes_probabilities_for_scores(student, capsys):
    assert main([student(OF_PROBABILITIES)]) == 1
    assert "forward is not what this layer computes: y is nan and must be" in capsys.readouterr().out


DEEP = """
import sys
sys.setrecursionlimit(10**9)

class Deep:
    def forward(self, x):
        return self.forward(x)
    def backward(self, upstream):
        return upstream
"""


def test_recursion_without_end_or_limit(student, capsys):
    pytest.importorskip("resource")
    assert main([student(DEEP), "--timeout", "30"]) == 4
    out = capsys.readouterr().out
    assert "Deep  dx" in out and "1 checked, 1 wrong" in out  # memory may end anywhere, in the checker's own code too


def test_labels_are_told_from_inputs_by_their_names(student, capsys):
    loss = """
import numpy as np

class Loss:
    def forward(self, {arguments}):
        self.d = scores - onehot
        return np.mean(self.d**2)
    def backward(self, upstream=1.0):
        return upstream * 2 * self.d / self.d.size
"""
    assert main([student(loss.format(arguments="scores, onehot"))]) == 0
    assert main([student(loss.format(arguments="onehot, scores"))]) == 2
    assert "labels come after" in capsys.readouterr().err


def test_w_in_the_other_orientation_is_no_wrong_forward(student, capsys):
    text = """
import numpy as np

class FC:
    def __init__(self, n_in, n_out):
        self.params = {"W": np.random.default_rng(0).standard_normal((n_in, n_out)), "b": np.zeros(n_out)}
    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]
    def backward(self, upstream):
        return upstream @ self.params["W"].T, {"W": self.x.T @ upstream, "b": upstream.sum(axis=0)}
"""
    assert main([student(text)]) == 0, capsys.readouterr().out


FORWARD_ALONE = """
class Mine:
    def forward(self, x):
        {}
    def backward(self, upstream):
        return upstream
"""


def test_a_forward_without_a_return(student, capsys):
    assert main([student(FORWARD_ALONE.format("x"))]) == 1
    assert "forward must return an array of numbers, got None (is the return missing?)." in capsys.readouterr().out


def test_memory_that_grows_without_end_is_an_error_of_the_layer(student, capsys):
    pytest.importorskip("resource")
    assert main([student(FORWARD_ALONE.format("return bytearray(2**33)"))]) == 4
    assert "MemoryError" in capsys.readouterr().out


def test_an_array_that_does_not_fit_is_bad_usage(student, capsys):
    pytest.importorskip("resource")
    assert main([student(), "--input", "100000x100000x1000"]) == 2
    assert "--input: an array of 100000x100000x1000 does not fit into memory" in capsys.readouterr().err


def test_nothing_wrong_but_something_unresolved(student, capsys):
    text = STUDENT.format(formula="upstream / self.x").replace("x * x", "np.log(x)")
    assert main([student(text)]) == 3
    assert "domain=" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere", "mine.py: cannot be imported (line 1): ModuleNotFoundError: No module named 'nowhere'"),
        ("def f(:", "mine.py: line 1: invalid syntax"),
        ("raise SystemExit(3)", "mine.py: cannot be imported (line 1): SystemExit: 3"),
        ("x = 1", "mine.py: expected a class with forward and backward, found none"),
    ],
)
def test_files_that_cannot_be_used(text, message, student, capsys):
    assert main([student(text)]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.py"], "nothing.py: no such file"),
        (["Foo(3)"], "there is no layer Foo"),
        (["FC(4)"], "missing a required argument: 'out_features'"),
        (
            ["fc"],
            "target fc: expected a layer such as ReLU or 'FC(4, 5)', a .py file or module:Class (or, in a handout",
        ),
        (["nowhere:Thing"], "nowhere: cannot be imported"),
        (["handgrad.layers:Foo"], "handgrad.layers has no class Foo"),
        (["FC(4, 3)", "--input", "8by4"], "--input: expected sizes such as 8x4"),
        (["--input", "8x4"], "--input needs a target"),
        (["FC(4, 3)", "--json", "no/where.json"], "no/where.json: there is no folder no"),
        (["FC(4, 3)", "--plot"], "--plot draws what --explain says; give both"),
        (["FC(4, 3)", "--explain", "--plot", "x.xyz"], "--plot: expected a file named .png, .pdf, .svg, got 'x.xyz'"),
        (["mine.py", "--json", "mine.py"], "--json mine.py would overwrite another file of this command"),
        (["mine.py:Square", "--junit", "./mine.py"], "--junit ./mine.py would overwrite another file"),
        (["FC(4, 3)", "--json", "out", "--junit", "out"], "--junit out would overwrite another file"),
        (["FC(4, 3)", "--json", "."], "--json: expected the name of a file, got '.'"),
    ],
)
def test_bad_usage(arguments, message, student, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


@pytest.mark.parametrize(
    "options",
    [
        ["--skip", "everything"],
        ["--seed", "-1"],
        ["--timeout", "soon"],
        ["--at-kink", "up"],
        ["--domain", "x"],
        ["--domain", "x=1:0"],
        ["--domain", "x=a:b"],
        ["--domain", "=0:1"],
    ],
)
def test_bad_options(options, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["FC(4, 3)", *options])
    assert stop.value.code == 2


def test_the_same_seed_prints_the_same(student, capsys):
    name = student(formula="self.x * upstream")
    main([name, "--seed", "5"])
    first = capsys.readouterr().out
    main([name, "--seed", "5"])
    assert capsys.readouterr().out == first


def test_handgrad_check_is_the_same_command(capsys):
    assert handgrad_command(["check", "Tanh()"]) == 0
    assert "Tanh" in capsys.readouterr().out


@pytest.mark.parametrize("how", [["-m", "handgrad.gradcheck"], [str(Path(handgrad.__file__).parent / "gradcheck.py")]])
def test_as_a_module_and_as_a_script(how, student):
    student()
    done = subprocess.run([sys.executable, *how, "mine.py"], capture_output=True, text=True)
    assert done.returncode == 0 and "1 checked, 0 wrong" in done.stdout and not done.stderr
