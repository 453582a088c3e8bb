"""Making the handout: solution regions, the skeleton, the proof that it holds, and the command."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from running import run
from submissions.plain import PLAIN

import handgrad
from handgrad.assignment.assignment import Assignment, AssignmentError, Part, Task, as_toml, read
from handgrad.course.handout import assignment_of, regions, skeleton
from handgrad.course.leaks import leaks
from handgrad.course.regions import MarkerError, blanked, regions_of, replaced
from handgrad.course.source import source_files

SOURCE = Path(handgrad.__file__).parent

LAYER = '''\
class Square:
    """y = x * x"""

    def forward(self, x):
        # BEGIN SOLUTION square.forward points=3
        self.cache = x
        return x * x
        # END SOLUTION

    def backward(self, upstream):
        # BEGIN SOLUTION square.backward points=5 hint="dy/dx = \\"2 x\\""
        x = self.cache
        if x.ndim:
            upstream = upstream * 2
        return upstream * x
        # END SOLUTION
'''


def function(*lines):
    return "def f(x):\n" + textwrap.indent("\n".join(lines) + "\n", "    ")


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the source as a stranger unpacks it: no checkout."""
    folder = tmp_path_factory.mktemp("source") / "handgrad"
    made = (".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "runs")
    left_out = shutil.ignore_patterns(*made, ".ci", "benchmarks", "docs", "examples")
    shutil.copytree(SOURCE, folder, ignore=left_out)
    return folder


@pytest.fixture
def source(copied, tmp_path):
    """Such a copy that a test may edit."""
    return Path(shutil.copytree(copied, tmp_path / "source"))


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# Regions.


def test_a_region_has_name_points_hint_lines_and_code():
    forward, backward = regions_of(LAYER, "layers/square.py")
    assert (forward.name, forward.points, forward.hint, forward.path) == ("square.forward", 3, "", "layers/square.py")
    assert (forward.first, forward.last, forward.indent) == (5, 8, " " * 8)
    assert forward.code == "self.cache = x\nreturn x * x\n"
    assert backward.points == 5 and backward.hint == 'dy/dx = "2 x"'
    assert backward.code.splitlines()[1:3] == ["if x.ndim:", "    upstream = upstream * 2"]


def test_blanking_leaves_the_task_and_an_error():
    text = blanked(LAYER, "square.py")
    assert '        # TODO square.forward, 3 points\n        raise NotImplementedError("square.forward")\n' in text
    assert '# TODO square.backward, 5 points: dy/dx = "2 x"' in text
    assert "SOLUTION" not in text and "cache" not in text and '"""y = x * x"""' in text
    names = {}
    exec(text, names)
    with pytest.raises(NotImplementedError, match=r"^square\.forward$"):
        names["Square"]().forward(1)


def test_code_is_exchanged_by_name_and_without_code_only_the_markers_go():
    text = replaced(LAYER, "square.py", {"square.forward": 'y = """\n  kept\n"""\nreturn y\n'})
    assert '        y = """\n  kept\n"""\n        return y\n' in text and "return upstream * x" in text
    unmarked = "".join(line for line in LAYER.splitlines(keepends=True) if "SOLUTION" not in line)
    assert replaced(LAYER, "square.py", {}) == unmarked
    with pytest.raises(MarkerError, match=r"square.py: there is no solution square\.up"):
        replaced(LAYER, "square.py", {"square.up": ""})


def test_definitions_alone_leave_nothing_behind():
    marked = "    # BEGIN SOLUTION a.help points=0\n    def help(self):\n        return 1\n\n    # END SOLUTION\n"
    text = f"class A:\n    x = 1\n\n{marked}\n    y = 2\n"
    assert blanked(text, "a.py") == "class A:\n    x = 1\n\n    y = 2\n"
    assert blanked(f"class A:\n{marked}", "a.py") == "class A:\n    pass\n"


def test_lines_in_strings_keep_their_indent():
    text = function("# BEGIN SOLUTION f.f points=1", 'y = f"""', "{x}", '"""', "return y", "# END SOLUTION")
    (region,) = regions_of(text, "f.py")
    assert replaced(text, "f.py", {"f.f": region.code}) == replaced(text, "f.py", {})


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends_tabs_and_encodings_are_kept(newline):
    text = LAYER.replace("    ", "\t").replace("\n", newline)
    blank = blanked(text, "square.py")
    assert newline + '\t\traise NotImplementedError("square.forward")' + newline in blank
    assert "\n" not in blank.replace(newline, "") and "\r" not in blank.replace(newline, "")
    ast.parse(blank)


def test_markers_in_strings_are_none():
    text = 'x = """\n# BEGIN SOLUTION\n"""\ny = "# END SOLUTION"  # a comment\n'
    assert regions_of(text, "a.py") == [] and blanked(text, "a.py") == text


BEGIN, END = "# BEGIN SOLUTION f.f points=1", "# END SOLUTION"


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ([BEGIN, "return x"], 2, "expected # END SOLUTION after this # BEGIN SOLUTION f.f, there is none"),
        (["return x", END], 3, "expected # BEGIN SOLUTION before this # END SOLUTION, there is none"),
        ([BEGIN, "y = x", BEGIN, "return y", END], 4, "expected # END SOLUTION for line 2"),
        ([BEGIN, "# nothing", END, "return x"], 2, "expected whole statements between it and line 4, there are none"),
        ([BEGIN, "if x:", "    y = 1", END, "    return y"], 3, "expected statements of one block, got 'if x:'"),
        (["if x:", "    " + BEGIN, "    y = 1", "else:", "    y = 2", END], 5, "statements of one block, got 'else:'"),
        (["y = [", BEGIN, "1", END, "]"], 3, "expected whole statements, but that of line 2 is cut"),
        (["y = [", "1", BEGIN, "]", "return y", END], 4, "expected whole statements, but that of line 2 is cut"),
        (["if x: ", "    y = 1  " + BEGIN, END], 3, "expected the marker on a line of its own"),
        ([BEGIN, "y = x", END, BEGIN, "return y", END], 5, "f.f: the name is taken already, in line 2"),
        (
            ["# BEGIN SOLUTION f points=1", "return x", END],
            2,
            "expected a name such as fc.backward after BEGIN SOLUTION",
        ),
        (["# BEGIN SOLUTION points=1", "return x", END], 2, "expected a name such as fc.backward after BEGIN SOLUTION"),
        (
            ["# BEGIN SOLUTION f.f", "return x", END],
            2,
            "f.f: expected points=N with a whole number N >= 0, got 'no points'",
        ),
        (["# BEGIN SOLUTION f.f points=-1", "return x", END], 2, "whole number N >= 0, got '-1'"),
        (["# BEGIN SOLUTION f.f points=1.5", "return x", END], 2, "whole number N >= 0, got '1.5'"),
        (["# BEGIN SOLUTION f.f points=1 hint=short", "return x", END], 2, 'in double quotes", got hint=short'),
        (['# BEGIN SOLUTION f.f points=1 hint="open', "return x", END], 2, 'in double quotes", got hint='),
        (["# BEGIN SOLUTION f.f points=1 size=2", "return x", END], 2, "got 'size=2'"),
        (["# BEGIN SOLUTION f.f points=1 points=2", "return x", END], 2, "got 'points=2'"),
        (["# BEGIN SOLUTION f.f points=1 more", "return x", END], 2, "got 'more'"),
        (["# BEGIN SOLUTION", "y = x  # SOLUTION", END], 3, "expected the end of f.f before another solution begins"),
        (["if x:  # SOLUTION", "    return x"], 2, "expected # SOLUTION at the end of a simple statement"),
    ],
)
def test_a_wrong_marker_is_told_with_its_line(lines, line, message):
    with pytest.raises(MarkerError) as told:
        regions_of(function(*lines), "layers/f.py")
    assert str(told.value).startswith(f"layers/f.py:{line}: ") and message in str(told.value)


@pytest.mark.parametrize(
    "comment",
    [
        "# BEGN SOLUTION f.f points=1",
        "# BEGIN SOLUTON f.f points=1",
        "# begin solution f.f points=1",
        "# BEGIN SOLUTION: f.f points=1",
        "# BEGIN  SOLUTION f.f points=1",
        "# BEGIN_SOLUTION f.f points=1",
        "# BEGINSOLUTION",
        "# BEIGN SOLUTION",
        "# BEGIN SOLUTIONS f.f",
        "# --- BEGIN SOLUTION ---",
        "# END SOLUTON",
        "# END SOLUTION.",
        "# end solution",
        "#ENDSOLUTION",
        "# here: END SOLUTION",
        "# SOLUTON",
        "# solution",
    ],
)
def test_a_look_alike_is_an_error(comment):
    with pytest.raises(MarkerError, match=r"^f\.py:3: expected the marker '.*', got '#"):
        regions_of(function("y = x", comment, "return y"), "f.py")


@pytest.mark.parametrize("comment", ["# the best solution", "# begins here", "# end", "# a solution of A x = b", "#"])
def test_other_comments_are_none(comment):
    assert regions_of(function("y = x", comment, f"return y  {comment}"), "f.py") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:  # SOLUTION\n", "f.py:2: cannot be read as Python"),
        ("x = 1  # SOLUTION\ny = '''\n", "f.py:2: cannot be read as Python"),
        ("# BEGIN SOLUTION f.f points=1\nx = 1\n# END SOLUTION\n", "f.py:1: f.f: expected statements of a function"),
        ("def f(x): return x  # SOLUTION\n", "f.py:1: f.f: expected the solution on lines of its own"),
        ("def f(x):\n    y = 1; \\\n# BEGIN SOLUTION f.f points=1\n", "f.py:"),
    ],
)
def test_a_file_that_cannot_be_blanked_is_told(text, message):
    with pytest.raises(MarkerError) as told:
        regions_of(text, "f.py")
    assert str(told.value).startswith(message)


# The markers of other courses.


def test_nbgraders_markers_are_named_by_file_and_function():
    text = "class FC:\n" + textwrap.indent(
        "def forward(self, x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n"
        "def backward(self, u):\n    ### BEGIN SOLUTION\n    return u\n    ### END SOLUTION\n",
        "    ",
    )
    assert [(r.name, r.points) for r in regions_of(text, "course/my-fc.py")] == [
        ("my_fc.forward", 0),
        ("my_fc.backward", 0),
    ]
    assert blanked(text, "fc.py").count("raise NotImplementedError") == 2 and "return" not in blanked(text, "fc.py")


def test_otters_suffix_takes_the_whole_statement():
    text = function(
        "y = (", "    x", "    + 1", ")  # SOLUTION", "z = y * 2  # SOLUTION", "print(z)", "return z # SOLUTION"
    )
    first, second = regions_of(text, "f.py")
    assert (
        first.name == "f.f"
        and first.code == "y = (\n    x\n    + 1\n)\nz = y * 2\n"
        and (first.first, first.last) == (2, 6)
    )
    assert second.name == "f.f_2" and second.code == "return z\n"
    assert blanked(text, "f.py") == function(
        "# TODO f.f",
        'raise NotImplementedError("f.f")',
        "print(z)",
        "# TODO f.f_2",
        'raise NotImplementedError("f.f_2")',
    )
    assert "SOLUTION" not in replaced(text, "f.py", {})


def test_points_of_other_courses_come_from_the_assignment(source):
    path = source / "layers" / "tanh.py"
    edit(path, "        y = np.tanh(", "        # BEGIN SOLUTION\n        y = np.tanh(")
    edit(path, "        return y\n", "        return y\n        # END SOLUTION\n")
    toml = source / "course" / "assignment.toml"
    edit(toml, ' "layers/tanh.py",', "")
    assert "tanh" not in [part.name for part in assignment_of(source).parts]
    edit(toml, "[handout]", '[[part]]\nname = "tanh"\ntitle = "Tanh"\n[part.points]\nforward = 7\n\n[handout]')
    part = assignment_of(source).part("tanh.forward")
    assert part == Part("tanh", "Tanh", "layers/tanh.py", (Task("tanh.forward", 7),))
    assert b"# TODO tanh.forward, 7 points\n" in skeleton(source)["layers/tanh.py"]


# The assignment.


def test_this_source_has_a_hundred_points():
    assignment = assignment_of(SOURCE)
    assert [part.name for part in assignment.parts] == [
        "relu",
        "sigmoid",
        "fc",
        "softmax_ce",
        "sequential",
        "sgd",
        "train",
    ]
    assert assignment.points == 100 and all(task.hint for task in assignment.tasks)
    assert assignment.part("fc") == assignment.part("fc.backward") and "model.py" in assignment.files
    with pytest.raises(AssignmentError, match="there is no part or task 'fcc'; the parts are relu, sigmoid"):
        assignment.part("fcc")


def test_an_assignment_is_written_and_read_back(tmp_path):
    task = Task("fc.backward", 3, 'a "quoted" \\ hint: é')
    assignment = Assignment("Title", "now", "1.0", ">=3.10", ("numpy",), (Part("fc", "FC", "layers/fc.py", (task,)),))
    path = tmp_path / "assignment.toml"
    path.write_text(as_toml(assignment), encoding="utf-8")
    assert read(path) == assignment


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "T"', "", "expected title = ..., words in quotes; it is missing"),
        ('title = "T"', "title = 3", "title must be words in quotes, got 3"),
        ('title = "T"', 'title = "T', "expected TOML"),
        ("points = 1", "points = -1", "[[part]] 1, [[task]] 1: points must be a whole number >= 0, got -1"),
        ("points = 1", "points = true", "points must be a whole number >= 0, got True"),
        ("points = 1", "points = 1\nsize = 2", "does not know 'size'"),
        ("fc.backward", "relu.backward", "name must be such as 'fc.backward', got 'relu.backward'"),
        ("layers/fc.py", "../fc.py", "file must be such as 'layers/fc.py', got '../fc.py'"),
        ('["numpy"]', '["numpy", 3]', "packages must be a list of words in quotes, got 3 in it"),
        ("[[part]]", "[part]", "part must be a list, got"),
    ],
)
def test_a_wrong_assignment_is_told_in_one_sentence(tmp_path, old, new, message):
    task = Task("fc.backward", 1)
    path = tmp_path / "assignment.toml"
    text = as_toml(Assignment("T", "d", "1", "p", ("numpy",), (Part("fc", "FC", "layers/fc.py", (task,)),)))
    path.write_text(text.replace(old, new))
    with pytest.raises(AssignmentError) as told:
        read(path)
    assert str(told.value).startswith(f"{path}") and message in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "layers/fc.py",
            "fc.backward",
            "relu.backward",
            "layers/fc.py: a file is one part, but its solutions are of fc and relu",
        ),
        (
            "layers/relu.py",
            "SOLUTION relu.f",
            "SOLUTION fc.f",
            "layers/relu.py:21: fc.forward is in layers/fc.py already",
        ),
        (
            "course/assignment.toml",
            'name = "fc"',
            'name = "fcc"',
            "part 'fcc' has no # BEGIN SOLUTION fcc... in the source",
        ),
        ("course/assignment.toml", "backward = ", "back = ", "part 'relu' has no task 'back' in layers/relu.py"),
        (
            "course/assignment.toml",
            "deadline = ",
            "until = ",
            "expected deadline = ..., words in quotes; it is missing",
        ),
        ("course/assignment.toml", '"progress"', '"progres"', "there is no extra 'progres'"),
        ("layers/fc.py", "# END SOLUTION", "# END SOLUTON", "layers/fc.py:61: expected the marker '# END SOLUTION'"),
    ],
)
def test_a_source_that_does_not_hold_together_is_told(source, capsys, tmp_path, file, old, new, message):
    edit(source / file, old, new)
    code, out, err = run(capsys, "handout", tmp_path / "handout", "--source", source)
    assert code == 2 and out == "" and message in err and err.count("\n") == 1
    assert not (tmp_path / "handout").exists()


# The handout of this source.


@pytest.fixture(scope="module")
def handout():
    return skeleton(SOURCE)


@pytest.fixture(scope="module")
def marked():
    return regions(SOURCE)


def test_results_and_the_secret_among_them_do_not_get_into_a_handout(source, tmp_path, capsys):
    (tmp_path / "submissions" / "ada" / "layers").mkdir(parents=True)
    shutil.copy(source / "layers" / "relu.py", tmp_path / "submissions" / "ada" / "layers")
    run(capsys, "grade", tmp_path / "submissions", "--results", source / "grades")
    assert (source / "grades" / "secret").is_file()
    assert not any(path.startswith("grades/") for path in skeleton(source))


def test_the_handout_has_blanks_and_nothing_that_was_left_out(handout):
    text = {path: content.decode() for path, content in handout.items() if not path.endswith((".npz", ".zip"))}
    assert not any("SOLUTION" in content for content in text.values())
    assert not any(re.search(r"\bdocs/\w", content) for path, content in text.items() if path.endswith((".py", ".md")))
    assignment = assignment_of(SOURCE)
    for task in assignment.tasks:
        holders = [path for path, content in text.items() if f'NotImplementedError("{task.name}")' in content]
        assert holders == [assignment.part(task.name).file]
    assert not any(
        path.startswith(("course/", "grading/", "tests/", "docs/", ".")) for path in handout if path != ".gitignore"
    )
    assert not {"graph.py", "layers/tanh.py", "commands/handout.py"} & handout.keys()
    assert {"assignment/assignment.py", "gradcheck.py", "commands/train.py", "LICENSE", "py.typed"} <= handout.keys()
    assert "Tanh" not in text["layers/__init__.py"] and "Graph" not in text["__init__.py"]
    for lost in ("course", "jacobians", "tracing", "torch", "pytest"):
        assert lost not in text["setup.cfg"]
    assert "handgrad.assignment\n" in text["setup.cfg"] and "handgrad[plot,progress]" in text["setup.cfg"]


def test_the_task_sheet_names_every_task(handout):
    sheet = handout["README.md"].decode()
    for task in assignment_of(SOURCE).tasks:
        assert f"- `{task.name}`, {task.points} point" in sheet and f"`{task.name}` ({task.points})" in sheet
    assert "as announced in the course" in sheet and "**100**" in sheet and "1/N stands in the loss only" in sheet
    assert max(map(len, (line for line in sheet.splitlines() if not line.startswith("|")))) <= 120


def test_the_command_makes_proves_and_checks_a_handout(capsys, tmp_path, handout):
    folder = tmp_path / "handout"
    code, out, err = run(capsys, "handout", folder)
    assert code == 0 and err == "" and "modules can be imported with only numpy and scipy" in out
    assert "none of the 14 solutions is given away" in out
    assert "as it is it scores 0, with the solutions put back 100 of 100" in out
    assert out.splitlines()[-1] == f"written to {folder}: 13 tasks, 100 points"
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == handout
    assert read(folder / "assignment.toml") == assignment_of(SOURCE)
    assert [path.name for path in tmp_path.iterdir()] == ["handout"]
    assert run(capsys, "handout", folder, "--check") == (0, f"{folder} is up to date\n", "")

    code, _, err = run(capsys, "handout", folder)
    assert code == 2 and "expected a new or empty folder; --overwrite replaces an earlier handout" in err
    (folder / "model.py").write_text("")
    (folder / "py.typed").unlink()
    (folder / "layers" / "mine.py").write_text("")
    code, out, err = run(capsys, "handout", folder, "--check")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "layers/mine.py is not of the handout",
        "model.py is out of date",
        "py.typed is missing",
    ]
    code, _, err = run(capsys, "handout", folder, "--overwrite")
    assert code == 2 and "holds files that are not this handout's (layers/mine.py); move them away" in err
    assert (folder / "model.py").read_text() == ""
    (folder / "layers" / "mine.py").unlink()
    assert run(capsys, "handout", folder, "--overwrite")[0] == 0
    assert run(capsys, "handout", folder, "--check")[0] == 0


def test_other_folders_are_never_written_to(capsys, tmp_path):
    assert not Path("new").exists()
    (tmp_path / "mine.txt").write_text("mine")
    for arguments, message in (
        ([tmp_path, "--overwrite"], "assignment.toml: no such file"),
        ([tmp_path / "mine.txt"], "expected a folder, it is a file"),
        ([tmp_path / "a" / "b"], "there is no folder"),
        ([SOURCE / "handout"], "expected a folder outside of the source tree"),
        (
            ["new", "--source", tmp_path],
            "expected a source tree of handgrad with a file course/assignment.toml",
        ),
        ([tmp_path / "new", "--check"], "assignment.toml: no such file"),
        ([tmp_path / "new", "--check", "--overwrite"], "give one of them"),
        ([""], "DIR is empty"),
    ):
        code, out, err = run(capsys, "handout", *arguments)
        assert code == 2 and out == "" and message in err and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


LEAKS = {
    "a helper": (
        "layers/dropout.py",
        "def _old(self, upstream, x):\n    return {'W': (self.product('dW', upstream.T, x, like=self.W))}\n",
    ),
    "other names": ("params.py", "def old(self, v):\n    e = np.greater(v, 0, out=self.out_like('dx', v))\n"),
    "a statement": ("history.py", "def old(run, loss, scores, y):\n    run.value = loss.forward(scores, y)\n"),
    "a comment": (
        "layers/dropout.py",
        "# dx = self.product('dx', upstream,\n#     self.W, like=x) if self.wants_dx else UNREAD\n",
    ),
    "a docstring": ("layers/flatten.py", 'OLD = """\ngate = np.greater(x, 0, out=self.out_like("dx", x))\n"""\n'),
    "data's README": ("data/README.md", "`np.multiply(w, self._decay_rates, out=self._decayed)`\n"),
}


@pytest.mark.parametrize(("file", "text"), LEAKS.values(), ids=LEAKS)
def test_a_planted_leak_is_found(handout, marked, file, text):
    content = handout[file].decode()
    line = content.count("\n")
    assert leaks({file: handout[file]}, marked) == []
    found = leaks({file: f"{content}\n{text}".encode()}, marked)
    assert found and all(one.startswith((f"{file}:{line + 2} gives ", f"{file}:{line + 3} gives ")) for one in found)


RENAMED = {
    "relu.forward": "POSITIVE = lambda z: np.maximum(z, 0)",
    "fc.forward": "def f(p, a):\n    return a @ p['W'].T + p['b']",
    "sequential.forward": "for one in ones:\n    h = one.forward(h)",
    "softmax_ce.backward": "d[...] = np.divide(c / len(e), t)\nd -= y * c",
    "sgd.step": "if n:\n    add_scaled(p, -rate, v, other)",
    "train.update": "_, found = net.backward(cost.backward())",
}


@pytest.mark.parametrize(("task", "code"), RENAMED.items(), ids=RENAMED)
def test_a_solution_is_found_under_other_names_and_without_buffers(marked, task, code):
    found = leaks({"old.py": code.encode()}, marked)
    assert any(f" gives {task} away: " in line for line in found), found


@pytest.mark.parametrize(
    "code",
    [
        "return y",
        "x = y",
        "y = f(x)",
        "n = n + 1",
        "if x > 0:\n    pass",
        "y = 1 - y",
        "y = layer.forward(x)",
        "z = x @ w",
    ],
)
def test_what_everybody_writes_is_no_solution(marked, code):
    assert leaks({"some.py": function(code).encode()}, marked) == []


def test_neither_is_a_plain_solution_given_away(handout):
    """The tasks as a good student writes them; formulas that the documentation gives are in quotes."""
    solutions = [SimpleNamespace(name=name, code=textwrap.dedent(code)) for name, code in PLAIN.items()]
    code = {path: content for path, content in handout.items() if path.startswith(("assignment/", "checking/"))}
    documented = {"upstream*y*(1-y)", "upstream*(x>0)"}
    product_and_sum = r": \S+ \* \S+ \+ \S+$"
    found = [line for line in leaks(code, solutions) if line.rpartition(": ")[2] not in documented]
    found = [line for line in found if not re.search(product_and_sum, line) or "mistakes" in line]
    assert found == []


def test_an_unmarked_solution_is_found_where_it_stands(source, capsys, tmp_path):
    edit(source / "course" / "assignment.toml", ' "layers/leaky_relu.py",', "")
    code, _, err = run(capsys, "handout", tmp_path / "handout", "--source", source)
    assert code == 2 and "layers/leaky_relu.py:34 gives relu.backward away: gate = np.greater(x, 0, " in err
    assert not (tmp_path / "handout").exists()


def test_layers_that_give_nothing_away_may_stay(source):
    for name in ("tanh", "softmax"):
        edit(source / "course" / "assignment.toml", f' "layers/{name}.py",', "")
    assert {"layers/tanh.py", "layers/softmax.py"} <= skeleton(source).keys()
    assert leaks(skeleton(source), regions(source)) == []


def test_a_task_that_nobody_can_grade_is_told(source, capsys, tmp_path):
    edit(source / "optim" / "sgd.py", "SOLUTION sgd.step", "SOLUTION sgd.leap")
    edit(source / "course" / "assignment.toml", "step = ", "leap = ")
    code, out, err = run(capsys, "handout", tmp_path / "handout", "--source", source)
    assert code == 2 and out == "" and "the handout cannot be graded: ValueError: sgd.leap: nothing is known" in err


def test_every_package_is_installed(handout):
    for root, setup in (
        (handout, handout["setup.cfg"].decode()),
        (source_files(SOURCE), (SOURCE / "setup.cfg").read_text()),
    ):
        folders = {path.rpartition("/")[0] for path in root if path.endswith("__init__.py")}
        listed = configparser.ConfigParser(interpolation=None)
        listed.read_string(setup)
        names = {".".join(["handgrad", *filter(None, folder.split("/"))]) for folder in folders}
        names = {name for name in names if not name.startswith(("handgrad.tests", "handgrad.benchmarks"))}
        assert set(listed["options"]["packages"].split()) == names


def test_a_handout_that_cannot_be_imported_is_told(source, capsys, tmp_path):
    edit(source / "history.py", "import csv\n", "import csv\nimport torch\n")
    code, _, err = run(capsys, "handout", tmp_path / "handout", "--source", source)
    assert code == 2 and "the handout cannot be imported: ModuleNotFoundError: No module named 'torch'" in err


def test_a_copy_without_git_gives_the_same_handout(copied, handout):
    assert skeleton(copied) == handout


def test_an_instructor_marks_more(source, capsys, tmp_path):
    path = source / "layers" / "tanh.py"
    edit(path, "        y = np.tanh(", "        # BEGIN SOLUTION tanh.forward points=2\n        y = np.tanh(")
    edit(path, "        return y\n", "        return y\n        # END SOLUTION\n")
    edit(source / "course" / "assignment.toml", ' "layers/tanh.py",', "")
    code, out, err = run(capsys, "handout", tmp_path / "handout", "--source", source)
    assert code == 0, err
    assert "14 tasks, 102 points" in out
    made = tmp_path / "handout"
    assert "Tanh" in (made / "layers" / "__init__.py").read_text() and "Tanh" in (made / "__init__.py").read_text()


def test_encodings_line_ends_and_byte_order_marks_survive_in_the_handout(source):
    path = source / "layers" / "relu.py"
    text = "# -*- coding: latin-1 -*-\n" + path.read_text().replace("exactly 0", "exactly 0 (\xe9)")
    path.write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    other = source / "layers" / "sigmoid.py"
    other.write_bytes(b"\xef\xbb\xbf" + other.read_bytes())
    made = skeleton(source)
    assert b"(\xe9)" in made["layers/relu.py"] and made["layers/relu.py"].count(b"\n") == made["layers/relu.py"].count(
        b"\r\n"
    )
    assert made["layers/sigmoid.py"].startswith(b'\xef\xbb\xbf"""The logistic')


def test_a_blank_of_the_handout_is_one_sentence_in_training(tmp_path, handout):
    for name, content in handout.items():
        path = tmp_path / "handgrad" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    result = subprocess.run(
        [sys.executable, "-m", "handgrad", "train"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert result.returncode == 1 and result.stderr == "handgrad: fc.forward is still blank: layers/fc.py, line 57\n"
