"""Time, memory, processes, output and disk used up; each bounded, so that a grader without locks suffers no harm."""

from ..entry import Hostile

ZEROS = "return np.zeros((len(x), self.out_features))"

NAMED = """
import os
import sys
import time


def take_a_name():
    '''The name by which the tests find what is still running.'''
    try:
        with open("/proc/self/comm", "w") as file:
            file.write("left-behind")
    except OSError:
        pass


def leave(seconds, folders=("/tmp", "/var/tmp", "/dev/shm", ".")):
    time.sleep(seconds)
    for folder in folders:
        try:
            with open(os.path.join(folder, "left-behind"), "w") as file:
                file.write("still here")
        except OSError:
            pass
"""


def _at_call(name: str, code: str, module: str = "", part: str = "fc") -> Hostile:
    return Hostile(name, "denial", part, {f"{part}.forward": code, f"{part}.backward": code}, module)


def _at_import(name: str, module: str) -> Hostile:
    return Hostile(name, "denial", codes={"fc.forward": ZEROS}, module=NAMED + module)


DENIAL = [
    _at_call("an endless loop", "while True:\n    pass"),
    _at_call(
        "an endless loop that catches everything",
        """
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass
    """,
    ),
    _at_call(
        "a sleep with every signal ignored",
        """
        for number in range(1, signal.NSIG):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(1)
    """,
        "import signal\nimport time",
    ),
    _at_call("a product that takes minutes in one call", "10 ** 10 ** 8\nreturn x"),
    _at_call("a regular expression that takes for ever", "import re\nre.match('(a+)+$', 'a' * 64 + 'b')\nreturn x"),
    _at_import(
        "four children that sleep",
        """
children = 0
for _ in range(4):
    try:
        pid = os.fork()
    except OSError:
        break
    if pid == 0:
        take_a_name()
        leave(60)
        os._exit(0)
""",
    ),
    _at_import(
        "a daemon: two forks and a session of its own",
        """
try:
    child = os.fork()
except OSError:
    child = -1
if child == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    take_a_name()
    for descriptor in range(64):
        try:
            os.close(descriptor)
        except OSError:
            pass
    leave(3)
    leave(57)
    os._exit(0)
""",
    ),
    _at_import(
        "a daemon that keeps the descriptors open",
        """
try:
    child = os.fork()
except OSError:
    child = -1
if child == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    take_a_name()
    leave(60)
    os._exit(0)
""",
    ),
    _at_import(
        "a program started in the background",
        """
import subprocess

try:
    code = "open('/proc/self/comm', 'w').write('left-behind'); import time; time.sleep(60)"
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
except OSError:
    pass
""",
    ),
    _at_import(
        "threads that never end",
        """
import threading

for _ in range(50):
    try:
        threading.Thread(target=time.sleep, args=(60,)).start()
    except RuntimeError:
        break
""",
    ),
    _at_call("4 GiB of memory", "held = [np.ones(2**25) for _ in range(16)]\nreturn x"),
    _at_call("4 GiB of memory in one list", "held = [0] * 2**29\nreturn x"),
    _at_call(
        "memory grown bit by bit, every MemoryError caught",
        """
        held = []
        for _ in range(200):
            try:
                if sum(map(len, held)) < 2**32:
                    held.append(bytearray(2**25))
            except MemoryError:
                pass
        return x
    """,
    ),
    _at_call("64 MB of output", "for _ in range(64):\n    print('x' * 2**20)\nreturn x"),
    _at_call(
        "64 MB to standard error, unbuffered",
        "import os\nfor _ in range(1024):\n    os.write(2, b'y' * 2**16)\nreturn x",
    ),
    _at_call(
        "output that is no text",
        "import os\nos.write(1, bytes(range(256)) * 100)\nos.write(2, b'\\x1b]0;title\\x07\\x00\\xff' * 100)\nreturn x",
    ),
    _at_call(
        "64 MB on the disk",
        """
        import os

        for folder in (".", "/tmp", "/var/tmp", "/dev/shm"):
            try:
                with open(os.path.join(folder, "left-behind"), "wb") as file:
                    for _ in range(16):
                        file.write(bytes(2**20))
            except OSError:
                pass
        return x
    """,
    ),
    _at_call(
        "a thousand empty files",
        """
        for i in range(1000):
            try:
                open(f"left-behind-{i}", "w").close()
            except OSError:
                break
        return x
    """,
    ),
    _at_call(
        "every descriptor opened",
        """
        held = []
        try:
            while len(held) < 5000:
                held.append(open("/dev/null"))
        except OSError:
            pass
        return x
    """,
    ),
    _at_call("a segmentation fault by ctypes", "import ctypes\nctypes.string_at(0)"),
    _at_call(
        "a segmentation fault without ctypes",
        """
        import sys

        sys.setrecursionlimit(10**9)
        f = lambda: f()
        return f()
    """,
    ),
    _at_call("abort", "import os\nos.abort()"),
    _at_call("recursion", "return self.forward(x)"),
    _at_call("a list nested 100,000 deep", "y = []\nfor _ in range(100_000):\n    y = [y]\nreturn y"),
    _at_call("a list that holds itself", "y = []\ny.append(y)\nreturn y"),
    _at_call("an array of 8 TB that takes no memory", "return np.broadcast_to(0.0, (10**6, 10**6))"),
    _at_call("an array of 1 GB", "return np.zeros(2**27)"),
    _at_call("ten million short arrays by name", "return x, {str(i): np.zeros(1) for i in range(10**7)}"),
    _at_call("an array of 64 dimensions, or as many as there can be", "return np.zeros((1,) * 32)"),
    _at_call("a generator that yields every second", "return (time.sleep(1) for _ in range(60))", "import time"),
    _at_call(
        "an object whose __array__ sleeps",
        "return Slow()",
        """
        import time


        class Slow:
            def __array__(self, *a, **k):
                time.sleep(60)
                return np.zeros(1)

            def __iter__(self):
                time.sleep(60)
                return iter(())
    """,
    ),
    _at_call(
        "a finalizer that never ends",
        "return Stuck()",
        """
        import time


        class Stuck:
            def __del__(self):
                time.sleep(60)
    """,
    ),
    _at_call("SIGSTOP to itself", "import os\nimport signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    _at_call(
        "a lock that is never released",
        "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire(timeout=60)",
    ),
    _at_call("standard input read for ever", "import sys\nsys.stdin.read()\nreturn x"),
    _at_call("an update that sleeps", "import time\ntime.sleep(60)", part="relu"),
]
