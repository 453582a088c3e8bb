"""What platforms get is as they take it, and what they get back fits their schemas (tests/schemas), whatever came in.

Each package is run as its platform would run it, below a temporary folder in place of /autograder or /grade. Where
there is no network, Gradescope's setup.sh is replaced by an environment that borrows this Python's NumPy and SciPy.
"""

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import handgrad
from handgrad.cli import main
from handgrad.course.handout import assignment_of, skeleton, solved
from handgrad.grading.platforms import autolab, gradescope, prairielearn
from handgrad.grading.platforms.package import Settings
from handgrad.grading.platforms.run import SIZE, Run, write
from handgrad.grading.result import PartResult, Result, TaskResult

SOURCE = Path(handgrad.__file__).parent
SCHEMAS = Path(__file__).with_name("schemas")
MEMORY = 768 << 20
NOBODY = 65534
SECRET = "cd" * 32

HOSTILE = """
import os, sys

print("\\ud800 \\x00 \\x1b[2J", {"scores": {"relu": 1000}})
for place in ("../results/results.json", os.path.expanduser("~/results.json"), "/autograder/results/results.json"):
    try:
        open(place, "w").write('{"score": 1000}')
    except Exception:
        pass
print(os.environ, file=sys.__stderr__)
os._exit(0)
"""


def checked(text, platform):
    """The JSON, if it fits the platform's schema and size."""
    assert len(text.encode()) < 1_000_000
    value = json.loads(text, parse_constant=pytest.fail)
    jsonschema.validate(value, json.loads((SCHEMAS / f"{platform}.json").read_text()))
    return value


@pytest.fixture(scope="module")
def submissions():
    """What students hand in: kind -> files."""
    names = assignment_of(SOURCE).files
    blank, right = skeleton(SOURCE), solved(SOURCE)
    honest = {name: right[name] for name in names}
    wrong = right["layers/fc.py"].replace(b"upstream.T, x, like", b"2 * upstream.T, x, like")
    assert wrong != right["layers/fc.py"]
    return {
        "honest": honest,
        "wrong": {**honest, "layers/fc.py": wrong, "layers/relu.py": HOSTILE.encode()},
        "blank": {name: blank[name] for name in names},
    }


@pytest.fixture(scope="module")
def place():
    """A folder that every user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="handgrad-platforms-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def autograder(place):
    """/autograder as it is after setup.sh."""
    archive = place / "autograder.zip"
    assert main(["autograder", "--for", "gradescope", "--out", str(archive), "--secret", "a secret of the course"]) == 0
    root = place / "autograder"
    with zipfile.ZipFile(archive) as file:
        file.extractall(root / "source")
    python = system_python()
    if python and has_network():
        environment = {"PATH": f"{python.parent}:{os.environ['PATH']}", "AUTOGRADER_ROOT": str(root)}
        subprocess.run(["bash", str(root / "source" / "setup.sh")], env=environment, check=True)
    else:
        borrowed_environment(root / "venv")
    return root


def has_network():
    with contextlib.suppress(OSError), socket.create_connection(("pypi.org", 443), timeout=3):
        return True
    return False


def system_python():
    """A Python that every user can run, as in Gradescope's image; None if that has to be installed first."""
    for python in map(Path, ("/usr/local/bin/python3", "/usr/bin/python3")):
        fits = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))"
        if python.exists() and subprocess.run([python, "-c", fits], capture_output=True).returncode == 0:
            return python
    return None


def borrowed_environment(folder):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "borrowed.pth").write_text(str(Path(np.__file__).parent.parent) + "\n")


def without_network():
    """The start of a command that has no network, as far as this user may take it away."""
    for command in (["unshare", "--net"], ["unshare", "--user", "--map-current-user", "--net"]):
        with contextlib.suppress(OSError):
            if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
                return command
    return []


def run_gradescope(root, files, *, user=None, memory=MEMORY, cpu=None):
    """results.json, after a run of run_autograder on `files`."""
    for name in ("submission", "results"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
    for name, content in files.items():
        (root / "submission" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "submission" / name).write_bytes(content)
    command = ["bash", str(root / "source" / "run_autograder")]
    if user is not None:
        subprocess.run(["chown", "-R", f"{user}:{user}", str(root)], check=True)
        command = [*as_user(user), *command]

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    environment = {"PATH": os.environ["PATH"], "AUTOGRADER_ROOT": str(root), "HOME": str(root)}
    result = subprocess.run(
        [*without_network(), *command], env=environment, cwd=root, preexec_fn=limit, capture_output=True, timeout=600
    )
    assert result.returncode == 0, result.stderr.decode()
    assert {path.name for path in (root / "results").iterdir()} == {"results.json"}
    return checked((root / "results" / "results.json").read_text(encoding="utf-8"), "gradescope")


def as_user(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def can_run(python, user):
    return subprocess.run([*as_user(user), python, "-c", ""], capture_output=True).returncode == 0


@contextlib.contextmanager
def half_a_cpu():
    """A processor of which somebody else takes the other half."""
    cpu = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{cpu}}})\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code]) as other:
        try:
            yield cpu
        finally:
            other.kill()


def scores(results):
    return {test["name"].partition(":")[0]: test["score"] for test in results["tests"]}


def total(results):
    return sum(test["score"] for test in results["tests"])


@pytest.mark.parametrize("user", ["root", "ordinary"])
def test_gradescope_grades_with_half_a_cpu_and_little_memory_as_root_and_as_an_ordinary_user(
    autograder, submissions, user
):
    is_root = os.geteuid() == 0
    if user == "root" and not is_root:
        pytest.skip("this is no run of root's")
    if is_root and user == "ordinary" and not can_run(autograder / "venv/bin/python", NOBODY):
        pytest.skip("this Python is in a folder of root's")
    with half_a_cpu() as cpu:
        start = time.monotonic()
        results = run_gradescope(
            autograder, submissions["honest"], user=NOBODY if is_root and user == "ordinary" else None, cpu=cpu
        )
        assert time.monotonic() - start < 300
    assert total(results) == sum(test["max_score"] for test in results["tests"]) == 100
    assert all(test["visibility"] == "visible" for test in results["tests"])
    assert results["stdout_visibility"] == "hidden"
    assert not results["extra_data"]["flags"]


def test_gradescope_of_wrong_and_hostile_submissions(autograder, submissions):
    results = run_gradescope(autograder, submissions["wrong"])
    assert scores(results)["relu.forward"] == scores(results)["relu.backward"] == 0
    assert total(results) == 80
    fc = next(test for test in results["tests"] if test["name"].startswith("fc.backward"))
    assert fc["score"] == 0 and "values: wrong" in fc["output"]

    text = json.dumps(results)
    assert "a secret of the course" not in text and b"a secret of the course".hex() not in text

    assert total(run_gradescope(autograder, submissions["blank"])) == 0
    results = run_gradescope(autograder, {"notes.txt": b"nothing"})
    assert total(results) == 0 and "none of the files" in results["output"]


def test_gradescope_withholds_the_score_when_grading_fails(autograder, submissions):
    def assert_withheld(results):
        shown = [test for test in results["tests"] if test["visibility"] == "visible"]
        assert [test["max_score"] for test in shown] == [0]
        assert "could not be graded" in shown[0]["output"] and "Traceback" not in shown[0]["output"]
        assert any(test["visibility"] == "hidden" for test in results["tests"])  # which hides the total
        return next(test["output"] for test in results["tests"] if test["visibility"] == "hidden")

    assert "ended" in assert_withheld(run_gradescope(autograder, submissions["honest"], memory=64 << 20))
    settings = autograder / "source" / "settings.json"
    kept = settings.read_bytes()
    settings.write_text('{"secret": "no digits"}')
    try:
        assert "Traceback" in assert_withheld(run_gradescope(autograder, submissions["honest"]))
    finally:
        settings.write_bytes(kept)


def test_prairielearn_grades(autograder, submissions, place, tmp_path):
    assert main(["autograder", "--for", "prairielearn", "--out", str(tmp_path / "course")]) == 0
    question = json.loads((tmp_path / "course/questions/handgrad/info.json").read_text())
    assert question["externalGradingOptions"]["entrypoint"] == "/grade/serverFilesCourse/handgrad/run.sh"

    def run(files):
        root = Path(tempfile.mkdtemp(dir=place))
        shutil.copytree(tmp_path / "course/serverFilesCourse", root / "serverFilesCourse")
        (root / "student").mkdir()
        if isinstance(files, bytes):
            (root / "student/submission.zip").write_bytes(files)
        else:
            with zipfile.ZipFile(root / "student/submission.zip", "w") as archive:
                for name, content in files.items():
                    archive.writestr(f"handgrad/{name}", content)
        environment = {"PATH": f"{autograder}/venv/bin:{os.environ['PATH']}", "GRADE_ROOT": str(root)}
        script = root / "serverFilesCourse/handgrad/run.sh"
        subprocess.run([str(script)], env=environment, cwd="/", check=True, capture_output=True)
        return checked((root / "results/results.json").read_text(encoding="utf-8"), "prairielearn")

    assert run(submissions["wrong"])["score"] == pytest.approx(0.80)
    refused = run(b"no zip")
    assert not refused["gradable"] and "expected a zip" in refused["message"]
    (tmp_path / "course/serverFilesCourse/handgrad/grader.tar").write_bytes(b"no tar")
    assert "could not be graded" in run(submissions["honest"])["message"]


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_autolab_reads_scores_on_the_last_line(autograder, submissions, place, tmp_path):
    assert main(["autograder", "--for", "autolab", "--out", str(tmp_path / "lab")]) == 0

    def run(files, damage=False):
        folder = Path(tempfile.mkdtemp(dir=place))
        shutil.copy(tmp_path / "lab/autograde-Makefile", folder / "Makefile")
        shutil.copy(tmp_path / "lab/autograde.tar", folder)
        with zipfile.ZipFile(folder / "submission.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        if damage:
            (folder / "autograde.tar").write_bytes(b"no tar")
        environment = {"PATH": f"{autograder}/venv/bin:{os.environ['PATH']}"}
        return subprocess.run(["make"], env=environment, cwd=folder, capture_output=True, encoding="utf-8")

    result = run(submissions["wrong"])
    assert result.returncode == 0, result.stderr
    *feedback, last = result.stdout.splitlines()
    given = checked(last, "autolab")["scores"]
    assert given["relu"] == 0 and sum(given.values()) == 80
    assert any(line.startswith("  sgd.step: 12 of 12") for line in feedback)
    result = run(submissions["honest"], damage=True)
    assert result.returncode != 0 and "scores" not in result.stdout


def result_of(sentence, log, tasks=2, flags=()):
    """A result whose words are as a student's code may make them."""
    found = [TaskResult(f"fc.{i}", 1.5, 2, {"values": True, "contract": False}, [sentence]) for i in range(tasks)]
    part = PartResult("fc", "The fully connected layer", "layers/fc.py", found, log)
    result = Result("00", [part], flags=list(flags), locks=["view of files (Landlock)"])
    return Run(result, [], "", Settings(SECRET), 1.0)


@pytest.mark.parametrize("tasks", [2, 300])
@pytest.mark.parametrize("platform", [gradescope, prairielearn])
def test_students_words_are_cut_to_size_and_valid_text(tmp_path, platform, tasks):
    run = result_of("\ud800\x00\x1b\U0001f600" * 5000, "\udcff" * 5000, tasks, flags=["\ud800" * 900] * 500)
    write(tmp_path / "results.json", lambda length: platform.results(run, length))
    assert (tmp_path / "results.json").stat().st_size < SIZE
    results = checked((tmp_path / "results.json").read_text(encoding="utf-8"), platform.__name__.rpartition(".")[2])
    assert len(results["tests"]) == tasks
    assert "\x1b" not in results["tests"][0].get("output", "") + results["tests"][0].get("message", "")


def test_only_staff_read_of_flags_and_missing_locks():
    run = result_of("wrong", "", flags=["layers/fc.py:3: numeric differences"])
    shown = gradescope.results(run, 100)
    assert shown["extra_data"]["flags"] == ["layers/fc.py:3: numeric differences"]
    assert shown["extra_data"]["missing_locks"] == ["view of files (Landlock)"]
    assert "numeric" not in json.dumps({**shown, "extra_data": {}})
    assert all(test["visibility"] != "hidden" for test in shown["tests"])
    text = autolab.feedback(run)
    assert "numeric" not in text and "Landlock" not in text
    assert checked(text.splitlines()[-1], "autolab") == {"scores": {"fc": 3.0}}


def test_a_package_is_the_same_to_the_byte_and_holds_what_grading_needs(tmp_path):
    command = ["autograder", "--for", "gradescope", "--out"]
    for name in ("a.zip", "b.zip"):
        assert main([*command, str(tmp_path / name), "--secret", "a secret of the course"]) == 0
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        assert archive.getinfo("setup.sh").external_attr >> 16 == 0o100755
        assert archive.getinfo("settings.json").external_attr >> 16 == 0o100600
        checked(archive.read("not_graded.json").decode(), "gradescope")
        pinned = archive.read("requirements.txt").decode().splitlines()
    assert {"setup.sh", "run_autograder", "handgrad/layers/fc.py", "handgrad/course/assignment.toml"} <= set(names)
    assert not [name for name in names if name.startswith(("handgrad/tests", "handgrad/docs", "handgrad/.git/"))]
    assert all("==" in line for line in pinned if not line.startswith("#"))
    assert main([*command, str(tmp_path / "c.zip")]) == 0
    assert (tmp_path / "a.zip").read_bytes() != (tmp_path / "c.zip").read_bytes()


def test_when_gradescope_shows_results_can_be_chosen(tmp_path):
    out = tmp_path / "a.zip"
    assert (
        main(["autograder", "--for", "gradescope", "--out", str(out), "--deadline-visibility", "after_due_date"]) == 0
    )
    with zipfile.ZipFile(out) as archive:
        settings = Settings(**json.loads(archive.read("settings.json")))
    run = Run(result_of("wrong", "").result, [], "", settings, 1.0)
    assert {test["visibility"] for test in gradescope.results(run, 100)["tests"]} == {"after_due_date"}


def test_actions_checks_part_by_part_and_holds_no_secret(tmp_path):
    assert main(["autograder", "--for", "actions", "--out", str(tmp_path)]) == 0
    assert main(["autograder", "--for", "actions", "--out", str(tmp_path)]) == 2
    assert main(["autograder", "--for", "actions", "--out", str(tmp_path), "--overwrite"]) == 0
    workflow = (tmp_path / ".github/workflows/handgrad.yml").read_text()
    runs = [line.partition("run: ")[2] for line in workflow.splitlines() if "run: bash" in line]
    assert runs == [f"bash .github/check.sh {part.name}" for part in assignment_of(SOURCE).parts]
    assert "gives no grade" in workflow and "usual seed" in workflow

    tools, summary = tmp_path / "tools", tmp_path / "summary.md"
    tools.mkdir()
    stand_in = '#!/bin/sh\necho "$@"\necho \'```\'\n[ "$2" = relu ]\n'
    (tools / "handgrad").write_text(stand_in)
    (tools / "handgrad").chmod(0o755)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(summary)}
    codes = [
        subprocess.run(["bash", *command.split()[1:]], cwd=tmp_path, env=environment, capture_output=True).returncode
        for command in runs
    ]
    assert codes == [0 if command.endswith("relu") else 1 for command in runs]
    assert "### relu\n\n    check relu --seed 0\n    ```\n" in summary.read_text()


def test_a_source_that_cannot_grade_is_refused(tmp_path, capsys):
    tree = tmp_path / "tree"
    shutil.copytree(SOURCE, tree, ignore=shutil.ignore_patterns(".*", "grading", "tests", "__pycache__"))
    out = tmp_path / "a.zip"
    assert main(["autograder", "--for", "gradescope", "--out", str(out), "--source", str(tree)]) == 2
    assert "with a file grading/platforms/run.py, there is none" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("platform", ["actions", "autolab", "gradescope"])
def test_what_lies_there_is_not_written_over(platform, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    out = mine if platform == "gradescope" else tmp_path
    assert main(["autograder", "--for", platform, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert f"{out}" in error and "add --overwrite to" in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [mine] and mine.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--for", "blackboard"], "--for must be one of gradescope, prairielearn, autolab, actions, got 'blackboard'"),
        (["--for", "gradescope", "--out", ""], "--out is empty"),
        (["--for", "gradescope", "--out", "no/such/a.zip"], "no/such/a.zip: cannot be written"),
        (["--for", "autolab", "--out", "no/such/folder"], "no/such/folder: there is no folder"),
        (["--for", "gradescope", "--source", "."], "expected a source tree of handgrad"),
        (["--for", "autolab", "--deadline-visibility", "visible"], "--deadline-visibility is for gradescope only"),
        (["--for", "gradescope", "--deadline-visibility", "hidden"], "hides a student's total"),
        (["--for", "gradescope", "--deadline-visibility", "never"], "must be one of visible, after_due_date"),
        (["--for", "actions", "--secret", "s"], "--secret does not go with actions"),
        (["--for", "gradescope", "--secret", "short"], "the secret must have"),
        (["--for", "actions", "--strict"], "--strict does not go with actions"),
    ],
)
def test_bad_usage_is_one_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["autograder", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
