"""Marks submissions as an instructor does, in the processes of a pool."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .entry import FILES, POINTS, SOURCE, part_of

SECRET = "the secret of this course: 5e1fb00c"
PLACES = ("/tmp", "/var/tmp", "/dev/shm", ".", str(SOURCE))
LEFT_BEHIND = "left-behind"


@dataclass(frozen=True)
class Marks:
    """What the report says of one submission."""

    tasks: Mapping[str, float]
    words: Mapping[str, str]
    """What the student reads, by part."""
    log: str
    flags: str
    """What is on the review list; "" when it is not on it."""
    refused: str
    """Why the submission as a whole was refused; "" when it was not."""
    seconds: float
    cpu: float

    def part(self, part: str) -> float:
        return sum(points for task, points in self.tasks.items() if part_of(task) == part)


@cache
def _grader(explains):
    from handgrad.course.handout import assignment_of, skeleton
    from handgrad.grading.grade import Grader

    return Grader(skeleton(SOURCE), assignment_of(SOURCE), SECRET.encode(), explains=explains)


def marked(handed_in: Mapping[str, bytes] | bytes, explains: bool = True) -> Marks:
    """The marks of the files (path: content), or of a zip; with the causes of what is wrong if it `explains`."""
    from handgrad.grading.submission import SubmissionError, digest, read

    start = time.monotonic()
    nothing = dict.fromkeys(POINTS, 0.0)
    try:
        if isinstance(handed_in, bytes):
            submission = read(handed_in, FILES.values())
            files, notes = submission.files, submission.notes
        else:
            files, notes = {path: text for path, text in handed_in.items() if path in FILES.values()}, []
        result = _grader(explains).grade(files, digest(files))
    except SubmissionError as error:
        return Marks(nothing, {}, "", "", str(error), time.monotonic() - start, 0.0)
    tasks, words = {}, {}
    for part in result.parts:
        tasks |= {task.name: task.points for task in part.tasks}
        words[part.name] = "\n".join(f"{task.name}: {line}" for task in part.tasks for line in task.sentences)
    log = "\n".join([*notes, *(part.log for part in result.parts)])
    return Marks(tasks, words, log, "\n".join(result.flags), "", time.monotonic() - start, result.cpu)


def left_files() -> list[str]:
    return [
        os.path.join(place, name)
        for place in PLACES
        if os.path.isdir(place)
        for name in os.listdir(place)
        if name.startswith(LEFT_BEHIND)
    ]


def left_processes() -> list[int]:
    """The processes that have taken the name by which attacks make themselves known."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() == LEFT_BEHIND:
                found.append(int(folder.name))
        except OSError:
            continue
    return found
