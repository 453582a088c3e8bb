"""Whether an assignment's checks hold: what they say of the solution, of mutants of it, and of attacks."""

from __future__ import annotations

import ast
import copy
import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from handgrad.assignment.assignment import Part
from handgrad.assignment.judge import expected_of
from handgrad.assignment.probes import Probe
from handgrad.course.attacks import SETTLED, Attack, Attacks
from handgrad.course.handout import assignment_of, regions, skeleton, solved
from handgrad.course.mutation import Mutant, mutants_of, student_ways
from handgrad.course.plan import decoded
from handgrad.course.regions import Region, replaced
from handgrad.course.variety import LESSON, lesson_file, varied
from handgrad.grading.grade import Grader
from handgrad.grading.marks import Asked, forgive, points_for
from handgrad.grading.sandbox import NO_ANSWER, Answer, Limits, ask, precompiled
from handgrad.grading.trees import asked_tree
from handgrad.params import Array

DRAWS = 3
"""Secrets that everything is asked with: what costs nothing with one of them is a matter of luck."""

QUICK_MUTANTS, QUICK_ATTACKS = 10, 1
"""Mutants a region and attacks a class and part of the quick test."""

QUICK = Limits(cpu=2, wall=8.0)
ALL_OF_A_BATCH = Limits(cpu=6, wall=60.0)
THOROUGH = Limits(cpu=20, wall=120.0)
BATCH = 16
"""Mutants that one process is asked about."""

KILLED, SURVIVED, EQUIVALENT = "killed", "survived", "equivalent"


@dataclass(frozen=True)
class Trial:
    """What became of a mutant."""

    task: str
    file: str
    line: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    outcome: str
    """KILLED if it costs points with each secret; EQUIVALENT if it gives what the solution gives; else SURVIVED."""
    missed: int = 0
    """With how many of the DRAWS secrets it costs nothing."""


@dataclass
class Report:
    """What was found; of a test that was interrupted there is none."""

    scores: list[str] = field(default_factory=list)
    """What is wrong with the points of the solution and of the handout."""
    trials: list[Trial] = field(default_factory=list)
    attacks: list[Attack] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    has_attacks: bool = True
    """Whether the source tree has hostile submissions."""

    @property
    def holds(self) -> bool:
        return not (self.scores or self.survivors or self.paying or self.left_behind)

    @property
    def survivors(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.outcome == SURVIVED]

    @property
    def paying(self) -> list[Attack]:
        return [attack for attack in self.attacks if attack.problems]

    def to_dict(self) -> dict[str, Any]:
        return {"holds": self.holds, **asdict(self)}


Found: TypeAlias = "Trial | Attack | str"
"""What goes into the report; a sentence about the scores."""


class Step(NamedTuple):
    """A piece of the work, done in any thread."""

    size: int
    """How many checks it is of."""
    call: Callable[[], Sequence[Found]]


class Selftest:
    """Tests the assignment of the source tree that this package is run from.

    AssignmentError or MarkerError if it is none; ImportError if its hostile submissions cannot be read.
    """

    def __init__(self, source: Path, secret: bytes, parts: Collection[str] = (), quick: bool = False) -> None:
        assignment = assignment_of(source)
        self.source, self.quick = source, quick
        self.parts = [assignment.part(name) for name in parts] or list(assignment.parts)
        self._skeleton, self._solved = skeleton(source), solved(source)
        self._graders = [Grader(self._skeleton, assignment, secret, QUICK if quick else None, explains=False)]
        for n in range(1, DRAWS):
            self._graders.append(copy.copy(self._graders[0]))
            self._graders[n].secret = hashlib.sha256(secret + bytes([n])).digest()
        self._tree = asked_tree(self._skeleton)
        self._attacks = Attacks(source, self._graders[0], self._solved)
        self._questions = {part.name: _Questions(part, self._graders) for part in self.parts}
        self._twins = _Twins(self._tree, self._solved)
        self._interrupted = Event()

    @property
    def missing_locks(self) -> list[str]:
        return self._graders[0].missing_locks()

    def steps(self) -> list[Step]:
        """All the work; the attacks first, since some of them only wait."""
        steps = [Step(1, partial(self._scores, grader)) for grader in self._graders]
        steps += [Step(1, partial(self._attack, entry)) for entry in self._entries()]
        for part in self.parts:
            mutants = list(self._mutants(part))
            batches = [mutants[i : i + BATCH] for i in range(0, len(mutants), BATCH)]
            steps += [Step(len(batch), partial(self._trials, part, batch)) for batch in batches]
        return steps

    def run(self, steps: Sequence[Step], jobs: int, done: Callable[[int], Any]) -> Report:
        """Does all the steps, `jobs` at a time; `done` is called with each one's size. KeyboardInterrupt ends it."""
        report = Report(has_attacks=self._attacks.is_there)
        for step, results in self._each(steps, jobs):
            for found in results:
                if isinstance(found, Trial):
                    report.trials.append(found)
                elif isinstance(found, Attack):
                    report.attacks.append(found)
                else:
                    report.scores.append(found)
            done(step.size)
        if report.attacks:
            time.sleep(SETTLED)
            report.left_behind = self._attacks.left_behind()
        report.trials.sort(key=lambda trial: (trial.file, trial.line, trial.after))
        return report

    def _each(self, steps: Sequence[Step], jobs: int) -> Iterator[tuple[Step, Sequence[Found]]]:
        """What each step gives, as it comes. When interrupted, what has been begun is ended and nothing more begun."""
        waiting = iter(steps)
        running: dict[Future[Sequence[Found]], Step] = {}
        with ThreadPoolExecutor(jobs) as pool:
            try:
                while True:
                    for step in waiting:
                        running[pool.submit(step.call)] = step
                        if len(running) == jobs:
                            break
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield running.pop(future), future.result()
            except KeyboardInterrupt:
                self._interrupted.set()
                raise

    def _scores(self, grader: Grader) -> list[str]:
        """What is wrong with the points of the solution, and of the handout with a line of the student's own."""
        names = [part.name for part in self.parts]
        blank = {part.file: self._skeleton[part.file] + b"\n# my own\n" for part in self.parts}
        out_of = sum(part.points for part in self.parts)
        wrong = []
        for what, files, right in (("the solution", self._solved, out_of), ("the blank handout", blank, 0)):
            result = grader.grade(files, what, names)
            if result.points != right:
                tasks = [task for part in result.parts for task in part.tasks]
                where = [task.name for task in tasks if task.points != (task.out_of if right else 0)]
                wrong.append(
                    f"{what} gets {result.points:g} of {out_of} points, expected {right}; see {', '.join(where)}"
                )
        return wrong

    def _attack(self, entry: Any) -> list[Attack]:
        return [self._attacks.run(entry)]

    def _entries(self) -> Iterator[Any]:
        taken: dict[tuple[str, str], int] = {}
        for entry in self._attacks.entries:
            if entry.part not in [part.name for part in self.parts]:
                continue
            key = entry.kind, entry.part
            taken[key] = taken.get(key, 0) + 1
            if not self.quick or taken[key] <= QUICK_ATTACKS:
                yield entry

    def _mutants(self, part: Part) -> Iterator[tuple[Region, Mutant, bytes]]:
        """Each mutant of the solutions of the part's tasks, and the file that holds it."""
        text, encoding = decoded((self.source / part.file).read_bytes(), part.file)
        ways = student_ways(_names_of(text))
        tasks = [task.name for task in part.tasks]
        for region in (one for one in regions(self.source) if one.name in tasks):
            mutants = [one for one in mutants_of(region.code, ways) if _compiles(one.code)]
            if self.quick and len(mutants) > QUICK_MUTANTS:
                chosen = np.random.default_rng(0).choice(len(mutants), QUICK_MUTANTS, replace=False)
                mutants = [mutants[i] for i in sorted(chosen)]
            for mutant in mutants:
                yield region, mutant, replaced(text, part.file, {region.name: mutant.code}).encode(encoding)

    def _trials(self, part: Part, mutants: Sequence[tuple[Region, Mutant, bytes]]) -> list[Trial]:
        trials = []
        costs = self._questions[part.name].costs(self._tree, [content for _, _, content in mutants])
        for (region, mutant, content), its_costs in zip(mutants, costs, strict=True):
            if self._interrupted.is_set():
                break
            missed = its_costs.count(False)
            outcome = KILLED if not missed else EQUIVALENT if self._twins.is_twin(part, content) else SURVIVED
            line = region.first + mutant.line
            trials.append(Trial(region.name, part.file, line, mutant.before, mutant.after, outcome, missed))
        return trials


class _Questions:
    """What a part is asked with each secret, and what is right."""

    def __init__(self, part: Part, graders: Sequence[Grader]) -> None:
        self.part = part
        self.draws = [[(task, grader.drawn("selftest", task.name)) for task in part.tasks] for grader in graders]
        self.probes = [probe for draw in self.draws for _, drawn in draw for _, probe in drawn]
        self.expected = [expected_of(probe) for probe in self.probes]

    def costs(self, tree: Mapping[str, bytes], contents: Sequence[bytes]) -> list[list[bool]]:
        """For each of the part's files, and each secret, whether it costs points."""
        return [self._costs(answers) for answers in self._answers(tree, contents)]

    def _answers(self, tree: Mapping[str, bytes], contents: Sequence[bytes]) -> list[list[Answer]]:
        """Each file's answers, asked side by side in one process, each by a module of its own.

        When the process ends early, the file that ended it keeps what it has; those after it are asked again.
        """
        answers: list[list[Answer]] = []
        while len(answers) < len(contents):
            rest = contents[len(answers) :]
            stem = self.part.file.removesuffix(".py")
            names = [f"{stem}_{number}" for number in range(len(rest))]
            files = {f"{name}.py": content for name, content in zip(names, rest, strict=True)}
            probes = [replace(one, module=name.replace("/", ".")) for name in names for one in self.probes]
            found = ask({**tree, **files}, probes, ALL_OF_A_BATCH).answers
            each = len(self.probes)
            for i in range(0, len(found), each):
                answers.append(found[i : i + each])
                last = found[i + each - 1].failure
                if last is not None and last.kind == NO_ANSWER:
                    break
        return answers

    def _costs(self, given: Sequence[Answer]) -> list[bool]:
        answers = iter(given)
        expected = iter(self.expected)
        costs = []
        for draw in self.draws:
            asked = []
            for task, drawn in draw:
                checks, probes = [check for check, _ in drawn], [probe for _, probe in drawn]
                own = [next(answers) for _ in probes]
                asked.append(Asked(task, checks, probes, own, [next(expected) for _ in probes]))
            forgive(asked)
            points = sum(points_for(one.by_check(), one.task.points) for one in asked)
            costs.append(points < self.part.points)
        return costs


class _Twins:
    """Tells files that give what the solution gives, as far as probes of great variety tell."""

    def __init__(self, tree: Mapping[str, bytes], solved: Mapping[str, bytes]) -> None:
        self._tree = precompiled({**tree, **solved, LESSON: lesson_file()})
        self._known: dict[str, tuple[list[Probe], list[Answer]]] = {}
        self._lock = Lock()

    def is_twin(self, part: Part, content: bytes) -> bool:
        """Whether `content`, instead of the part's solution, gives the same; False where too little is known to ask."""
        probes, right = self._right(part)
        if all(probe.kind == "lesson" for probe in probes):
            return False
        answers = ask({**self._tree, part.file: content}, probes, THOROUGH).answers
        return all(_is_same(*one) for one in zip(probes, answers, right, strict=True))

    def _right(self, part: Part) -> tuple[list[Probe], list[Answer]]:
        with self._lock:
            if part.name not in self._known:
                probes = varied(part, np.random.default_rng(0))
                answers = ask(self._tree, probes, THOROUGH).answers
                usable = [i for i, answer in enumerate(answers) if answer.failure is None]
                self._known[part.name] = [probes[i] for i in usable], [answers[i] for i in usable]
            return self._known[part.name]


def _is_same(probe: Probe, answer: Answer, right: Answer) -> bool:
    """Whether an answer is the same but for the last bits."""
    if answer.failure is not None or answer.arrays.keys() != right.arrays.keys():
        return False
    is_single = "float32" in (probe.options.get("dtype"), *(str(array.dtype) for array in probe.arrays.values()))
    return all(_is_equal(answer.arrays[name], b, 1e-5 if is_single else 1e-12) for name, b in right.arrays.items())


def _is_equal(a: Array, b: Array, share: float) -> bool:
    if a.shape != b.shape:
        return False
    scale = min(1e3, float(np.abs(b[np.isfinite(b)], dtype=np.float64).max(initial=0.0)))
    return bool(np.allclose(a, b, rtol=share, atol=share * scale, equal_nan=True))


def _compiles(code: str) -> bool:
    """Whether Python takes the statements of a function; what it does not, no student hands in."""
    try:
        compile("def f():\n for _ in ():\n  " + "\n  ".join(code.splitlines()), "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _names_of(text: str) -> tuple[str, ...]:
    """What a module imports and defines."""
    names = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return tuple(names)
