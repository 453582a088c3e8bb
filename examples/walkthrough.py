"""Runs the page docs/lecture.md: writes its outputs and pictures anew, and makes the notebook lecture.ipynb of it.

python examples/walkthrough.py          needs handgrad[plot,notebook]
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE, NOTEBOOK = ROOT / "docs" / "lecture.md", ROOT / "examples" / "lecture.ipynb"

PART = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n^```\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL)
"""A block of Python, and the block without a language that may follow: what it prints."""


def parts(page: str) -> Iterator[tuple[str, str | None, str | None]]:
    """The page as (text, code, output) in turn; code is None after the last text, output where nothing is printed."""
    end = 0
    for match in PART.finditer(page):
        yield page[end : match.start()], match["code"], match["output"]
        end = match.end()
    yield page[end:], None, None


def run(code: str, names: dict[str, Any]) -> tuple[str, Any]:
    """What the code prints, and the value of its last line if that is an expression, as in a notebook."""
    tree, value, printed = ast.parse(code), None, io.StringIO()
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "the page", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "the page", "eval"), names)
    return printed.getvalue(), value


def refreshed(page: str, pictures: Path) -> str:
    """The page with what its code prints now; pictures are written into the folder by the number of their section."""
    done, names, section = [], {}, ""
    for text, code, _ in parts(page):
        done.append(text)
        section = (re.findall(r"^## (\w+)", text, re.MULTILINE) or [section])[-1]
        if code is not None:
            output, value = run(code, names)
            done.append(f"```python\n{code}```\n" + (f"\n```\n{output}```\n" if output else ""))
            if hasattr(value, "savefig"):
                value.savefig(pictures / f"{section}.png", dpi=110)
            elif hasattr(value, "_repr_svg_"):
                (pictures / f"{section}.svg").write_text(value._repr_svg_(), encoding="utf-8")
    return "".join(done)


def notebook(page: str) -> Any:
    """The page as a notebook that has been run; its pictures are outputs there."""
    import nbclient
    import nbformat

    new, cells = nbformat.v4, []
    for text, code, _ in parts(page):
        text = re.sub(r"^!\[.*\n", "", text, flags=re.MULTILINE).strip()
        if text:
            cells.append(new.new_markdown_cell(re.sub(r"\]\((?!\.\.|http)", "](../docs/", text)))
        if code is not None:
            cells.append(new.new_code_cell(code.rstrip("\n")))
    cells.insert(1, new.new_code_cell("%matplotlib inline"))
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    made = new.new_notebook(cells=cells, metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(
            made, timeout=120, record_timing=False, resources={"metadata": {"path": folder}}
        ).execute()
    return made


KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def main() -> None:
    import nbformat

    pictures = PAGE.parent / "lecture"
    pictures.mkdir(exist_ok=True)
    page = refreshed(PAGE.read_text(encoding="utf-8"), pictures)
    PAGE.write_text(page, encoding="utf-8")
    nbformat.write(notebook(page), NOTEBOOK)


if __name__ == "__main__":
    main()
