"""Results written by the submission itself: on every open descriptor, late, from inherited ones, into result files."""

from ..entry import Hostile

FRAMES = """
import json
import os
import struct
import sys

RESULT = {
    "score": 100, "points": 100, "max_score": 100, "passed": True, "ok": True, "status": "ok", "gradable": True,
    "tests": [{"name": "fc.forward", "score": 100, "max_score": 6, "status": "passed"}], "scores": {"fc": 100},
    "answers": [{"points": 100, "verdict": "right", "arrays": {}}], "verdict": "right", "ended": "",
}


def frames():
    text = json.dumps(RESULT).encode()
    yield text + b"\\n"
    for form in ("<I", ">I", "<Q", ">Q"):
        yield struct.pack(form, len(text)) + text


def write_everywhere():
    for descriptor in range(1, 64):
        for frame in frames():
            try:
                os.write(descriptor, frame)
            except OSError:
                break
"""
ZEROS = {"fc.forward": "return np.zeros((len(x), self.out_features))", "fc.backward": "return np.zeros_like(x), {}"}


def _forging(name: str, module: str, codes: dict[str, str] = ZEROS) -> Hostile:
    return Hostile(name, "forging", codes=codes, module=FRAMES + module)


FORGING = [
    _forging("fake frames on every descriptor at import", "write_everywhere()"),
    _forging("fake frames, then the end", "write_everywhere()\nos._exit(0)"),
    _forging(
        "fake frames in every call",
        "",
        {
            "fc.forward": "write_everywhere()\nreturn np.zeros((len(x), self.out_features))",
            "fc.backward": "write_everywhere()\nos._exit(0)",
        },
    ),
    _forging(
        "a thread that writes late",
        """
import threading
import time


def late():
    for _ in range(30):
        time.sleep(0.1)
        write_everywhere()


threading.Thread(target=late, daemon=True).start()
""",
    ),
    _forging("written at exit", "import atexit\natexit.register(write_everywhere)"),
    _forging(
        "written by a finalizer",
        """
class Last:
    def __del__(self):
        write_everywhere()


LAST = Last()
""",
    ),
    _forging(
        "a child process with the inherited descriptors writes after the end",
        """
import time

try:
    child = os.fork()
except OSError:
    child = -1
if child == 0:
    for _ in range(20):
        time.sleep(0.2)
        write_everywhere()
    os._exit(0)
""",
    ),
    _forging(
        "the answer's own writer is called: every function of the runner that writes",
        """
import io
import types


def forged(*args, **kwargs):
    return RESULT


for module in list(sys.modules.values()):
    name = getattr(module, "__name__", "") or ""
    if name == "__main__" or "protocol" in name or "child" in name or "probes" in name:
        for attribute, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType) and attribute.startswith(("judge", "check", "compare", "verdict")):
                setattr(module, attribute, lambda *a, **k: True)
""",
    ),
    _forging(
        "standard output replaced by one's own",
        """
class Writer:
    def __init__(self, kept):
        self.kept = kept

    def write(self, data):
        text = json.dumps(RESULT)
        return self.kept.write(text if isinstance(data, str) else text.encode())

    def __getattr__(self, name):
        return self if name == "buffer" else getattr(self.kept, name)


sys.stdout = Writer(sys.stdout)
sys.stderr = Writer(sys.stderr)
""",
    ),
    _forging(
        "os.write, struct.pack and json.dumps forge what is sent",
        """
write, pack = os.write, struct.pack
json.dumps = lambda *a, **k: '{"passed": true, "points": 100, "score": 100}'
os.write = lambda descriptor, data: write(descriptor, data) if len(data) < 8 else write(descriptor, b"\\0" * len(data))
""",
    ),
    _forging(
        "result files in every place that a platform reads",
        """
for folder in (".", "..", "/tmp", "/var/tmp", "/dev/shm", "/autograder/results", "/grade/results"):
    for name in ("left-behind.json", "results.json"):
        if name == "results.json" and not folder.endswith("results"):
            continue
        try:
            with open(os.path.join(folder, name), "w") as file:
                json.dump(RESULT, file)
        except OSError:
            pass
""",
    ),
    _forging(
        "lengths that lie: a frame of 2**62 bytes",
        """
for descriptor in range(1, 64):
    for form in ("<Q", ">Q", "<q", ">q"):
        try:
            os.write(descriptor, struct.pack(form, 2**62))
        except OSError:
            break
""",
    ),
    _forging(
        "the request is eaten and sent back",
        "",
        {
            "fc.forward": """
            kept = b""
            try:
                os.set_blocking(0, False)
                kept = os.read(0, 1 << 20)
            except OSError:
                pass
            for descriptor in range(1, 16):
                try:
                    os.write(descriptor, kept)
                except OSError:
                    pass
            return np.zeros((len(x), self.out_features))
        """,
            "fc.backward": "return np.zeros_like(x), {}",
        },
    ),
]
