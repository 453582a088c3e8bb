"""What is left out of a handout must not be imported or packaged in it."""

from __future__ import annotations

import ast
import configparser
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from handgrad.assignment.tables import AssignmentError
from handgrad.course.markers import lines_of

WIDTH = 120


def without_lost_imports(texts: Mapping[str, str], lost_files: Collection[str]) -> dict[str, str]:
    """The `__init__.py` files, without the imports of modules that are left out, nor their names in `__all__`.

    What a package loses by that is lost for those that import it from there, too.
    """
    lost_modules = {_module(path) for path in lost_files if path.endswith(".py")}
    lost_names: dict[str, set[str]] = {}
    found = {}
    for path in sorted(texts, key=lambda path: (-path.count("/"), path)):  # inner packages first
        lines = lines_of(texts[path])
        lost: set[str] = set()
        for statement in _imports(ast.parse(texts[path])):
            gone = [alias for alias in statement.names if _is_lost(statement, alias, lost_modules, lost_names)]
            if gone:
                lost |= {alias.asname or alias.name for alias in gone}
                statement.names = [alias for alias in statement.names if alias not in gone]
                _put(lines, statement, _import(statement) if statement.names else "")
        for node in ast.parse(texts[path]).body:
            if lost and isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                _put(lines, node, _all(node, lost))
        lost_names[_module(path)] = lost
        found[path] = "".join(lines)
    return found


def without_lost_packages(setup: str, kept: Collection[str], extras: Sequence[str]) -> str:
    """setup.cfg with the packages and data that the kept files have, with some of the extras, and without tests."""
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read_string(setup, "setup.cfg")
        packages = config["options"]["packages"].split()
    except (configparser.Error, KeyError) as error:
        raise AssignmentError(f"setup.cfg: expected a list of packages in [options]: {error}") from None
    folders = {_module(path) for path in kept if path.endswith("__init__.py")}
    config["options"]["packages"] = "\n" + "\n".join(name for name in packages if name in folders)
    data = config["options.package_data"] if config.has_section("options.package_data") else {}
    for name in set(data) - folders:
        del data[name]
    known = config["options.extras_require"] if config.has_section("options.extras_require") else {}
    for name in extras:
        if name not in known:
            raise AssignmentError(f"setup.cfg: there is no extra {name!r}, which [handout] extras names")
    for name in set(known) - set(extras):
        del known[name]
    if extras:
        config["options.extras_require"]["all"] = f"\nhandgrad[{','.join(extras)}]"
    config.remove_section("tool:pytest")
    file = io.StringIO()
    config.write(file)
    return "\n".join(line.replace("\t", "    ").rstrip() for line in file.getvalue().splitlines()).strip() + "\n"


def _imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level)


def _is_lost(
    statement: ast.ImportFrom, alias: ast.alias, modules: Collection[str], names: Mapping[str, Collection[str]]
) -> bool:
    module = str(statement.module)
    return module in modules or f"{module}.{alias.name}" in modules or alias.name in names.get(module, ())


def _put(lines: list[str], statement: ast.stmt, text: str) -> None:
    """Puts the text, "" for nothing, in the statement's place; the lines keep their numbers."""
    assert statement.end_lineno is not None
    first = lines[statement.lineno - 1]
    indent, ending = first[: statement.col_offset], first[len(first.rstrip("\r\n")) :]
    new = "".join(indent + line + ending for line in text.splitlines())
    lines[statement.lineno - 1 : statement.end_lineno] = [new] + [""] * (statement.end_lineno - statement.lineno)


def _import(statement: ast.ImportFrom) -> str:
    line = ast.unparse(statement)
    if len(line) + statement.col_offset <= WIDTH:
        return line
    names = "".join(f"    {ast.unparse(alias)},\n" for alias in statement.names)
    return f"from {statement.module} import (\n{names})"


def _all(statement: ast.Assign, lost: Collection[str]) -> str:
    names = [name for name in ast.literal_eval(statement.value) if name not in lost]
    if statement.lineno == statement.end_lineno:
        return f"__all__ = [{', '.join(map(_quoted, names))}]"
    return "__all__ = [\n" + "".join(f"    {_quoted(name)},\n" for name in names) + "]"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _module(path: str) -> str:
    """`handgrad.layers.fc` of layers/fc.py, `handgrad.layers` of layers/__init__.py."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(("handgrad", *(part for part in parts if part != "__init__")))
