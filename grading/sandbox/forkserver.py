"""Locked processes that need not load Python and NumPy, since each is a copy (fork) of one that has.

Loading takes several times as long as what a student's code is asked. The server never runs such code and knows no
question: it makes a guard, which makes the locked process, which reads its questions itself (child.py).
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

CHILD = Path(__file__).with_name("child.py")
PACKAGES = ("numpy", "scipy")
GRACE = 10.0
"""Seconds beyond the wall limit after which a guard that does not report is itself ended."""

ENVIRONMENT = {
    "PATH": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "MALLOC_PERTURB_": "165",  # what np.empty gives is neither zero nor right by luck (where the C library is glibc)
    **{f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR")},
}


class SandboxError(RuntimeError):
    """The sandbox itself did not work; nothing is known about the student's code."""


class Heard(NamedTuple):
    """What came out of a locked process: answers and whether there were too many, its log, its guard's words (bytes);
    the CPU time (s) of all that ran; and what the server said of itself when it was lost."""

    answers: bytes
    is_crowded: bool
    log: bytes
    life: bytes
    cpu: float
    words: str

    @property
    def is_lost(self) -> bool:
        """Whether the guard or the server was ended from outside, or the process came to nothing before its time."""
        return not self.is_crowded and not (self.life and self.answers)


class Pipe:
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


class ForkServer:
    """A process of which locked ones are copies, one at a time. It ends when it is closed, or its owner is gone."""

    def __init__(self) -> None:
        seen = json.dumps(packages())
        self._control, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(CHILD), str(theirs.fileno()), seen],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._words,
                    pass_fds=(theirs.fileno(),),
                    cwd="/",
                    env=ENVIRONMENT,
                    start_new_session=True,
                )
        except OSError as error:
            self._control.close()
            self._words.close()
            raise SandboxError(f"no process could be started for the sandbox: {error}") from None
        self.close = weakref.finalize(self, _close, self._control, self._process, self._words)
        """Ends the server and all under it, and waits for that; once."""

    @property
    def is_there(self) -> bool:
        return self.close.alive and self._process.poll() is None

    def run(self, request: bytes, tree: Path, wall: float, most_answers: int, most_log: int) -> Heard:
        """Runs a copy that stands in the folder `tree` and reads `request`, to its end or for `wall` seconds."""
        pipes = answers, log, life = Pipe(most_answers), Pipe(most_log), Pipe(1 << 10)
        try:
            questions = self._begin(tree, wall, [pipe.writing for pipe in pipes])
            _talk(questions, request, answers, log, life, time.monotonic() + wall + GRACE)
            cpu, words = self._end()
            for pipe in pipes:  # what was left in them; nobody writes any more
                pipe.drain()
            return Heard(bytes(answers.kept), answers.over, bytes(log.kept), bytes(life.kept), cpu, words)
        except BaseException:
            self.close()
            raise
        finally:
            for pipe in pipes:
                os.close(pipe.reading)

    def _begin(self, tree: Path, wall: float, writing: list[int]) -> int:
        """Has a guard made that is given those ends of pipes; the end of one that the locked process reads."""
        reading, questions = os.pipe()
        try:
            message = json.dumps({"wall": wall, "tree": str(tree)}).encode()
            with contextlib.suppress(OSError):  # it is gone, and nothing will come
                socket.send_fds(self._control, [message], [reading, *writing])
        finally:
            for descriptor in (reading, *writing):
                os.close(descriptor)
        os.set_blocking(questions, False)
        return questions

    def _end(self) -> tuple[float, str]:
        """Has the guard end, which first ends all under it; the CPU time (s) of all, and the words of a lost server."""
        with contextlib.suppress(OSError):
            self._control.settimeout(2 * GRACE)
            self._control.sendall(b".")
            if told := self._control.recv(100):
                self._control.settimeout(None)
                return float(told), ""
        self._process.kill()
        self._words.seek(0)
        words = self._words.read().decode(errors="replace")
        self.close()
        return 0.0, words


def _close(control: socket.socket, process: subprocess.Popen[bytes], words: IO[bytes]) -> None:
    control.close()
    words.close()
    try:
        process.wait(2 * GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Own(threading.local):
    server: ForkServer | None = None


_own = _Own()
"""Each thread's server, which ends with the thread."""


def _forget() -> None:
    _own.server = None


if hasattr(os, "register_at_fork"):  # a copy of the grader's process may not speak to the same server
    os.register_at_fork(after_in_child=_forget)


def run(request: bytes, tree: Path, *, wall: float, most_answers: int, most_log: int, anew: bool = False) -> Heard:
    """What a locked process says that stands in the folder `tree` and reads `request`.

    It is a copy of this thread's server, or, `anew`, of one that nothing else is a copy of.
    """
    if anew:
        server = ForkServer()
        try:
            return server.run(request, tree, wall, most_answers, most_log)
        finally:
            server.close()
    if _own.server is None or not _own.server.is_there:
        _own.server = ForkServer()
    return _own.server.run(request, tree, wall, most_answers, most_log)


def _talk(questions: int, request: bytes, answers: Pipe, log: Pipe, life: Pipe, patience: float) -> None:
    """Writes the request and takes in what comes, until the guard has ended or more answers came than are kept."""
    left = memoryview(request)
    with selectors.DefaultSelector() as selector, open(questions, "wb", buffering=0) as sink:
        selector.register(sink, selectors.EVENT_WRITE)
        for pipe in (answers, log, life):
            selector.register(pipe.reading, selectors.EVENT_READ, pipe)
        while time.monotonic() < patience and not answers.over:
            for key, _ in selector.select(timeout=1.0):
                if key.fileobj is sink:
                    try:
                        left = left[sink.write(left) or 0 :]
                    except BrokenPipeError:
                        left = left[:0]
                    if not left:
                        selector.unregister(sink)
                elif key.data.drain():
                    selector.unregister(key.fd)
            if life.kept or life.reading not in selector.get_map():  # a pipe may be held open by who knows whom
                return


@lru_cache(maxsize=1)
def packages() -> dict[str, str]:
    """The folders of the packages in view, found without importing them. SandboxError if one is missing."""
    found = {}
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise SandboxError(f"{name} is not installed, and students' code needs it")
        found[name] = os.path.realpath(spec.submodule_search_locations[0])
    return found
