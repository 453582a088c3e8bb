"""What is flagged as a numeric derivative, in many disguises, and what honest code is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from submissions import CORRECT, FILES, ODDITIES, written
from submissions.numeric import DISGUISES, HIDDEN, HONEST
from submissions.plain import plain

from handgrad.course.handout import skeleton
from handgrad.grading import submission
from handgrad.grading.policy import Flag, flags


def numeric(path: str, text: str, given: str = "") -> list[Flag]:
    return [flag for flag in flags(path, text, given) if flag.kind == "numeric"]


@pytest.fixture(scope="module")
def handout() -> dict[str, bytes]:
    return skeleton(Path(submission.__file__).parents[1])


@pytest.mark.parametrize("name", DISGUISES)
def test_numeric_backwards_in_disguise(name: str) -> None:
    text = DISGUISES[name].text()
    compile(text, name, "exec")
    assert numeric("sigmoid.py", text), text


@pytest.mark.parametrize("name", HIDDEN)
def test_numeric_backwards_that_are_hidden(name: str) -> None:
    assert numeric("sigmoid.py", HIDDEN[name])


@pytest.mark.parametrize("name", HONEST)
def test_honest_code(name: str, handout: dict[str, bytes]) -> None:
    codes, module = HONEST[name]
    part = next(iter(codes)).split(".")[0]
    text = written(part, {**plain(part), **codes}, module)
    compile(text, name, "exec")
    assert numeric(FILES[part], text, submission.text(handout[FILES[part]])) == []


def test_right_submissions(handout: dict[str, bytes]) -> None:
    for right in [*CORRECT, *ODDITIES]:
        text = written(right.part, right.codes, right.module)
        assert flags(FILES[right.part], text, submission.text(handout[FILES[right.part]])) == [], right.name
