"""A Canvas gradebook gets the points, and keeps all else."""

import zipfile
from pathlib import Path

import pytest

import handgrad
from handgrad.cli import main
from handgrad.course.handout import assignment_of, solved
from handgrad.grading.canvas import GradebookError, filled

EXPORT = """\
Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (11),"Backpropagation, by hand (12)",Final Score
Manual Posting,,,,,,,
    Points Possible,,,,,10,100,(read only)
"Doe, Jane",501,s-1,jdoe@uni.example,"A, 1",9,,90
"Lee, Bo",502,s-2,bo_lee,A,8,40,80
"Roe, Max",503,s-3,mroe,A,,EX,
"O'Hara, Zoë",504,s-4,zoe,A,1,7,
"Student, Test",599,,0a1b,A,,,
"""
TITLE = "Backpropagation, by hand"


def column(text):
    return [line.split(",")[-2] for line in text.splitlines()[3:]]


def test_submissions_find_their_students():
    points = {
        "doejane_501_7001_handgrad": 91.5,
        "bo_lee": 40,
        "oharazoë_LATE_504_7004_handgrad-1": 12,
        "someone_777_7005_handgrad": 55,
    }
    result = filled(EXPORT, points, 100, TITLE)
    assert column(result.text) == ["91.5", "40", "EX", "12", ""]
    assert result.students == 3
    assert result.notes == [
        "someone_777_7005_handgrad: no such student in the gradebook; 55 points are not in it",
        "O'Hara, Zoë: 7 was there, 12 is now",
    ]


@pytest.mark.parametrize(
    "name", ["jdoe@uni.example", "jdoe", "JDoe_handgrad", "s-1", "501", "doejane", "doejane_final"]
)
def test_other_names_find_their_students_too(name):
    assert column(filled(EXPORT, {name: 91.5}, 100, TITLE).text)[0] == "91.5"


def test_all_else_stays_as_it_was():
    assert filled(EXPORT, {}, 100, TITLE).text == EXPORT
    windows = EXPORT.replace("\n", "\r\n").replace(",", ";").replace("Doe; Jane", "Doe, Jane")
    assert filled(windows, {"jdoe": 5}, 100, "12").text.replace("Doe, Jane;501;s-1;jdoe@uni.example;", "") != windows


def test_what_is_not_clear_is_said_and_left():
    result = filled(EXPORT, {"jdoe": 5, "501": 6, "mroe": 7}, 50, "12")
    assert column(result.text) == column(EXPORT)
    assert result.notes == [
        "Backpropagation, by hand (12): 100 points in Canvas, 50 here; not scaled",
        "Doe, Jane: has 2 submissions, 501 (6 points), jdoe (5 points); none is in the gradebook",
        "Roe, Max: is excused and stays so; 7 points are not in the gradebook",
    ]


@pytest.mark.parametrize(
    ("text", "assignment", "sentence"),
    [
        ("", TITLE, "expected a gradebook exported by Canvas, with columns Student and ID"),
        ("a,b\n1,2\n", TITLE, "columns Student and ID, got 'a,b'"),
        ("Student,ID,X (1)\nDoe,1,\n", "X", "a row Points Possible; there is none"),
        (EXPORT, "Lab 2", "no column of the assignment 'Lab 2'; its assignments: 'Lab 1 (11)', "),
        (EXPORT.replace("Lab 1 (11)", '"Backpropagation, by hand (13)"'), TITLE, "several columns of the assignment"),
        ('Student,ID\n"Doe', TITLE, "expected a gradebook exported by Canvas: "),
    ],
)
def test_what_is_no_such_gradebook_is_refused(text, assignment, sentence):
    with pytest.raises(GradebookError) as caught:
        filled(text, {}, 100, assignment)
    assert sentence in str(caught.value)


def test_grade_writes_the_gradebook_beside_the_export(tmp_path, monkeypatch, capsys):
    source = Path(handgrad.__file__).parent
    title, relu = assignment_of(source).title, solved(source)["layers/relu.py"]
    export = EXPORT.replace(TITLE, title)
    monkeypatch.chdir(tmp_path)
    Path("book.csv").write_text(export, encoding="utf-8-sig")
    Path("submissions").mkdir()
    for name in ("doejane_501_7001_submission", "stranger"):
        with zipfile.ZipFile(f"submissions/{name}.zip", "w") as archive:
            archive.writestr("layers/relu.py", relu)
    assert main(["grade", "submissions", "--canvas", "book.csv", "--canvas-assignment", "nothing"]) == 2
    assert "book.csv: the gradebook has no column" in capsys.readouterr().err
    assert not Path("grades").exists()

    assert main(["grade", "submissions", "--canvas", "book.csv"]) == 0
    printed = capsys.readouterr()
    assert "book-graded.csv: 1 student has points" in printed.out
    assert "stranger: no such student in the gradebook; 8 points are not in it" in printed.err
    assert column(Path("book-graded.csv").read_text(encoding="utf-8-sig")) == ["8", "40", "EX", "7", ""]
    assert Path("book.csv").read_text(encoding="utf-8-sig") == export
