"""Asking a student's code without trusting it: a fresh, locked process each time, of which only arrays come back.

The parent never imports or unpickles anything of the child's. What the child may do, see and use up is bounded by locks
of the kernel; a lock that this system lacks is named in the outcome, and the remaining ones are applied all the same.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import marshal
import os
import selectors
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from handgrad.grading import syscalls
from handgrad.grading.folders import folder_for
from handgrad.grading.protocol import Array, frame, frames

CHILD = Path(__file__).with_name("child.py")
PACKAGES = ("numpy", "scipy")
NO_ANSWER, FINISHED = "no answer", "finished"
GRACE = 10.0
"""Seconds beyond the wall limit after which a guard that does not report is itself ended."""

ENVIRONMENT = {
    "PATH": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    **{f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR")},
}


class SandboxError(RuntimeError):
    """The sandbox itself did not work; nothing is known about the student's code."""


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


class _Pipe:
    """A pipe out of the child, of which the first `most` bytes are kept and the rest is thrown away."""

    def __init__(self, most: int):
        self.kept, self.most, self.over = bytearray(), most, False
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def drain(self) -> bool:
        """Reads what is there; whether the other end is closed."""
        for _ in range(64):  # a flood of one does not keep the others waiting
            try:
                data = os.read(self.reading, 1 << 16)
            except BlockingIOError:
                return False
            if not data:
                return True
            room = self.most - len(self.kept)
            self.over = self.over or len(data) > room
            self.kept += data[:room]
        return False


def ask(files: Mapping[str, bytes], probes: Sequence[Question], limits: Limits | None = None) -> Outcome:
    """What the package `handgrad` made of `files` (path -> content) answers to `probes`, asked in one fresh process.

    `files` is the whole tree, trusted (`assignment/probes` among it) but for the student's one file. Answers come in
    one after the other, so a child that ends early keeps those it gave; the probes after it have no answer and can be
    asked again. When this returns, every process is ended and every file removed. May be called from several threads.
    SandboxError if the sandbox did not start.
    """
    limits = limits or Limits()
    if not hasattr(os, "fork"):
        raise SandboxError(f"grading needs Linux (or, with fewer locks, macOS), and this is {sys.platform}")
    with folder_for(sum(map(len, files.values()))) as folder:
        _link_packages(folder / "packages")
        tree = _write(folder, files)
        readable = [str(tree), str(folder / "packages")]
        settings = {
            "cpu": limits.cpu,
            "memory": limits.memory,
            "tree": readable[0],
            "packages": readable[1],
            "view": [*_view(), *readable],
            "folders": [*_folders(), *readable],
            "filter": syscalls.program().hex(),
        }
        request = [json.dumps(settings).encode() + b"\n"]
        for probe in probes:
            fields = {name: getattr(probe, name) for name in ("kind", "module", "name", "options", "script")}
            request.append(frame(fields, probe.arrays))
        answered, log, life, cpu = _run(b"".join(request), tree, limits)
    hidden = [f"{tree}{os.sep}handgrad{os.sep}", f"{folder}{os.sep}", f"{CHILD.parent}{os.sep}"]
    text = plain(bytes(log.kept).decode(errors="replace"), limits.log, hidden)
    replies = frames(bytes(answered.kept))
    missing = next(replies, ({}, {}))[0].get("locks")
    if missing is None:
        raise SandboxError(f"the sandbox did not start: {text.strip()[-500:] or 'it said nothing'}")
    answers: list[Answer] = []
    for header, arrays in replies:
        if header.get("probe") != len(answers) or len(answers) == len(probes):
            break
        answers.append(_answer(header, arrays, hidden))
    crowded = answered.over and f"answered with more than {limits.answers / (1 << 20):g} MiB"
    ended = crowded or _ending(bytes(life.kept), limits, cpu, len(answers) == len(probes))
    silent = Answer(failure=Failure(NO_ANSWER, f"the process {ended}"))
    answers += [silent] * (len(probes) - len(answers))
    return Outcome(answers, text, ended, missing, cpu)


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


def _run(request: bytes, tree: Path, limits: Limits) -> tuple[_Pipe, _Pipe, _Pipe, float]:
    """Runs a child on `request` to its end: its answers, its log, what the guard said, and the CPU time (s) of all."""
    pipes = answers, log, life = _Pipe(limits.answers), _Pipe(limits.log), _Pipe(1 << 10)
    command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(CHILD)]
    try:
        try:
            process = subprocess.Popen(
                [*command, str(limits.wall), str(answers.writing), str(life.writing)],
                stdin=subprocess.PIPE,
                stdout=log.writing,
                stderr=log.writing,
                pass_fds=(answers.writing, life.writing),
                cwd=tree,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"no process could be started for the sandbox: {error}") from None
        finally:
            for pipe in pipes:
                os.close(pipe.writing)
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(request)
            _listen(answers, log, life, time.monotonic() + limits.wall + GRACE)
        finally:
            status, usage = _end(process.pid)
            process.returncode = os.waitstatus_to_exitcode(status)
        answers.drain()  # what was left in the pipe; nobody writes any more
        log.drain()
        return answers, log, life, usage.ru_utime + usage.ru_stime
    finally:
        for pipe in pipes:
            os.close(pipe.reading)


def _listen(answers: _Pipe, log: _Pipe, life: _Pipe, patience: float) -> None:
    """Takes in what comes, until the guard is gone or more answers came than are kept."""
    with selectors.DefaultSelector() as selector:
        for pipe in (answers, log, life):
            selector.register(pipe.reading, selectors.EVENT_READ, pipe)
        while time.monotonic() < patience and not answers.over:
            for key, _ in selector.select(timeout=1.0):
                if key.data.drain():
                    selector.unregister(key.fd)
                    if key.data is life:
                        return


def _end(guard: int) -> tuple[int, Any]:
    """Ends the guard, which first ends all under it; (wait status, usage). One that does not go is killed."""
    patience = time.monotonic() + GRACE
    os.kill(guard, signal.SIGTERM)
    while time.monotonic() < patience:
        pid, status, usage = os.wait4(guard, os.WNOHANG)
        if pid:
            return status, usage
        time.sleep(0.001)
    with contextlib.suppress(OSError):
        os.killpg(guard, signal.SIGKILL)
    return os.wait4(guard, 0)[1:]


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
            file.write(content)
    for parent, _, _ in os.walk(tree):
        os.chmod(parent, 0o755)
    return tree


def _link_packages(folder: Path) -> None:
    folder.mkdir()
    for name, place in _packages().items():
        (folder / name).symlink_to(place)


@lru_cache(maxsize=1)
def _packages() -> dict[str, str]:
    """The folders of the packages in view, found without importing them. SandboxError if one is missing."""
    found = {}
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise SandboxError(f"{name} is not installed, and students' code needs it")
        found[name] = os.path.realpath(spec.submodule_search_locations[0])
    return found


@lru_cache(maxsize=1)
def _folders() -> list[str]:
    """The folders that may be listed: the standard library's and the packages'."""
    library = [os.path.realpath(os.path.dirname(os.__file__)), os.path.realpath(sysconfig.get_path("platstdlib"))]
    return list(dict.fromkeys([*library, *_packages().values()]))


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
    for place in _packages().values():
        view += [place, f"{place}.libs"]
    prefixes = {os.path.dirname(library)}
    prefixes |= {os.path.realpath(path) for path in ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")}
    for prefix in prefixes:
        with contextlib.suppress(OSError):
            for entry in os.scandir(prefix):
                if ".so" in entry.name or "-linux-" in entry.name:
                    view.append(entry.path)
    return list(dict.fromkeys([*view, "/etc/ld.so.cache"]))
