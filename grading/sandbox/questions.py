"""Asking a student's code without trusting it: a fresh, locked process each time, of which only arrays come back.

The parent never imports or unpickles anything of the child's. What the child may do, see and use up is bounded by locks
of the kernel; a lock that this system lacks is named in the outcome, and the remaining ones are applied all the same.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import marshal
import os
import signal
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from handgrad.grading.sandbox import syscalls
from handgrad.grading.sandbox.folders import folder_for
from handgrad.grading.sandbox.forkserver import CHILD, Heard, SandboxError, packages, run
from handgrad.grading.sandbox.protocol import Array, frame, frames

NO_ANSWER, FINISHED = "no answer", "finished"


class Question(Protocol):
    """A probe, as far as it is sent: plain data, and arrays."""

    @property
    def kind(self) -> str: ...
    @property
    def module(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def options(self) -> Any: ...
    @property
    def arrays(self) -> Mapping[str, Array]: ...
    @property
    def script(self) -> Any: ...


@dataclass(frozen=True)
class Limits:
    """What one child may use up: CPU time and wall time (s), address space, log and answers (bytes)."""

    cpu: int = 4
    wall: float = 20.0
    memory: int = 512 << 20
    log: int = 32 << 10
    answers: int = 16 << 20


@dataclass(frozen=True)
class Failure:
    """Why there are no arrays: the error's type, its message, the line of the student's file ("layers/fc.py:31")."""

    kind: str
    message: str
    where: str = ""


@dataclass(frozen=True)
class Answer:
    """What came back to one probe: named arrays, or the failure in their place (`NO_ANSWER` if nothing came)."""

    arrays: Mapping[str, Array] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True)
class Outcome:
    """One answer a probe, in order; what was printed; how the child ended; the locks it lacked; its CPU time (s)."""

    answers: list[Answer]
    log: str
    ended: str
    locks: list[str]
    cpu: float


def ask(
    files: Mapping[str, bytes], probes: Sequence[Question], limits: Limits | None = None, *, anew: bool = False
) -> Outcome:
    """What the package `handgrad` made of `files` (path -> content) answers to `probes`, asked in one fresh process.

    The processes of one thread begin with the same memory, hash seed and state of NumPy's generator, unless `anew`.

    `files` is the whole tree, trusted (`assignment/probes` among it) but for the student's one file. Answers come in
    one after the other, so a child that ends early keeps those it gave; the probes after it have no answer and can be
    asked again. When this returns, every process is ended and every file removed. May be called from several threads.
    SandboxError if the sandbox did not start, or was ended from outside.
    """
    limits = limits or Limits()
    if not hasattr(os, "fork"):
        raise SandboxError(f"grading needs Linux (or, with fewer locks, macOS), and this is {sys.platform}")
    try:
        with folder_for(sum(map(len, files.values()))) as folder:
            tree = _write(folder, files)
            heard = _heard(_request(tree, probes, limits), tree, limits, anew)
    except OSError as error:
        raise SandboxError(f"the sandbox could not be made: {error}") from None
    hidden = [f"{place}{os.sep}" for place in (tree / "handgrad", folder, CHILD.parent, *_sites())]
    log = plain(heard.log.decode(errors="replace"), limits.log, hidden)
    replies = frames(heard.answers)
    missing = next(replies, ({}, {}))[0].get("locks")
    if missing is None:
        said = plain(heard.words + log, limits.log, hidden).strip()[-500:]
        raise SandboxError(f"the sandbox did not start: {said or 'it said nothing'}")
    if heard.is_lost and not missing:  # without all locks the code itself may have ended it
        raise SandboxError("the sandbox was ended from outside, twice; is there too little memory?")
    answers: list[Answer] = []
    for header, arrays in replies:
        if header.get("probe") != len(answers) or len(answers) == len(probes):
            break
        answers.append(_answer(header, arrays, hidden))
    crowded = heard.is_crowded and f"answered with more than {limits.answers / (1 << 20):g} MiB"
    ended = crowded or _ending(heard.life, limits, heard.cpu, len(answers) == len(probes))
    silent = Answer(failure=Failure(NO_ANSWER, f"the process {ended}"))
    answers += [silent] * (len(probes) - len(answers))
    return Outcome(answers, log, ended, missing, heard.cpu)


def _request(tree: Path, probes: Sequence[Question], limits: Limits) -> bytes:
    """What the locked process reads: a line of settings, then the probes."""
    questions = []
    for probe in probes:
        fields = {name: getattr(probe, name) for name in ("kind", "module", "name", "options", "script")}
        questions.append(frame(fields, probe.arrays))
    settings = {
        "cpu": limits.cpu,
        "memory": limits.memory,
        "tree": str(tree),
        "view": [*_view(), str(tree)],
        "folders": [*_folders(), str(tree)],
        "filter": syscalls.program().hex(),
        "length": sum(map(len, questions)),
    }
    return b"".join([json.dumps(settings).encode(), b"\n", *questions])


def _heard(request: bytes, tree: Path, limits: Limits, anew: bool) -> Heard:
    """What came back; asked once more where that was lost: to an operator, a grader that stood still, or no memory."""
    for _ in range(2):
        heard = run(request, tree, wall=limits.wall, most_answers=limits.answers, most_log=limits.log, anew=anew)
        if not heard.is_lost:
            break
    return heard


def precompiled(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`files` with the bytecode of its modules, so that no child spends its time compiling them. Trusted sources only.

    The bytecode holds a hash of the source: a file that is exchanged later, the student's, is compiled by the child.
    """
    compiled = dict(files)
    for name, source in files.items():
        if name.endswith(".py"):
            with contextlib.suppress(SyntaxError, ValueError):
                code = marshal.dumps(compile(source, name, "exec", dont_inherit=True, optimize=0))
                kind = (0b11).to_bytes(4, "little")  # checked against the source's hash (PEP 552)
                head = importlib.util.MAGIC_NUMBER + kind + importlib.util.source_hash(source)
                compiled[importlib.util.cache_from_source(name, optimization="")] = head + code
    return compiled


def plain(text: str, length: int, hidden: Iterable[str] = ()) -> str:
    """At most `length` characters of `text` without the `hidden` folders, all of which can be printed and encoded."""
    for folder in hidden:
        text = text.replace(folder, "")
    kept = (
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text[:length]
    )
    return "".join(kept).encode(errors="replace").decode()


def _answer(header: Mapping[str, Any], arrays: Mapping[str, Array], hidden: Sequence[str]) -> Answer:
    error = header.get("error")
    if error is None:
        return Answer(arrays)
    if not (isinstance(error, list) and len(error) == 3 and all(isinstance(text, str) for text in error)):
        return Answer(failure=Failure(NO_ANSWER, "the process answered with something that is no answer"))
    kind, message, where = (plain(text, length, hidden) for text, length in zip(error, (100, 2000, 300), strict=True))
    return Answer(failure=Failure(kind, message, where))


def _ending(life: bytes, limits: Limits, cpu: float, complete: bool) -> str:
    """How it ended, as the rest of a sentence that begins "the process"."""
    try:
        told = json.loads(life)
        status, late = int(told["status"]), bool(told["late"])
    except (ValueError, TypeError, KeyError):  # the guard was ended too
        status, late = int(signal.SIGKILL), False
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if late:
        return f"took longer than {limits.wall:g} s"
    if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu >= limits.cpu):
        return f"used more than {limits.cpu} s of CPU time"
    if number:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(number).name}"
        return f"was ended by signal {number}"
    if complete:
        return FINISHED
    return f"ended itself with exit code {os.WEXITSTATUS(status)}"


def _write(folder: Path, files: Mapping[str, bytes]) -> Path:
    tree = folder / "tree"
    made: set[str] = set()
    for name, content in files.items():
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            raise ValueError(f"{name}: expected a path below the package")
        parent = os.path.join(tree, "handgrad", *parts[:-1])
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        descriptor = os.open(os.path.join(parent, parts[-1]), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with open(descriptor, "wb", buffering=0) as file:
            os.fchmod(descriptor, 0o644)  # whatever the umask
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tree))
    for parent, _, _ in os.walk(tree):
        os.chmod(parent, 0o755)
    return tree


@lru_cache(maxsize=1)
def _folders() -> list[str]:
    """The folders that may be listed: the standard library's and the packages'."""
    library = [os.path.realpath(os.path.dirname(os.__file__)), os.path.realpath(sysconfig.get_path("platstdlib"))]
    return list(dict.fromkeys([*library, *packages().values()]))


def _sites() -> list[str]:
    """The folders that the packages are installed in, which no message need tell."""
    return list(dict.fromkeys(os.path.dirname(place) for place in packages().values()))


@lru_cache(maxsize=1)
def _view() -> list[str]:
    """What may be read: the standard library without what is installed into it, the packages, and shared libraries."""
    library = os.path.realpath(os.path.dirname(os.__file__))
    view = [
        entry.path
        for folder in _folders()[:2]
        for entry in os.scandir(folder)
        if entry.name not in ("site-packages", "dist-packages")
    ]
    for place in packages().values():
        view += [place, f"{place}.libs"]
    prefixes = {os.path.dirname(library)}
    prefixes |= {os.path.realpath(path) for path in ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")}
    for prefix in prefixes:
        with contextlib.suppress(OSError):
            for entry in os.scandir(prefix):
                if ".so" in entry.name or "-linux-" in entry.name:
                    view.append(entry.path)
    return list(dict.fromkeys([*view, "/etc/ld.so.cache"]))
