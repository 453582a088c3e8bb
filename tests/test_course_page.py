"""docs/course.md, run: every command of its instructor and its student, in the page's order."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "course.md"
BLOCKS = re.findall(r"^```(\w+) (\S+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
OFFLINE = "No matching distribution found"
UNSHOWN = ("all 150 modules",)
"""Lines of output whose numbers may change with every module."""


def fill_in(handout, task, code):
    """Puts the student's lines where the blank of the task is."""
    blank = f'raise NotImplementedError("{task}")'
    files = [path for path in handout.rglob("*.py") if blank in path.read_text() and ".venv" not in path.parts]
    assert len(files) == 1, f"{task} is blank in {files}"
    text = files[0].read_text()
    indent = re.search(rf"^( *){re.escape(blank)}", text, re.MULTILINE)[1]
    files[0].write_text(text.replace(indent + blank, textwrap.indent(code.rstrip(), indent)))


def test_the_page_from_the_source_to_a_graded_class(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["COLUMNS"] = "120"
    printed = ""
    for language, who, code in BLOCKS:
        if language == "python":
            fill_in(tmp_path / "backprop", who, code)
            continue
        folder = tmp_path / "backprop" if who == "student" else tmp_path
        active = ". .venv/bin/activate\n" if (folder / ".venv").exists() else ""
        ran = subprocess.run(
            ["bash", "-ec", active + code], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if OFFLINE in ran.stderr:
            pytest.skip("the student's environment needs the network once")
        assert ran.returncode == 0, f"{code}{ran.stdout}{ran.stderr}"
        printed += ran.stdout
    # The first lines of what the page shows come out so.
    shown = re.findall(r"^    (\w.*)$", PAGE.read_text(encoding="utf-8").split("## Changing")[0], re.MULTILINE)
    for line in shown:
        if not line.startswith(UNSHOWN):
            assert line in printed
    assert (tmp_path / "grades.csv").read_text().splitlines()[1].startswith("ada,7.33,")
    assert "dx is wrong where x is exactly 0" in (tmp_path / "report" / "ada.html").read_text()
    assert (tmp_path / "autograder.zip").is_file()


def test_every_command_of_the_course_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    commands = ("handout", "check", "pack", "doctor", "grade", "regrade", "autograder", "selftest")
    assert [command for command in commands if f"\nhandgrad {command}" not in page] == []
