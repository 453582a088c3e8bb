"""Asking a student's code: honest code answers, hostile code loses its own answer and nothing else."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from handgrad.grading import sandbox
from handgrad.grading.sandbox import (
    NO_ANSWER,
    Answer,
    Limits,
    Outcome,
    SandboxError,
    ask,
    folders,
    forkserver,
    precompiled,
)
from handgrad.grading.sandbox.protocol import LENGTH, Array, frame, frames

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the sandbox needs Linux or macOS")
linux = pytest.mark.skipif(sys.platform != "linux", reason="a lock of Linux")

PROBES = """
from dataclasses import dataclass
from importlib import import_module

@dataclass(frozen=True)
class Probe:
    kind: str
    module: str
    name: str
    options: dict
    arrays: dict
    script: list

def runner(kind):
    pass

def run(probe):
    return {"y": getattr(import_module("handgrad." + probe.module), probe.name)(**probe.arrays)}
"""
QUICK = Limits(cpu=1, wall=10.0)


@dataclass(frozen=True)
class Probe:
    """The smallest thing that can be asked: a function of the student's, applied to arrays."""

    name: str = "f"
    arrays: Mapping[str, Array] = field(default_factory=lambda: {"x": np.array([1.0, -2.0, 3.0])})
    kind: str = "call"
    module: str = "layers.fc"
    options: Mapping[str, Any] = field(default_factory=dict)
    script: tuple[Any, ...] = ()


def tree(code: str | bytes) -> dict[str, bytes]:
    """A package of which layers/fc.py is the student's."""
    student = code if isinstance(code, bytes) else dedent(code).encode()
    trusted = {name: b"" for name in ("__init__.py", "assignment/__init__.py", "layers/__init__.py")}
    return {**trusted, "assignment/probes/__init__.py": PROBES.encode(), "layers/fc.py": student}


def asked(code: str | bytes, *names: str, limits: Limits = QUICK) -> Outcome:
    return ask(tree(code), [Probe(name) for name in names or ("f",)], limits)


def y(answer: Answer) -> Array:
    assert answer.failure is None, answer.failure
    return answer.arrays["y"]


def failure(outcome: Outcome, index: int = 0) -> sandbox.Failure:
    found = outcome.answers[index].failure
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every folder is gone after every test."""
    folder = tmp_path / "folders"
    folder.mkdir()
    for above in [folder, *folder.parents][:3]:  # the child may be of another user
        above.chmod(0o711)
    folder.chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(folders, "MEMORY", "/nonexistent")
    yield
    assert list(folder.iterdir()) == []


class TestHonest:
    def test_answers_in_order(self) -> None:
        outcome = asked("def f(x): return 2 * x\ndef g(x): return x.sum()", "f", "g", "f")
        assert [y(answer).tolist() for answer in outcome.answers] == [[2.0, -4.0, 6.0], 2.0, [2.0, -4.0, 6.0]]
        assert outcome.ended == "finished"
        assert 0 < outcome.cpu < 5

    def test_arrays_keep_their_bits(self) -> None:
        special = np.array([[np.nan, np.inf, -0.0], [5e-324, 1e30, 0.1]])
        arrays: dict[str, Array] = {
            "float64": special,
            "float32": special.astype(np.float32),
            "integers": np.arange(-3, 3, dtype=np.int16).reshape(2, 3).T,
            "truth": np.array([True, False]),
            "complex": np.array(1 + 2j),
            "nothing": np.empty((0, 3)),
        }
        files = tree("def f(**arrays): return arrays")
        files["assignment/probes/__init__.py"] = PROBES.replace('{"y": ', "(").replace("arrays)}", "arrays))").encode()
        found = ask(files, [Probe(arrays=arrays)]).answers[0].arrays
        assert set(found) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype and found[name].shape == array.shape and found[name].flags.writeable

    def test_prints_are_kept(self) -> None:
        outcome = asked("def f(x):\n    print('\u03b1 =', x[0])\n    return x")
        assert outcome.log == "\u03b1 = 1.0\n"

    def test_an_error_is_told_with_its_line(self) -> None:
        outcome = asked("def helper(x):\n    return x @ x\n\ndef f(x):\n    return helper(x[:, None])")
        assert failure(outcome).kind == "ValueError"
        assert "matmul" in failure(outcome).message
        assert failure(outcome).where == "layers/fc.py:2"

    def test_a_syntax_error_is_told_with_its_line(self) -> None:
        assert failure(asked("x = 1\ndef f(x:\n")) == sandbox.Failure(
            "SyntaxError", "'(' was never closed", "layers/fc.py:2"
        )

    @pytest.mark.parametrize("code", ["def f(x):\r\n    return x\r\n", "\ufeffdef f(x):\n    return x\n"])
    def test_line_ends_and_marks(self, code: str) -> None:
        assert y(asked(code.encode()).answers[0])[0] == 1

    def test_another_encoding(self) -> None:
        assert (
            y(asked("# coding: latin-1\nd\xe9f = 2\ndef f(x): return d\xe9f * x".encode("latin-1")).answers[0])[0] == 2
        )

    def test_scipy_is_there(self) -> None:
        code = "def f(x):\n    import scipy.special, scipy.linalg, scipy.optimize\n    return scipy.special.expit(x)"
        assert y(asked(code, limits=Limits()).answers[0])[0] == pytest.approx(0.7310585786300049)

    def test_the_standard_library_is_there(self) -> None:
        code = """
        import collections, dataclasses, decimal, functools, itertools, json, math, random, statistics, time, typing
        def f(x):
            time.sleep(0.01)
            return x * math.ceil(random.Random(0).random())
        """
        assert y(asked(code).answers[0])[0] == 1

    def test_bytecode_of_a_file_that_is_exchanged_is_not_used(self) -> None:
        files = precompiled(tree("def f(x): return x"))
        assert any(name.endswith(".pyc") for name in files)
        changed = {**files, "layers/fc.py": b"def f(x): return -x"}
        assert y(ask(files, [Probe()]).answers[0])[0] == 1
        assert y(ask(changed, [Probe()]).answers[0])[0] == -1

    def test_several_at_a_time(self) -> None:
        found: dict[int, float] = {}

        def one(k: int) -> None:
            found[k] = float(y(asked(f"def f(x): return {k} * x").answers[0])[0])

        threads = [threading.Thread(target=one, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {k: float(k) for k in range(4)}


class TestEndings:
    @pytest.mark.parametrize(
        ("line", "kind"),
        [
            ("raise SystemExit(0)", "SystemExit"),
            ("sys.exit('done')", "SystemExit"),
            ("raise KeyboardInterrupt", "KeyboardInterrupt"),
            ("raise type('Odd', (BaseException,), {'__str__': lambda self: 1 / 0})", "Odd"),
            ("raise type('A' * 9999, (Exception,), {})('\\x1b[2J' + 'm' * 99999)", "A" * 100),
            ("sys.setrecursionlimit(10**6); return str(e(x))", NO_ANSWER),
            ("return e(x)", "RecursionError"),
            ("os._exit(0)", NO_ANSWER),
            ("os.abort()", NO_ANSWER),
            ("ctypes.string_at(0)", NO_ANSWER),
            ("os.closerange(0, 99)", NO_ANSWER),
            ("return bytearray(1 << 40)", "MemoryError"),
            ("return [' ' * (1 << 24) + str(k) for k in range(1000)]", "MemoryError"),
        ],
    )
    def test_an_end_costs_its_own_answer(self, line: str, kind: str) -> None:
        code = f"import ctypes, os, sys\ndef e(x): return e(x)\ndef g(x): return x\ndef f(x):\n    {line}"
        outcome = asked(code, "g", "f", "g")
        assert y(outcome.answers[0])[0] == 1
        assert failure(outcome, 1).kind == kind
        assert len(failure(outcome, 1).message) <= 2000
        assert "\x1b" not in failure(outcome, 1).message
        if kind == NO_ANSWER:
            assert failure(outcome, 2).kind == NO_ANSWER
        else:
            assert y(outcome.answers[2])[0] == 1

    def test_how_it_ended_is_told(self) -> None:
        outcome = asked("import os\ndef f(x): os._exit(3)")
        assert failure(outcome).message == "the process ended itself with exit code 3"
        assert asked("import ctypes\ndef f(x): ctypes.string_at(0)").ended == "was ended by SIGSEGV"

    @pytest.mark.parametrize("ignoring", ["", "signal.signal(signal.SIGXCPU, signal.SIG_IGN)"])
    def test_computing_without_end(self, ignoring: str) -> None:
        outcome = asked(f"import signal\n{ignoring}\ndef f(x):\n    while True: pass")
        assert outcome.ended == "used more than 1 s of CPU time"
        assert 0.9 < outcome.cpu < 4

    def test_waiting_without_end(self) -> None:
        code = """
        import signal, time
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        def f(x): time.sleep(60)
        """
        begun = time.monotonic()
        assert asked(code, limits=Limits(wall=1.0)).ended == "took longer than 1 s"
        assert time.monotonic() - begun < 8

    def test_a_flood_of_output(self) -> None:
        outcome = asked("import os\ndef f(x):\n    for _ in range(300): os.write(1, b'x' * 65536)\n    return x")
        assert y(outcome.answers[0])[0] == 1
        assert outcome.log == "x" * QUICK.log

    def test_too_large_an_answer(self) -> None:
        outcome = asked("import numpy as np\ndef f(x): return np.zeros(1 << 19)", limits=Limits(answers=1 << 20))
        assert failure(outcome).message == "the process answered with more than 1 MiB"


class TestServer:
    """The process that those of a thread are copies of."""

    @staticmethod
    def servers(thread: int = os.getpid()) -> set[int]:
        """The children of a thread: its server, if there is one."""
        return {int(pid) for pid in Path(f"/proc/self/task/{thread}/children").read_text().split()}

    @classmethod
    def guards(cls) -> set[int]:
        found: set[int] = set()
        for server in cls.servers():
            with suppress(FileNotFoundError):
                found |= {int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()}
        return found

    @staticmethod
    def end(whom: Callable[[], set[int]], number: int = signal.SIGKILL) -> None:
        for pid in whom():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @staticmethod
    def kinds(count: int, *, anew: bool) -> set[float]:
        """How a text's hash differs from process to process."""
        files = tree("def f(x): return hash('text') % 1000")
        return {float(y(ask(files, [Probe()], QUICK, anew=anew).answers[0])) for _ in range(count)}

    def test_processes_are_alike_unless_anew(self) -> None:
        assert len(self.kinds(3, anew=False)) == 1
        assert len(self.kinds(4, anew=True)) > 1

    def test_no_process_finds_what_another_left(self) -> None:
        code = """
        import numpy, os, sys
        def f(x):
            found = hasattr(numpy, 'left') + hasattr(sys, 'left') + ('LEFT' in os.environ)
            numpy.left = sys.left = os.environ['LEFT'] = 'left'
            return found
        """
        assert y(asked(code).answers[0]) == y(asked(code).answers[0]) == 0

    def test_no_process_finds_what_is_known_of_another(self) -> None:
        code = """
        import sys
        def f(x):
            frame, found = sys._getframe(), []
            while frame is not None:
                found += [value for value in frame.f_locals.values() if type(value) is float]
                frame = frame.f_back
            return found
        """
        found = [y(asked(code).answers[0]).tolist() for _ in range(3)]
        assert found[0] == found[1] == found[2] and QUICK.wall in found[0]

    def test_interrupting_the_grader_leaves_nothing(self) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupted)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            with pytest.raises(KeyboardInterrupt):
                asked("import time\ndef f(x): time.sleep(60)")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert y(asked("def f(x): return x").answers[0])[0] == 1

    @linux
    def test_who_is_lost_is_asked_again(self) -> None:
        """The server or the guard, ended by an operator or for lack of memory."""
        for whom in (self.servers, self.guards):
            asked("def f(x): return x")
            killing = threading.Timer(0.5, self.end, [whom])
            killing.start()
            begun = time.monotonic()
            outcome = asked("import time\ndef f(x):\n    time.sleep(1)\n    return x")
            assert y(outcome.answers[0])[0] == 1 and time.monotonic() - begun > 1.4
        self.end(self.servers)  # between two
        assert y(asked("def f(x): return x").answers[0])[0] == 1

    @linux
    def test_who_is_lost_again_is_no_answer(self) -> None:
        stop = threading.Event()

        def without_end() -> None:
            while not stop.wait(0.1):
                self.end(self.guards)

        killing = threading.Thread(target=without_end)
        killing.start()
        try:
            with pytest.raises(SandboxError, match=r"ended from outside, twice|did not start"):
                asked("import time\ndef f(x): time.sleep(60)")
        finally:
            stop.set()
            killing.join()

    @linux
    def test_a_server_that_stands_still_is_replaced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forkserver, "GRACE", 0.5)
        asked("def f(x): return x")
        self.end(self.servers, signal.SIGSTOP)
        large = Probe(arrays={"x": np.ones(1 << 17)})  # more than a pipe takes
        assert y(ask(tree("def f(x): return x"), [large], Limits(wall=1.0)).answers[0]).shape == (1 << 17,)

    @linux
    def test_a_pipe_that_another_process_holds_open_keeps_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        send, children = socket.send_fds, []

        def forking(*arguments: Any) -> int:
            children.append(os.fork())
            if not children[-1]:
                time.sleep(30)
                os._exit(0)
            return send(*arguments)

        monkeypatch.setattr(socket, "send_fds", forking)
        begun = time.monotonic()
        assert y(asked("def f(x): return x").answers[0])[0] == 1
        assert time.monotonic() - begun < 8
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def test_it_waits_for_processes_where_the_grader_does_not(self) -> None:
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            outcome = ask(tree("def f(x): return x"), [Probe()], QUICK, anew=True)
        finally:
            signal.signal(signal.SIGCHLD, before)
        assert outcome.ended == "finished" and outcome.cpu > 0

    def test_what_memory_held_is_neither_zero_nor_right(self) -> None:
        code = """
        import numpy as np
        def f(x):
            y = np.empty((300, 300))
            y += x[0]
            return y[:2, :2]
        """
        assert (np.abs(y(asked(code).answers[0])) > 1e100).all()

    @linux
    def test_it_ends_with_its_thread(self) -> None:
        found: list[set[int]] = []

        def one() -> None:
            asked("def f(x): return x")
            found.append(self.servers(threading.get_native_id()))

        thread = threading.Thread(target=one)
        thread.start()
        thread.join()
        (server,) = found[0]
        assert not Path(f"/proc/{server}").exists()

    @linux
    def test_a_killed_grader_leaves_nothing(self, tmp_path: Path) -> None:
        code = "import os, time\ndef f(x):\n    time.sleep(60)"
        script = f"""
        import sys, tempfile
        sys.path[:0] = {[str(Path(__file__).parent), *filter(None, sys.path)]!r}
        import test_sandbox
        tempfile.tempdir = {tempfile.gettempdir()!r}
        test_sandbox.folders.MEMORY = "/nonexistent"
        test_sandbox.asked({code!r})
        """
        grader = subprocess.Popen([sys.executable, "-c", dedent(script)])
        until(lambda: bool(children(grader.pid)))
        (server,) = children(grader.pid)
        until(lambda: bool(children(server)))
        (guard,) = children(server)
        until(lambda: bool(children(guard)))
        grader.kill()
        grader.wait()
        until(lambda: not Path(f"/proc/{server}").exists() and not Path(f"/proc/{guard}").exists())
        assert list(Path(tempfile.gettempdir()).iterdir()) == []


def children(pid: int) -> list[int]:
    with suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def until(condition: Callable[[], bool]) -> None:
    """Waits for `condition`, 20 s at most."""
    patience = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.02)


class TestPatching:
    @pytest.mark.parametrize(
        "patch",
        [
            "import builtins; builtins.len = builtins.open = builtins.isinstance = builtins.print = None",
            "import numpy; numpy.asarray = numpy.array = numpy.frombuffer = numpy.zeros_like = None",
            "import json, struct; json.dumps = json.loads = struct.pack = None",
            "import os; os.write = os._exit = os.dup2 = None",
            "import sys; sys.stdout = sys.stderr = None; sys.modules.clear()",
            "import sys; sys.stdout.close(); sys.__stdout__.close() if not sys.__stdout__.closed else 0",
            "import atexit; atexit.register(lambda: print('late' * 100))",
            "import sys; sys.settrace(lambda *a: 1 / 0); sys.setprofile(lambda *a: 1 / 0)",
            "import sys; sys.path.clear(); sys.meta_path.clear()",
        ],
    )
    def test_the_parent_goes_on(self, patch: str) -> None:
        outcome = asked(f"def g(x): return x\ndef f(x):\n    {patch}\n    return x", "g", "f")
        assert y(outcome.answers[0])[0] == 1
        assert outcome.answers[1].failure or outcome.answers[1].arrays["y"][0] == 1

    def test_only_numbers_are_answers(self) -> None:
        code = "class Equal:\n    def __eq__(self, other): return True\n    def __len__(self): return 3\n"
        values = ("object()", "'1.0'", "[x, 'a']", "[None]", "x.astype(object)", "x.astype('M8[s]')", "[[1], [1, 2]]")
        functions = [f"def f{k}(x): return {value}\n" for k, value in enumerate((*values, "Equal()"))]
        outcome = asked(code + "".join(functions), *(f"f{k}" for k in range(len(functions))))
        assert {failure(outcome, k).kind for k in range(len(functions))} <= {"TypeError", "ValueError"}

    def test_subclasses_become_arrays(self) -> None:
        code = """
        import numpy as np
        class Odd(np.ndarray):
            def tobytes(self): return b''
        def f(x): return x.view(Odd)
        """
        assert type(y(asked(code).answers[0])) is np.ndarray


FORGE = """
import sys, os, json, struct
def raw(header, body=b""):
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + body
def say(data):
    for k in range(3, 64):
        try: os.write(k, data)
        except OSError: pass
"""


class TestForging:
    def test_garbage_ends_the_reading(self) -> None:
        outcome = asked(FORGE + "def f(x): return x\ndef g(x):\n    say(b'\\xff' * 99)\n    return x", "f", "g", "f")
        assert y(outcome.answers[0])[0] == 1
        assert [answer.failure is None for answer in outcome.answers] == [True, False, False]

    @pytest.mark.parametrize(
        "header",
        [
            {"probe": 0, "arrays": [["y", "<f8", [1 << 30, 1 << 30]]]},
            {"probe": 5, "arrays": []},
            {"locks": [], "arrays": []},
        ],
    )
    def test_no_frame_that_breaks_a_rule_is_an_answer(self, header: dict[str, Any]) -> None:
        outcome = asked(FORGE + f"def f(x):\n    say(raw({header!r}) + bytes(64))\n    os._exit(0)")
        assert failure(outcome).kind == NO_ANSWER

    @pytest.mark.parametrize("error", [[1, 2, 3], "text"])
    def test_no_error_that_breaks_a_rule_is_one(self, error: object) -> None:
        header = {"probe": 0, "error": error, "arrays": []}
        outcome = asked(FORGE + f"def f(x):\n    say(raw({header!r}))\n    os._exit(0)")
        assert failure(outcome).kind == NO_ANSWER

    def test_a_second_answer_does_not_replace_the_first(self) -> None:
        forged = "say(raw({'probe': 0, 'arrays': [['y', '<f8', [1]]]}, struct.pack('<d', 7)))"
        outcome = asked(FORGE + f"def f(x): return x\ndef g(x):\n    {forged}\n    return x", "f", "g")
        assert y(outcome.answers[0]).tolist() == [1.0, -2.0, 3.0]
        assert failure(outcome, 1).kind == NO_ANSWER

    def test_more_answers_than_probes_are_not_read(self) -> None:
        forged = "say(raw({'probe': 0, 'arrays': []}) + raw({'probe': 1, 'arrays': []}))"
        outcome = asked(FORGE + f"def f(x):\n    {forged}\n    return x")
        assert len(outcome.answers) == 1

    def test_missing_locks_cannot_be_denied(self) -> None:
        code = FORGE + "say(raw({'locks': ['none'], 'arrays': []}))\ndef f(x): return x"
        assert "none" not in asked(code).locks

    def test_log_and_messages_can_be_printed(self) -> None:
        outcome = asked(
            "import os\ndef f(x):\n    os.write(1, b'\\x1b]0;\\xff\\x00')\n    raise ValueError('\\ud800\\x07')"
        )
        (outcome.log + failure(outcome).message).encode()
        assert not set(outcome.log + failure(outcome).message) & set("\x1b\x00\x07\ud800")


@linux
class TestLocks:
    """What the locks keep from a student's code; each is skipped where this system lacks the lock."""

    def refused(self, lock: str, lines: Sequence[str]) -> None:
        """Each line raises, all in one child."""
        names = [f"f{k}" for k in range(len(lines))]
        functions = [f"def {name}(x):\n    {line}\n    return x\n" for name, line in zip(names, lines, strict=True)]
        outcome = asked("import ctypes, os, signal, socket, subprocess, sys\n" + "".join(functions), *names)
        if any(missing.startswith(lock) for missing in outcome.locks):
            pytest.skip(f"this system lacks {lock}")
        for line, answer in zip(lines, outcome.answers, strict=True):
            assert answer.failure is not None, line
            assert answer.failure.kind in ("PermissionError", "RuntimeError"), (line, answer.failure)

    def test_system_calls(self) -> None:
        call = "if ctypes.CDLL(None).{}(0, 0, 0, 0, 0, 0) < 0: raise PermissionError"
        functions = ("ptrace", "process_vm_readv", "unshare", "mount", "klogctl", "prctl", "fork", "eventfd")
        self.refused(
            "system calls",
            [
                "os.fork()",
                "subprocess.run(['true'])",
                "os.execv('/bin/true', ['true'])",
                "os.posix_spawn('/bin/true', ['true'], {})",
                "socket.socket()",
                "socket.socketpair()",
                "os.kill(os.getppid(), 0)",
                "os.kill(1, 0)",
                "os.killpg(0, 0)",
                "os.setsid()",
                "os.memfd_create('a')",
                "os.nice(1)",
                "os.sched_setaffinity(0, {0})",
                "os.mkfifo('pipe')",
                "os.chmod('.', 0)",
                "os.symlink('a', 'b')",
                "os.chdir('/')",
                "open('new', 'w')",
                "open(__file__, 'a')",
                "open('/dev/shm/new', 'x')",
                "import threading; threading.Thread(target=print).start()",
                "import fcntl; fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
                "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
                *(call.format(function) for function in functions),
            ],
        )

    def test_files(self) -> None:
        paths = ["/etc/passwd", "/proc/self/environ", f"/proc/{os.getpid()}/maps", "/proc/1/cmdline"]
        paths += [os.path.abspath(path) for path in (__file__, sandbox.__file__, pytest.__file__)]
        lines = [f"open({path!r}).read()" for path in paths]
        self.refused("view of files", [*lines, "os.listdir('/tmp')", "os.listdir('../..')"])

    def test_modules(self) -> None:
        site = os.path.dirname(os.path.dirname(os.path.abspath(pytest.__file__)))
        modules = ("torch", "jax", "pytest", "handgrad.grading", "handgrad.losses.softmax_ce")
        functions = [f"def f{k}(x):\n    import {module}\n" for k, module in enumerate(modules)]
        for begin in ("import sys\n", f"import sys\nsys.path.insert(0, {site!r})\n"):
            outcome = asked(begin + "".join(functions), *(f"f{k}" for k in range(len(modules))))
            if not any(missing.startswith("view") for missing in outcome.locks):
                assert all(answer.failure and "rror" in answer.failure.kind for answer in outcome.answers)

    def test_environment_and_descriptors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HANDGRAD_SECRET", "secret")
        reading, writing = os.pipe()
        os.set_inheritable(reading, True)
        try:
            code = """
            import os
            def f(x):
                assert 'secret' not in str(os.environ) and set(os.listdir('.')) == {'handgrad'}
                return sum(1 for k in range(64) if is_open(k))
            def is_open(k):
                try: os.fstat(k)
                except OSError: return False
                return True
            """
            assert y(asked(code).answers[0]) == 4  # input, output, errors, answers
        finally:
            os.close(reading)
            os.close(writing)

    @pytest.mark.skipif(os.geteuid() != 0, reason="a lock of a grader run by root")
    def test_root_becomes_nobody(self) -> None:
        outcome = asked("import os\ndef f(x): return [*os.getresuid(), *os.getresgid(), len(os.getgroups())]")
        if "unprivileged user" not in outcome.locks:
            ids = y(outcome.answers[0])
            assert (ids[:6] > 60_000).all() and ids[6] == 0
            assert failure(asked("import os\ndef f(x): os.setuid(0)")).kind == "PermissionError"


WITHOUT_LOCKS = """
import ctypes, os, sys
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p

class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]

context = ctypes.c_void_p(lib.seccomp_init(0x7FFF0000))
for name, arg, value in (("prctl", 0, 22), ("prlimit64", 1, 6), ("setrlimit", 0, 6)):
    number = lib.seccomp_syscall_resolve_name(name.encode())
    lib.seccomp_rule_add_array(context, 0x50001, number, 1, ctypes.byref(Comparison(arg, 4, value, 0)))
lib.seccomp_rule_add_array(context, 0x50026, 444, 0, None)
assert lib.seccomp_load(context) == 0

sys.path[:0] = PATHS
import tempfile
import test_sandbox
tempfile.tempdir = FOLDER
test_sandbox.folders.MEMORY = "/nonexistent"
outcome = test_sandbox.asked(CODE)
print(repr((outcome.locks, outcome.log, outcome.ended)))
"""


def has_libseccomp() -> bool:
    import ctypes

    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    return sys.platform == "linux"


@pytest.mark.skipif(not has_libseccomp(), reason="a system without locks is made with libseccomp")
class TestWithoutLocks:
    """A kernel without Landlock, seccomp and limits of processes: named, and daemons and folders end all the same."""

    def run(self, code: str, tmp_path: Path) -> tuple[list[str], str, str]:
        folder = tmp_path / "folders"
        paths = [str(Path(sandbox.__file__).parents[3]), str(Path(__file__).parent), *filter(None, sys.path)]
        script = f"PATHS, FOLDER, CODE = {paths!r}, {str(folder)!r}, {dedent(code)!r}\n{WITHOUT_LOCKS}"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        locks, log, ended = eval(done.stdout.strip().splitlines()[-1])
        return locks, log, ended

    def test_missing_locks_are_named(self, tmp_path: Path) -> None:
        locks, _, ended = self.run("def f(x): return x", tmp_path)
        assert ended == "finished"
        assert {"system calls (seccomp)", "view of files (Landlock)", "resource limits (NPROC)"} <= set(locks)

    def test_daemons_end_with_it(self, tmp_path: Path) -> None:
        code = """
        import os, signal, time
        def f(x):
            for _ in range(3):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
                        os.write(1, b"%d\\n" % os.getpid())
                        time.sleep(60)
                    os._exit(0)
            time.sleep(0.3)
            return x
        """
        _, log, ended = self.run(code, tmp_path)
        assert ended == "finished"
        daemons = [int(pid) for pid in log.split()]
        assert len(daemons) == 3
        for pid in daemons:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    def test_folders_go_whatever_was_done_to_them(self, tmp_path: Path) -> None:
        code = """
        import os
        def f(x):
            if os.access('.', os.W_OK):  # root's tree is not its children's
                for _ in range(1500):
                    os.mkdir('a')
                    os.chdir('a')
                os.chmod('.', 0)
                os.chmod('/'.join(['..'] * 100), 0)
            return x
        """
        assert self.run(code, tmp_path)[2] == "finished"


class TestTheGrader:
    @pytest.mark.parametrize("words", ["ImportError: a broken NumPy", ""])
    def test_a_sandbox_that_does_not_start_is_no_answer(
        self, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
        python.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(python))
        with pytest.raises(SandboxError, match=f"did not start: {words or 'it said nothing'}"):
            ask(tree("def f(x): return x"), [Probe()], anew=True)

    def test_a_process_that_does_not_start_is_no_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.executable", "/nonexistent")
        with pytest.raises(SandboxError, match=r"no process could be started for the sandbox: .*No such file"):
            ask(tree("def f(x): return x"), [Probe()], anew=True)

    def test_paths_stay_in_the_tree(self) -> None:
        for path in ("/tmp/x.py", "../x.py", "a/../../x.py", ""):
            with pytest.raises(ValueError, match="below the package"):
                ask({path: b""}, [])

    def test_it_removes_the_folders_that_a_killed_one_left(self, tmp_path: Path) -> None:
        left, held, new, other = (
            Path(tempfile.gettempdir(), name) for name in (*[f"{folders.PREFIX}{letter}" for letter in "abc"], "other")
        )
        for folder in (left, held, new, other):
            (folder / "tree").mkdir(parents=True)
            if folder is not new:
                os.utime(folder, (0, 0))
        folders.remove_old.cache_clear()
        with folders.locked(held):
            asked("def f(x): return x")
        there = [folder.exists() for folder in (left, held, new, other)]
        for folder in (held, new, other):
            shutil.rmtree(folder)
        assert there == [False, True, True, True]

    def test_it_has_no_new_children_nor_handlers(self) -> None:
        def state() -> tuple[object, ...]:
            children = Path(f"/proc/self/task/{os.getpid()}/children")  # other tests may have some
            return signal.getsignal(signal.SIGTERM), sys.path[:], children.exists() and children.read_text()

        asked("def f(x): return x")  # which starts the server
        before = state()
        asked("import os\ndef f(x): os._exit(1)")
        assert state() == before


class TestProtocol:
    @pytest.mark.parametrize(
        "arrays",
        [
            {"y": 1},
            [["y", "<f8", [1 << 30, 1 << 30]]],
            [["y", "<f8", [0, 1 << 31]]],
            [["y", "<f8", [-1]]],
            [["y", "<f8", [True]]],
            [["y", "<f8", [1.0]]],
            [["y", "<f8", [1] * 9]],
            [["y", "<f8", 1]],
            [["y", "|O", [1]]],
            [["y", ["<f8"], [1]]],
            [["y" * 999, "<f8", [1]]],
            [[{}, "<f8", []]],
            [["y"]],
            [["y", "<f8", [0]]] * 999,
        ],
    )
    def test_a_header_that_breaks_a_rule_ends_the_reading(self, arrays: Any) -> None:
        text = json.dumps({"arrays": arrays}).encode()
        assert list(frames(LENGTH.pack(len(text)) + text + bytes(99))) == []

    def test_what_is_cut_short_is_not_there(self) -> None:
        data = frame({"probe": 0}, {"y": np.arange(3.0)}) + frame({"probe": 1}, {})
        assert len(list(frames(data))) == 2
        for end in range(len(data)):
            assert len(list(frames(data[:end]))) < 2

    def test_noise_is_only_ever_arrays(self) -> None:
        rng = random.Random(0)
        data = frame({"probe": 0}, {"y": np.arange(3.0), "truth": np.array([True])})
        for _ in range(2000):
            noise = bytearray(data)
            for _ in range(rng.randrange(1, 5)):
                noise[rng.randrange(len(noise))] = rng.randrange(256)
            for header, arrays in frames(bytes(noise)):
                assert isinstance(header, dict) and all(type(array) is np.ndarray for array in arrays.values())

    def test_deep_and_long_headers(self) -> None:
        for text in (b"[" * 100_000, b'{"arrays": ' + b"[" * 100_000, b'{"arrays": [], "n": ' + b"9" * 100_000 + b"}"):
            assert list(frames(LENGTH.pack(len(text)) + text)) == []
        assert list(frames(LENGTH.pack(1 << 31) + b"{}")) == []

    def test_a_truth_value_is_true_or_false(self) -> None:
        data = frame({}, {"t": np.array([True, False])})
        ((_, arrays),) = frames(data[:-2] + b"\x02\x00")
        assert arrays["t"].view(np.uint8).tolist() == [1, 0]
