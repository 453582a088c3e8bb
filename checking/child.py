"""Runs checks in a child process, so that a layer that loops for ever, or brings Python down, costs only itself.

The child writes one line of JSON for each check it begins and ends; the parent kills it when a check takes too long,
and starts another for the checks that remain. Where the code was by then, the child's watchdog has noted in a file.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

import handgrad
from handgrad.assignment import importing

if TYPE_CHECKING:
    from handgrad.checking.targets import Check

MOST_MEMORY = 2**30
"""Bytes that a child may take besides what it begins with."""

GRACE = 10.0
"""Seconds that Python and NumPy may take to start, besides the timeout."""


WATCHDOG = 0.9
"""The share of the timeout after which the child notes where it is."""

FRAME = re.compile(r'  File "(.*)", line (\d+) in (.*)')


def run(request: dict[str, Any], timeout: float) -> Iterator[dict[str, Any]]:
    """The child's messages, and {"timeout": name} or {"died": name, "how": ...} where one ends a check.

    These two also have "frames", the places (file, line, function) where the code was, innermost first, as far as is
    known. With "part" in the request that file of a handout is checked, without the student's other files.
    """
    done = 0
    while True:
        messages = _one_child({**request, "from": done}, timeout)
        for message in messages:
            yield message
            if "report" in message or "timeout" in message or "died" in message:
                done += 1
            if "end" in message or "usage" in message:
                return
            if ("timeout" in message or "died" in message) and message["of"] <= done:
                return


def _one_child(request: dict[str, Any], timeout: float) -> Iterator[dict[str, Any]]:
    """The messages of one child, until it ends or is killed."""
    command = [sys.executable, str(Path(handgrad.__file__).parent / "gradcheck.py"), "--child"]
    part = {importing.PART: request["part"]} if "part" in request else {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        stack = Path(folder, "stack")
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **part},
        )
        assert child.stdin is not None and child.stdout is not None
        with child.stdout, child.stdin:
            try:
                child.stdin.write(json.dumps({**request, "stack": str(stack), "watchdog": WATCHDOG * timeout}))
                child.stdin.close()
                for message in _messages(child, child.stdout, timeout):
                    yield {**message, "frames": _frames(stack)} if {"timeout", "died"} & message.keys() else message
            finally:
                child.kill()
                child.wait()


def _frames(stack: Path) -> list[tuple[str, int, str]]:
    """The places in the file that the child's watchdog has written; none where it has not."""
    text = stack.read_text(encoding="utf-8", errors="replace") if stack.exists() else ""
    return [(file, int(line), function) for file, line, function in FRAME.findall(text)]


def _messages(child: subprocess.Popen[str], lines: IO[str], timeout: float) -> Iterator[dict[str, Any]]:
    arrived: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in lines:
            arrived.put(line)
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    arrays: list[str] = []
    current, of = "", 1
    while True:
        try:
            line = arrived.get(timeout=timeout + (0 if current else GRACE))
        except queue.Empty:
            yield {"timeout": current, "of": of, "arrays": arrays}
            return
        if line is None:
            yield {"died": current, "how": _how(child.wait()), "of": of, "arrays": arrays}
            return
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            continue  # printed by a module that was imported before the child could catch it
        if "begin" in message:
            current, of = message["begin"], message["of"]
        arrays = message.get("arrays", arrays)
        yield message
        if "end" in message or "usage" in message:
            return


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"exited with code {code}"


def serve() -> None:
    """The child's side: reads a request from standard input, writes messages to standard output.

    What the layers print is counted, or it would bury the report.
    """
    from handgrad.checking.report import Finding, Report
    from handgrad.checking.targets import TargetError

    _limit_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    request = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out, open(request["stack"], "w", encoding="utf-8") as stack:
        os.dup2(2, 1)
        faulthandler.enable(stack)

        def tell(**message: Any) -> None:
            out.write(json.dumps(message) + "\n")
            out.flush()

        try:
            found = _checks(request)
        except TargetError as error:
            tell(usage=str(error))
            return
        for i, check in enumerate(found):
            if i < request["from"]:
                continue
            tell(begin=check.name, number=i, of=len(found), arrays=list(check.mathematics))
            printed = Printed()
            _watch(stack, request["watchdog"])
            try:
                with redirect_stdout(printed), redirect_stderr(printed):
                    if not check.mathematics:
                        tell(arrays=check.arrays())  # to be named where the layer never comes to its end
                    report = check.run(
                        seed=request["seed"],
                        skip=tuple(request["skip"]),
                        at_kink=request["at_kink"],
                        domain=request["domain"],
                    )
            except TargetError as error:
                report = Report(check.name, request["seed"], unusable=str(error))
            except BaseException as error:  # SystemExit and KeyboardInterrupt of the layer's own, too
                message = f"could not be checked: {type(error).__name__}: {error}"
                report = Report(
                    check.name, request["seed"], findings=[Finding("layer", "crash", "not-checked", message)]
                )
            _watch(stack, 0)
            if printed.lines:
                report.notes.append(f"the layer prints {printed.lines:,} lines, the first: {printed.first.strip()!r}")
            tell(report=report.to_dict(), mathematics=dict(check.mathematics))
        tell(end=True)


def _checks(request: dict[str, Any]) -> list[Check]:
    """What there is to check; TargetError when there is nothing."""
    if "part" in request:
        from handgrad.assignment.asked import checks_of  # only a handout has parts

        return checks_of(request["part"], request["tasks"])
    from handgrad.checking.targets import TargetError, checks

    if importing.failures:
        raise TargetError("; ".join(importing.failures.values()))
    shapes = None if request["shapes"] is None else [tuple(shape) for shape in request["shapes"]]
    return checks(request["target"], shapes)


def _watch(stack: IO[str], seconds: float) -> None:
    """Lets the child note in `stack` where it is after so many seconds; with 0 no more."""
    if not hasattr(signal, "setitimer"):  # Windows
        return

    def note(signum: int, frame: FrameType | None) -> None:
        faulthandler.dump_traceback(stack, all_threads=False)

    signal.signal(signal.SIGALRM, note)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    """Lets a layer that takes more and more memory fail with a MemoryError before the machine does."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    pages = Path("/proc/self/statm")
    taken = int(pages.read_text().split()[0]) * resource.getpagesize() if pages.exists() else 2**32
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = taken + MOST_MEMORY
    if soft == resource.RLIM_INFINITY or soft > most:
        with suppress(ValueError, OSError):  # a system that knows no such limit
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))


class Printed(io.TextIOBase):
    """Counts what is printed, and keeps the first line."""

    def __init__(self) -> None:
        self.lines, self.first = 0, ""

    def write(self, text: str) -> int:
        if not self.lines and len(self.first) < 200:
            self.first += text.partition("\n")[0]
        self.lines += text.count("\n")
        return len(text)
