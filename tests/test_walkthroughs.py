"""Pages of the documentation whose code prints exactly what stands below it, and the notebook of the lecture."""

import re
from pathlib import Path

import pytest
from walkthrough import NOTEBOOK, PAGE, notebook, parts, run

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", ["graphs.md", "lecture.md"])
def test_the_code_of_a_page_prints_what_the_page_says(page, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    names = {}
    for _, code, expected in parts((DOCS / page).read_text(encoding="utf-8")):
        if code is not None:
            printed, _ = run(code, names)
            assert printed == (expected or ""), code


def test_the_lecture_has_all_of_its_rows_and_pictures():
    page = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## (L\d\d) ", page, re.MULTILINE) == [f"L{i:02}" for i in range(1, 25)]
    pictures = re.findall(r"!\[.*\]\((.*)\)", page)
    assert pictures and all((DOCS / picture).is_file() for picture in pictures)
    tests = Path(__file__).with_name("test_lecture.py").read_text(encoding="utf-8")
    assert {f"L{i:02}" for i in range(1, 25)} == set(re.findall(r"^def test_(L\d\d)_", tests, re.MULTILINE))


def test_the_notebook_is_the_page_and_prints_the_same():
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    page = PAGE.read_text(encoding="utf-8")
    kept, made = nbformat.read(NOTEBOOK, 4), notebook(page)
    assert [cell.source for cell in kept.cells] == [cell.source for cell in made.cells]
    expected = [output or "" for _, code, output in parts(page) if code is not None]
    for run_one in (kept, made):
        cells = [cell for cell in run_one.cells if cell.cell_type == "code"][1:]
        printed = ["".join(out.text for out in cell.outputs if out.output_type == "stream") for cell in cells]
        assert printed == expected
    shown = [key for cell in cells for out in cell.outputs for key in out.get("data", {}) if "image" in key]
    assert sorted(shown) == ["image/png"] * 3 + ["image/svg+xml"] * 2
