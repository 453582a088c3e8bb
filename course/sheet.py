"""The task sheet, which is the handout's README."""

from __future__ import annotations

import textwrap

from handgrad.assignment.assignment import Assignment, Part

WIDTH = 120


def task_sheet(assignment: Assignment) -> str:
    """The sheet as Markdown, made of nothing but the assignment."""
    tasks, points = _counted(len(assignment.tasks), "task"), _counted(assignment.points, "point")
    lines = [
        f"# {assignment.title}",
        "",
        f"{tasks}, {points}, one file a part. Deadline: {assignment.deadline}.",
        "",
        *_table(assignment),
        *_setting_up(assignment),
        "",
        "## The tasks",
        "",
        "Every task is a `# TODO` in the code, with its name and points; what it takes and gives, with all shapes,",
        "stands in the docstring of its class or function. Do them in any order: each file is graded alone, with",
        "everything else working, so one mistake costs its own points only.",
        "",
        *(line for part in assignment.parts for line in _part(part)),
        *RULES.splitlines(),
    ]
    return "\n".join(lines) + "\n"


SETTING_UP = """
## Setting up

You need Python {python} and nothing but {packages}. In this folder:

```sh
python3 -m venv .venv && . .venv/bin/activate
pip install -e .
handgrad doctor
```

On Windows, `.venv\\Scripts\\activate` takes the place of `. .venv/bin/activate`. Then, as often as you like:

```sh
handgrad check
handgrad check {task} --explain
handgrad pack
```

The first says of every task whether it is blank, right or wrong, and why; the second tells the mathematics of one
task; the third makes the zip that you hand in. Once everything works, `handgrad train` trains a network on handwritten
digits with your code."""

RULES = """## What holds everywhere

- **The 1/N stands in the loss only.** The loss is the mean over the batch, and its gradient has the 1/N. No layer
  divides by the batch size: the gradient of a parameter is the sum over the rows of what each contributes.
- `backward` is exact for any upstream gradient, not only for ones, and for any batch size from 1 on.
- Nothing that is handed to your code is changed, and nothing that it returned before is changed by a later call. Only
  the optimizer writes into the parameters.
- float32 and float64 are both right; loops are right, too, if they are not too slow to be waited for.
- Helper functions, imports from the standard library, NumPy and SciPy, and prints are welcome in these files. Other
  files are yours to read and to change for yourself, but are not handed in.

## What is forbidden

Every gradient is written by hand. Automatic differentiation is not: `torch`, `jax`, `tensorflow`, `autograd`, `mygrad`
and libraries like them score nothing. Numeric derivatives, and code that looks for the grader rather than for the
gradient, go on a list that is read by people.

## Grading

`handgrad check` runs public checks on your machine. The grader runs more of the same kind, with other numbers and
sizes: a task scores when its values are right, most of its points for that, the rest for other sizes, special values
and the rules above."""


def _table(assignment: Assignment) -> list[str]:
    rows = [("part", "file", "tasks", "points")]
    for part in assignment.parts:
        tasks = ", ".join(f"`{task.name}` ({task.points})" for task in part.tasks)
        rows.append((part.title, f"`{part.file}`", tasks, str(part.points)))
    rows.append(("", "", "", f"**{assignment.points}**"))
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |").replace("|  |", "| |") for row in rows]
    return [lines[0], "|---|---|---|---|", *lines[1:]]


def _setting_up(assignment: Assignment) -> list[str]:
    packages = ", ".join(f"`{package}`" for package in assignment.packages)
    task = assignment.parts[0].tasks[-1].name
    return SETTING_UP.format(python=assignment.python, packages=packages, task=task).splitlines()


def _part(part: Part) -> list[str]:
    lines = [f"### {part.title}: `{part.file}`", ""]
    for task in part.tasks:
        hint = f": {task.hint}" if task.hint else ""
        words = f"- `{task.name}`, {_counted(task.points, 'point')}{hint}"
        lines += textwrap.wrap(words, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return [*lines, ""]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
