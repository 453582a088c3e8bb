"""What runs inside the sandbox: a guard that ends everything, and the locked process that asks a student's code.

Run as `python -I -S -B child.py WALL ANSWERS LIFE`: the wall limit (s), the descriptor that answers go to, and the one
on which the guard tells (JSON) the locked process's wait status and whether it ran out of time. Standard input holds a
line of settings (JSON), then the probes (see protocol.py). The parent believes nothing that comes out of here beyond
"these are arrays", save the first frame: the missing locks, written before any of the student's code is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from handgrad.grading import locks
else:  # the package handgrad is the student's in here
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import locks


class _Over(BaseException):
    """Time is up (SIGALRM), or the parent has had enough or is gone (SIGTERM)."""


def main() -> NoReturn:
    wall, answers, life = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    parent = os.getppid()
    locks.die_with_parent(signal.SIGTERM)
    locks.adopt_orphans()
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, _over)
    child = os.fork()
    if child:
        _guard(child, wall, answers, life)
        if os.getppid() != parent:  # it was killed, and removes nothing any more
            import shutil

            shutil.rmtree(os.path.dirname(os.getcwd()), ignore_errors=True)
        os._exit(0)
    try:
        for number in (signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        locks.die_with_parent(signal.SIGKILL)
        os.close(life)
        os.setpgid(0, 0)
        _locked(answers)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(70)


def _over(number: int, frame: object) -> NoReturn:
    raise _Over(number)


def _guard(child: int, wall: float, answers: int, life: int) -> None:
    """Waits for `child` and ends whatever it leaves behind, daemons in sessions of their own too."""
    status, late = None, False
    try:
        signal.setitimer(signal.ITIMER_REAL, wall)
        for descriptor in (0, 1, 2, answers):  # the child's own
            os.close(descriptor)
        _, status = os.waitpid(child, 0)
    except _Over as over:
        late = over.args[0] == signal.SIGALRM
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    patience = time.monotonic() + 5
    while time.monotonic() < patience:
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        for pid in _children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == child:
            status = ended
        elif pid == 0:
            time.sleep(0.002)
    with contextlib.suppress(OSError):
        os.write(life, json.dumps({"status": status, "late": late}).encode())


def _children() -> list[int]:
    """The children of this process, adopted orphans among them (on Linux)."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _locked(answers: int) -> None:
    """Puts the locks on, then answers one probe after the other."""
    source = sys.stdin.buffer
    settings = json.loads(source.readline())
    missing = locks.limit(settings["cpu"], settings["memory"])
    sys.path.append(settings["packages"])
    if TYPE_CHECKING:
        from handgrad.grading import protocol
    else:
        import protocol  # with it NumPy, while the processor's description may still be read
    frame = protocol.frame
    questions = list(protocol.frames(source.read()))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.closerange(3, answers)
    os.closerange(answers + 1, 64)
    sys.path[0] = settings["tree"]
    sys.path.append(sys.path.pop(0))  # the standard library and NumPy come first
    view, folders = settings["view"], settings["folders"]
    missing += locks.lock(view, folders, bytes.fromhex(settings["filter"]))
    _send(answers, frame({"locks": missing}, {}))
    _answer(questions, answers, settings["tree"], frame)


def _answer(
    questions: list[tuple[dict[str, Any], dict[str, Any]]],
    answers: int,
    tree: str,
    frame: Callable[[Mapping[str, Any], Mapping[str, Any]], bytes],
    # bound before a student's code can exchange them
    flush: Callable[[], Any] = sys.stdout.flush,
    leave: Callable[[int], NoReturn] = os._exit,
) -> None:
    for index, (fields, arrays) in enumerate(questions):
        try:
            from handgrad.assignment.probes import Probe, run

            reply = frame({"probe": index}, run(Probe(**fields, arrays=arrays)))
        except BaseException as error:
            reply = frame({"probe": index, "error": _described(error, fields["module"], tree)}, {})
        _send(answers, reply)
        with contextlib.suppress(Exception):
            flush()
    leave(0)


def _send(descriptor: int, data: bytes, write: Callable[[int, bytes], int] = os.write) -> None:
    while data:
        data = data[write(descriptor, data) :]


def _described(error: BaseException, module: str, tree: str) -> list[str]:
    """[type's name, message, "file:line" of the student's file] of an error whose methods may be hostile too."""
    try:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:
        message = ""
    return [type(error).__name__[:100], str(message)[:2000], _place(error, module, tree)]


def _place(error: BaseException, module: str, tree: str) -> str:
    """Where in the student's file it happened: the innermost line there, else the innermost of the package."""
    theirs = module.removeprefix("handgrad.").replace(".", "/") + ".py"
    root = os.path.join(tree, "handgrad", "")
    places = []
    step = error.__traceback__
    while step is not None:
        places.append((step.tb_frame.f_code.co_filename, step.tb_lineno))
        step = step.tb_next
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno or 0))
    inside = [(path[len(root) :], line) for path, line in places if path.startswith(root)]
    inside = [(path, line) for path, line in inside if not path.startswith("assignment/")]
    own = [(path, line) for path, line in inside if path == theirs]
    return "{}:{}".format(*(own or inside)[-1]) if inside else ""


if __name__ == "__main__":
    main()
