"""Importing a handout whose parts are being worked on: one broken file must not break the others.

Python imports a package's modules together, so that a syntax error in layers/relu.py would keep layers/fc.py from
being used. Therefore a handout's own commands import its parts, the student's files, by a finder of their own:

    handgrad check, pack, doctor        none of the student's: every part as it was handed out, with its tasks blank
    the process that checks a part      that part as it is now, the others as they were handed out
    handgrad train and the rest         every part as it is now

A part as it is now that cannot be imported stands in `failures`, with the sentence that says why, and is there as it
was handed out. Where `import handgrad` is written in a script of the student's own, nothing of this happens.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

from handgrad.assignment import original

PART = "HANDGRAD_PART"
"""The environment's variable that names the file of the part which a process is to check."""

PROGRAMS = ("handgrad", "handgrad-script", "handgrad.gradcheck", "gradcheck")
WITHOUT_PARTS = ("check", "pack", "doctor")

ROOT = Path(__file__).resolve().parent.parent

failures: dict[str, str] = {}
"""By the path of a part that cannot be imported: where and why."""


def is_handout() -> bool:
    """Whether this package is a handout, and neither its source nor an ordinary installation."""
    return (ROOT / "assignment.toml").is_file()


def is_part_checked(file: str) -> bool:
    """Whether `file` is that of the part which this process is to check."""
    part = os.environ.get(PART)
    return part is not None and file == str(ROOT / part)


def prepare() -> None:
    """Lets the parts be imported as this process needs them: to be called before any of them is."""
    command = _command()
    checked = os.environ.get(PART)
    if command is None and checked is None:
        return
    try:
        parts = original.read(ROOT).parts
    except original.OriginalError:
        return  # without it Python imports what there is; `handgrad doctor` tells of it
    if checked is not None:
        sys.meta_path.insert(0, _Finder(parts, {checked}, is_silent=True))
    else:
        sys.meta_path.insert(0, _Finder(parts, set() if command in WITHOUT_PARTS else set(parts)))


def program() -> str:
    """What was started: the name of a script without its suffix, or of a module."""
    name = Path(sys.argv[0]).stem if sys.argv else ""
    if name == "-m":
        name = sys.orig_argv[sys.orig_argv.index("-m") + 1] if "-m" in sys.orig_argv else ""
    return name


def _command() -> str | None:
    """The command of `handgrad COMMAND` or `python -m handgrad COMMAND`, "" of others of this package; else None."""
    if program() not in PROGRAMS:
        return None
    return next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the parts, and no others."""

    def __init__(self, parts: Mapping[str, bytes], current: set[str], *, is_silent: bool = False) -> None:
        """`current` are the parts to take as they are now; `is_silent` says to keep what they print to itself."""
        self._paths = {"handgrad." + path.removesuffix(".py").replace("/", "."): path for path in parts}
        self._parts, self._current, self._is_silent = parts, current, is_silent

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        part = self._paths.get(name)
        if part is None:
            return None
        loader = _Loader(part, self._parts[part], is_current=part in self._current, is_silent=self._is_silent)
        return spec_from_loader(name, loader, origin=str(ROOT / part))


class _Loader(importlib.abc.Loader):
    def __init__(self, path: str, original: bytes, *, is_current: bool, is_silent: bool) -> None:
        self._path, self._original, self._is_current, self._is_silent = path, original, is_current, is_silent

    def exec_module(self, module: ModuleType) -> None:
        if self._is_current:
            before = dict(vars(module))
            module.__file__ = str(ROOT / self._path)
            try:
                # Read here, and never from __pycache__, which a file saved twice in a second can be ahead of.
                code = compile((ROOT / self._path).read_bytes(), module.__file__, "exec", dont_inherit=True)
                with redirect_stdout(io.StringIO()) if self._is_silent else nullcontext():
                    exec(code, vars(module))
                missing = _definitions(self._path, self._original) - vars(module).keys()
                if not missing:
                    return
                raise ImportError(f"{', '.join(sorted(missing))} must be defined in it")
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # SystemExit of the part's own, too
                failures[self._path] = sentence(error, self._path)
                vars(module).clear()
                vars(module).update(before)
        exec(compile(self._original, f"<{self._path} as handed out>", "exec", dont_inherit=True), vars(module))


def _definitions(path: str, source: bytes) -> set[str]:
    """What other modules import of a part: its classes, and the function that it is named for."""
    tops = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return {node.name for node in tops if isinstance(node, ast.ClassDef) or node.name == Path(path).stem}


def sentence(error: BaseException, path: str) -> str:
    """Where and why the part in the file `path` cannot be imported."""
    if isinstance(error, OSError) and error.filename:
        return f"{path} cannot be read: {error.strerror}"
    if isinstance(error, SyntaxError):
        where = f", line {error.lineno}" if error.lineno else ""
        return f"{path}{where}: {type(error).__name__}: {error.msg}"
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(ROOT / path):
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f", line {line}" if line else ""
    return f"{path}{where}: {type(error).__name__}: {error}"
