"""The grader against mistakes, right work in odd forms and attacks: see submissions/README.md."""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import zip_longest

import numpy as np
import pytest
import submissions
from sampling import some
from submissions import (
    CORRECT,
    FILES,
    HONEST_ARCHIVES,
    ODDITIES,
    POINTS,
    Hostile,
    part_of,
    plain,
    points_of,
    written,
    zipped,
)
from submissions.entry import SOURCE
from submissions.hostile.concealing import CONCEALING
from submissions.marking import SECRET, left_files, left_processes, marked

from handgrad.assignment.draws import probes_of
from handgrad.assignment.judge import judged
from handgrad.assignment.probes import ALONE, BESIDE, run
from handgrad.course.handout import skeleton
from handgrad.grading.sandbox import ask
from handgrad.grading.trees import asked_tree

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the sandbox's locks are Linux's")

BUGS, HOSTILE = some(submissions.BUGS, 10), some(submissions.HOSTILE, 10)
RIGHT = sum(POINTS.values())
NAMED = 0.9
"""The share of the bugs whose cause the report must say."""


def files_of(entry):
    """The file of the entry's part, as a student hands it in."""
    if getattr(entry, "file", None) is not None:
        return {FILES[entry.part]: entry.file.encode()}
    codes = entry.codes if hasattr(entry, "codes") else {entry.task: entry.code, **entry.beside}
    rest = {**plain(entry.part), **blank(entry.part)} if isinstance(entry, Hostile) else plain(entry.part)
    text = written(entry.part, {**rest, **codes}, getattr(entry, "module", ""))
    edit = getattr(entry, "edit", None)
    text = edit(text) if edit else text
    return {FILES[entry.part]: text if isinstance(text, bytes) else text.encode()}


def blank(part):
    return {task: f'raise NotImplementedError("{task}")' for task in POINTS if part_of(task) == part}


def packed(entries):
    """Submissions of all seven parts with at most one entry a part: parts are graded alone, so none hides another."""
    by_part = [[entry for entry in entries if entry.part == part] for part in FILES]
    return [[entry for entry in row if entry is not None] for row in zip_longest(*by_part)]


def whole(entries):
    files = {FILES[part]: written(part, plain(part)).encode() for part in FILES}
    for entry in entries:
        files |= files_of(entry)
    return files


def honest_part(hostile):
    """The part beside the attacking one that must keep its points."""
    return "sigmoid" if hostile.part == "relu" else "relu"


def attack(hostile):
    other = honest_part(hostile)
    files = {FILES[other]: written(other, plain(other)).encode(), **files_of(hostile)}
    files |= {path: text if isinstance(text, bytes) else text.encode() for path, text in hostile.extra.items()}
    if hostile.archive is not None:
        return hostile.archive(files)
    return zipped(files) if hostile.extra else files


CORPORA = {"bugs": BUGS, "correct": CORRECT, "oddities": ODDITIES}
ATTACKS = {entry.name: entry for entry in (*HOSTILE, *HONEST_ARCHIVES)}


def handed_in(key):
    """The submission of that key: a row of one of the corpora, or an attack."""
    kind, which = key
    return whole(packed(CORPORA[kind])[which]) if kind in CORPORA else attack(ATTACKS[which])


def keys(callspec):
    """Of a chosen test: the keys of the submissions it asks for."""
    for name, value in (callspec.params if callspec else {}).items():
        if name in ("key", "entry"):
            yield value if name == "key" else (value.kind, value.name)


@pytest.fixture(scope="session")
def marks(request):
    """marks(key) -> Marks of that submission; all that the chosen tests ask for are begun at once, in two processes."""
    context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else None)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        wanted = {key: None for item in request.session.items for key in keys(getattr(item, "callspec", None))}
        begun = {key: pool.submit(marked, handed_in(key), key[0] in CORPORA) for key in wanted}
        yield lambda key: (begun.get(key) or begun.setdefault(key, pool.submit(marked, handed_in(key)))).result()
        pool.shutdown(cancel_futures=True)


def rows(kind, entries):
    """A parameter for every entry: the key of the submission it is in, and the entry."""
    return [
        pytest.param((kind, number), entry, id=f"{entry.part}: {entry.name}")
        for number, row in enumerate(packed(entries))
        for entry in row
    ]


def test_plain_work_gets_full_marks(marks):
    assert sum(marked(whole([])).tasks.values()) == RIGHT


@pytest.mark.parametrize("key, bug", rows("bugs", BUGS))
def test_a_bug_costs_points_in_its_part_only(marks, key, bug):
    got = marks(key)
    assert got.part(bug.part) < points_of(bug.part)
    if not bug.spreads:
        others = [task for task in POINTS if part_of(task) == bug.part and task != bug.task]
        assert {task: got.tasks[task] for task in others} == {task: POINTS[task] for task in others}


@pytest.mark.parametrize("key", [("bugs", number) for number in range(len(packed(BUGS)))], ids=str)
def test_parts_without_a_bug_get_full_marks(marks, key):
    row = packed(BUGS)[key[1]]
    right = FILES.keys() - {bug.part for bug in row}
    assert {part: marks(key).part(part) for part in right} == {part: points_of(part) for part in right}


def test_the_report_says_the_cause(marks):
    silent = []
    for number, row in enumerate(packed(BUGS)):
        words = marks(("bugs", number)).words
        silent += [f"{bug.part}: {bug.name}: {words[bug.part]}" for bug in row if not bug.named_in(words[bug.part])]
    assert len(silent) <= (1 - NAMED) * len(BUGS), "\n\n".join(silent)


@pytest.mark.parametrize("key, correct", [*rows("correct", CORRECT), *rows("oddities", ODDITIES)])
def test_right_work_gets_full_marks(marks, key, correct):
    got = marks(key)
    assert got.part(correct.part) == points_of(correct.part), got.words[correct.part]


@pytest.mark.parametrize("entry", HONEST_ARCHIVES, ids=lambda entry: entry.name)
def test_honest_archives_get_full_marks(marks, entry):
    got = marks((entry.kind, entry.name))
    assert got.part(entry.part) == points_of(entry.part), got


@pytest.mark.parametrize("entry", HOSTILE, ids=lambda entry: f"{entry.kind}: {entry.name}")
def test_an_attack_does_not_pay(marks, entry):
    got = marks((entry.kind, entry.name))
    assert got.part(entry.part) <= entry.most + 1e-9, got
    if entry.others:
        assert got.part(honest_part(entry)) == points_of(honest_part(entry)), got
    if entry.must_review:
        assert got.flags
    assert SECRET not in got.log + got.flags + got.refused + "".join(got.words.values())


@pytest.fixture(scope="session")
def asked():
    return asked_tree(skeleton(SOURCE))


@pytest.mark.parametrize("hostile", CONCEALING, ids=lambda hostile: hostile.name)
def test_what_the_contract_forbids_cannot_be_concealed(asked, hostile):
    task = next(task for task, code in hostile.codes.items() if code != plain(hostile.part)[task])
    probes = [probe for check, probe in probes_of(task, np.random.default_rng(0)) if check == "contract"]
    answers = ask({**asked, **files_of(hostile)}, probes).answers
    expected = [run(probe) for probe in probes]
    for kind in ("", ALONE, BESIDE):
        verdicts = [
            judged(probe, answer.arrays, right, kind)
            for probe, answer, right in zip(probes, answers, expected, strict=True)
        ]
        assert not all(verdict.right for verdict in verdicts), kind


def test_nothing_is_left_behind(marks):
    for entry in HOSTILE:
        marks((entry.kind, entry.name))
    time.sleep(4)  # a daemon writes a file after 3 s
    assert (left_files(), left_processes()) == ([], [])
