"""GitHub Actions: a workflow for the students' repositories, which is formative only.

Whoever can push to a repository can read and change all that runs there. So it holds no secret and no solution: it runs
the student's own `handgrad check`, with the seed that everybody has, one step a part.
"""

from __future__ import annotations

import json
from pathlib import Path

from handgrad.assignment.assignment import Assignment
from handgrad.course.handout import assignment_of
from handgrad.grading.platforms.package import template

WORKFLOW = ".github/workflows/handgrad.yml"
SCRIPT = ".github/check.sh"
PYTHON = "3.12"

HEAD = """\
# Made by handgrad autograder: checks each part at every push. It shows how far the work is, and gives no grade:
# the checks are those of `handgrad check`, with its usual seed; others run after the work is handed in.
name: handgrad
on: [push, workflow_dispatch]
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-python@v6
        with:
          python-version: "{python}"
      - name: Install the handout
        id: install
        run: pip install -e .
"""

STEP = """\
      - name: {name}
        if: ${{{{ !cancelled() && steps.install.outcome == 'success' }}}}
        run: bash {script} {part}
"""


def package(source: Path) -> dict[str, bytes]:
    """Files for the handout as it is given to students: path -> content."""
    return {WORKFLOW: workflow(assignment_of(source)).encode(), SCRIPT: template("actions/check.sh")}


def workflow(assignment: Assignment) -> str:
    """The workflow, with a step for each part."""
    steps = [
        STEP.format(name=json.dumps(f"{part.name}: {part.title}"), script=SCRIPT, part=part.name)
        for part in assignment.parts
    ]
    return HEAD.format(python=PYTHON) + "".join(steps)
