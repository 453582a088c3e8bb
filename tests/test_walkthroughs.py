"""Pages of the documentation whose code prints exactly what stands below it."""

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ["graphs.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """(code, what must be printed) for each block of Python; the output is the block without a language after it."""
    found = [(match[1], match[2]) for match in BLOCK.finditer(text)]
    for i, (language, code) in enumerate(found):
        if language == "python":
            follows = found[i + 1] if i + 1 < len(found) else ("python", "")
            yield code, follows[1] if follows[0] == "" else ""


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_prints_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code, expected in blocks((DOCS / page).read_text()):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec"), names)
        assert printed.getvalue() == expected, code
