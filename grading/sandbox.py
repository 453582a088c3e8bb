"""Asking a student's code without trusting it: a fresh, locked process each time, of which only arrays come back.

The parent never imports or unpickles anything of the child's. What the child may do, see and use up is bounded by locks
of the kernel; a lock that this system lacks is named in the outcome, and the remaining ones are applied all the same.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from handgrad.grading import syscalls
from handgrad.grading.protocol import Array, frame, frames

CHILD = Path(__file__).with_name("child.py")
PACKAGES = ("numpy", "scipy")
NO_ANSWER = "no answer"
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
    """Why there are no arrays: the error's type, its message, and the line of the student's file ("layers/fc.py:31")."""

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


@dataclass
class _Heard:
    """What came out of a child, as bytes."""

    answers: bytearray = field(default_factory=bytearray)
    log: bytearray = field(default_factory=bytearray)
    life: bytearray = field(default_factory=bytearray)


def ask(files: Mapping[str, bytes], probes: Sequence[Question], limits: Limits | None = None) -> Outcome:
    """What the package `handgrad` made of `files` (path -> content) answers to `probes`, asked in one fresh process.

    `files` is the whole tree: trusted, `assignment/probes` among it, but for the student's one file. Answers come in one after
    the other, so a child that ends early keeps those it gave; the probes after it are without an answer and can be asked
    again. When this returns, every process is ended and every file removed. SandboxError if the child could not be started.
    """
    limits = limits or Limits()
    with _folder() as folder:
        tree = _write(folder, files)
        settings = {
            **{"cpu": limits.cpu, "memory": limits.memory, "tree": str(tree), "packages": str(folder / "packages")},
            **{"view": [*_view(), str(tree)], "folders": [*_folders(), str(tree), str(folder / "packages")]},
            **{"filter": syscalls.program().hex(), "needed": [*_folders(), str(tree)]},
        }
        request = [json.dumps(settings).encode() + b"\n"]
        for probe in probes:
            fields = {name: getattr(probe, name) for name in ("kind", "module", "name", "options", "script")}
            request.append(frame(fields, probe.arrays))
        heard, cpu, crowded = _run(b"".join(request), tree, limits)
        outside = f"{tree}{os.sep}handgrad{os.sep}"
    log = plain(heard.log.decode(errors="replace").replace(outside, ""), limits.log)
    replies = frames(bytes(heard.answers))
    missing = next(replies, ({}, {}))[0].get("locks")
    if missing is None:
        raise SandboxError(f"the sandbox did not start: {log.strip()[-500:] or 'it said nothing'}")
    answers: list[Answer] = []
    for header, arrays in replies:
        if header.get("probe") != len(answers) or len(answers) == len(probes):
            break
        answers.append(_answer(header, arrays, outside))
    ended = _ending(heard.life, limits, cpu, crowded, len(answers) == len(probes))
    silent = Answer(failure=Failure(NO_ANSWER, f"the process {ended}"))
    answers += [silent] * (len(probes) - len(answers))
    return Outcome(answers, log, ended, missing, cpu)


def plain(text: str, length: int) -> str:
    """At most `length` characters of `text`, all of which can be printed and encoded."""
    kept = (
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text[:length]
    )
    return "".join(kept).encode(errors="replace").decode()


def _answer(header: Mapping[str, Any], arrays: Mapping[str, Array], outside: str) -> Answer:
    error = header.get("error")
    if error is None:
        return Answer(arrays)
    if not (isinstance(error, list) and len(error) == 3 and all(isinstance(text, str) for text in error)):
        return Answer(failure=Failure(NO_ANSWER, "the process answered with something that is no answer"))
    kind, message, where = (
        plain(text.replace(outside, ""), length) for text, length in zip(error, (100, 2000, 300), strict=True)
    )
    return Answer(failure=Failure(kind, message, where))


def _ending(life: bytes, limits: Limits, cpu: float, crowded: bool, complete: bool) -> str:
    """How it ended, as the rest of a sentence that begins "the process"."""
    try:
        told = json.loads(life)
        status, late = int(told["status"]), bool(told["late"])
    except (ValueError, TypeError, KeyError):  # the guard was ended too
        status, late = int(signal.SIGKILL), False
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if crowded:
        return f"answered with more than {limits.answers >> 20} MiB"
    if late:
        return f"took longer than {limits.wall:g} s"
    if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu >= limits.cpu):
        return f"used more than {limits.cpu} s of CPU time"
    if number:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(number).name}"
        return f"was ended by signal {number}"
    if complete:
        return "finished"
    return f"ended itself with exit code {os.WEXITSTATUS(status)}"


def _run(request: bytes, tree: Path, limits: Limits) -> tuple[_Heard, float, bool]:
    """Runs a child on `request` to its end; what it said, its CPU time, and whether it answered too much."""
    answers, to_answers = os.pipe()
    life, to_life = os.pipe()
    log, to_log = os.pipe()
    heard = _Heard()
    sources = {log: (heard.log, limits.log), answers: (heard.answers, limits.answers), life: (heard.life, 64)}
    command = [
        sys.executable,
        "-I",
        "-S",
        "-B",
        "-X",
        "utf8",
        str(CHILD),
        str(limits.wall),
        str(to_answers),
        str(to_life),
    ]
    try:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=to_log,
                stderr=to_log,
                pass_fds=(to_answers, to_life),
                cwd=tree,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        finally:
            for descriptor in (to_answers, to_life, to_log):
                os.close(descriptor)
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(request)
            crowded = _listen(process, sources, life, time.monotonic() + limits.wall + GRACE)
        finally:
            _, status, usage = _end(process)
            process.returncode = os.waitstatus_to_exitcode(status)
        for descriptor in (log, answers):  # what it left in the pipes; nobody writes any more
            _drain(descriptor, *sources[descriptor])
        return heard, usage.ru_utime + usage.ru_stime, crowded
    finally:
        for descriptor in sources:
            os.close(descriptor)


def _listen(
    process: subprocess.Popen[bytes], sources: Mapping[int, tuple[bytearray, int]], life: int, patience: float
) -> bool:
    """Takes in what comes until the guard is gone; whether more came than is kept of answers."""
    crowded = False
    with selectors.DefaultSelector() as selector:
        for descriptor in sources:
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        while time.monotonic() < patience:
            for key, _ in selector.select(timeout=1.0):
                kept, most = sources[key.fd]
                ended, over = _drain(key.fd, kept, most)
                if ended and key.fd == life:
                    return crowded
                if ended:
                    selector.unregister(key.fd)
                if over and most > 1 << 18 and not crowded:
                    crowded = True
                    os.kill(process.pid, signal.SIGTERM)  # Popen's own method would reap it
    return crowded


def _drain(descriptor: int, kept: bytearray, most: int) -> tuple[bool, bool]:
    """Reads what is there, keeping `most` bytes in all; whether the other end is closed, and whether more came."""
    over = False
    for _ in range(64):  # a flood of one does not keep the others waiting
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return False, over
        if not data:
            return True, over
        over = over or len(kept) + len(data) > most
        kept += data[: most - len(kept)]
    return False, over


def _end(process: subprocess.Popen[bytes]) -> tuple[int, int, Any]:
    """Waits for the guard, which ends its descendants; one that does not go is killed with its group."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)  # Popen's own method would reap it
    patience = time.monotonic() + GRACE
    while time.monotonic() < patience:
        found = os.wait4(process.pid, os.WNOHANG)
        if found[0]:
            return found
        time.sleep(0.001)
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    return os.wait4(process.pid, 0)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A new folder that only those who know its name can enter; gone at the end whatever was done to it."""
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="handgrad-")))
    try:
        folder.chmod(0o711)
        packages = folder / "packages"
        packages.mkdir()
        for name, place in _packages().items():
            (packages / name).symlink_to(place)
        yield folder
    finally:
        _remove(folder)


def _write(folder: Path, files: Mapping[str, bytes]) -> Path:
    tree = folder / "tree"
    for name, content in files.items():
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise ValueError(f"{name}: expected a path below the package")
        path = tree / "handgrad" / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    return tree


def _remove(folder: Path) -> None:
    """Removes `folder`, made unreadable or unwritable or nested as deep as may be."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(os.lstat(path).st_mode):
                    os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        subprocess.run(["rm", "-rf", "--", str(folder)], check=False, stderr=subprocess.DEVNULL)


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
