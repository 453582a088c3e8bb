"""The task sheet, which is the handout's README."""

from __future__ import annotations

from handgrad.assignment.assignment import Assignment


def task_sheet(assignment: Assignment) -> str:
    """The sheet as Markdown, made of nothing but the assignment."""
    lines = [
        f"# {assignment.title}",
        "",
        f"{len(assignment.tasks)} tasks, {assignment.points} points. Deadline: {assignment.deadline}.",
    ]
    return "\n".join(lines) + "\n"
