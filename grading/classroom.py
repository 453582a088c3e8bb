"""Grading a whole class: every submission of a folder, several at a time, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from handgrad.grading.grade import Grader, Stopped
from handgrad.grading.report import Graded
from handgrad.grading.result import Result
from handgrad.grading.sandbox import SandboxError
from handgrad.grading.store import Store
from handgrad.grading.submission import Submission, SubmissionError, read


def submissions_in(folder: Path) -> list[Path]:
    """What was handed in: the zips and folders of `folder`, by name; or a single zip by itself.

    SubmissionError where there are none.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise SubmissionError(f"{folder}: expected a folder of zips and folders, or a zip; there is none")
    found = [path for path in _shown(folder) if _is_submission(path)]
    if not found:
        raise SubmissionError(f"{folder}: expected zips or folders, one a student, there are none")
    return found


def left_out(folder: Path) -> list[str]:
    """What lies beside the submissions and is none: other archives, lists."""
    return [path.name for path in _shown(folder) if not _is_submission(path)] if folder.is_dir() else []


def _shown(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]


def _is_submission(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() == ".zip"


class Classroom:
    """Grades many submissions; results that the store has are not graded again."""

    def __init__(self, grader: Grader, store: Store, only: Collection[str] = ()) -> None:
        self.grader, self.store, self.only = grader, store, only
        """`only` names parts that are graded anew; what is known of the others is kept."""

    def grade(self, paths: Sequence[Path], jobs: int, done: Callable[[Graded], None]) -> list[Graded]:
        """Everyone's results in the order of `paths`; `done` is called after each.

        When interrupted, what has been begun is given up, and KeyboardInterrupt raised.
        """
        self.grader.stop.clear()
        results: dict[Path, Graded] = {}
        waiting: Iterator[Path] = iter(paths)
        running: dict[Future[Graded], Path] = {}
        alike = Counter(_label(path) for path in paths)
        with ThreadPoolExecutor(jobs) as pool:
            try:
                while True:
                    for path in waiting:
                        name = path.name if alike[_label(path)] > 1 else ""
                        running[pool.submit(self._one, path, name)] = path
                        if len(running) == jobs:
                            break
                    if not running:
                        return [results[path] for path in paths]
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        path = running.pop(future)
                        results[path] = future.result()
                        done(results[path])
            except BaseException:
                self.grader.stop.set()  # the pool waits for what it has begun
                raise

    def _one(self, path: Path, name: str) -> Graded:
        """The result of one submission, under `name` where its own would be another's as well."""
        try:
            submission = read(path, self.grader.assignment.files, name)
        except SubmissionError as error:
            return Graded(path.name, None, error=str(error))
        try:
            return Graded(submission.name, self._result(submission), submission.notes)
        except (SandboxError, Stopped):  # concern everyone
            raise
        except Exception as error:  # no submission may keep the others from being graded
            return Graded(submission.name, None, error=f"could not be graded, {type(error).__name__}: {error}")

    def _result(self, submission: Submission) -> Result:
        known = self.store.find_any(submission.digest) if self.only else self.store.find(submission.digest)
        if known is not None and not self.only:
            return known
        result = self.grader.grade(submission.files, submission.digest, self.only if known else ())
        if known is not None:
            result = _merged(known, result, self.only)
        self.store.keep(result)
        return result


def _label(path: Path) -> str:
    return path.name.casefold().removesuffix(".zip")


def _merged(known: Result, new: Result, parts: Collection[str]) -> Result:
    """What is known, with the new results of `parts`."""
    graded = {part.name: part for part in new.parts}
    begin = tuple(f"{part.file}{end}" for part in new.parts for end in ",:")
    flags = [flag for flag in known.flags if not flag.startswith(begin)]
    merged = [graded.get(part.name, part) for part in known.parts]
    locks = list(dict.fromkeys([*known.locks, *new.locks]))
    return Result(new.digest, merged, [*flags, *new.flags], locks, new.cpu)
