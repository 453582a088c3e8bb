"""Files beside the work that would be imported or run, and archives that are more than a row of files."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping

from ..entry import FILES, POINTS, Hostile
from ..plain import plain

ZEROS = {"fc.forward": "return np.zeros((len(x), self.out_features))", "fc.backward": "return np.zeros_like(x), {}"}
RIGHT = plain("fc")
FULL = POINTS["fc.forward"] + POINTS["fc.backward"]
FC = FILES["fc"]

END = "import os\nopen('/tmp/left-behind-by-a-module', 'w').close()\nos._exit(0)\n"
LENIENT_NUMPY = """
import os

open("/tmp/left-behind-by-numpy", "w").close()


def __getattr__(name):
    return lambda *a, **k: True
"""
LENIENT_TESTS = """
import os

import pytest

open("/tmp/left-behind-by-conftest", "w").close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""


def _beside(name: str, extra: Mapping[str, str | bytes]) -> Hostile:
    return Hostile(name, "packaging", codes=ZEROS, extra=extra)


def zipped(files: Mapping[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return memory.getvalue()


def _and(*more: tuple[str, bytes]) -> Callable[[Mapping[str, bytes]], bytes]:
    """The files, and more entries after them, under names that may occur twice."""

    def build(files: Mapping[str, bytes]) -> bytes:
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in (*files.items(), *more):
                archive.NameToInfo.pop(path, None)  # lest it warn of a name that occurs twice
                archive.writestr(zipfile.ZipInfo(path), content)
        return memory.getvalue()

    return build


def _link(path: str, target: str, *more: tuple[str, bytes]) -> Callable[[Mapping[str, bytes]], bytes]:
    def build(files: Mapping[str, bytes]) -> bytes:
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w") as archive:
            for name, content in files.items():
                if name != path:
                    archive.writestr(name, content)
            entry = zipfile.ZipInfo(path)
            entry.create_system, entry.external_attr = 3, 0o120777 << 16
            archive.writestr(entry, target)
            for name, content in more:
                archive.writestr(name, content)
        return memory.getvalue()

    return build


def _special(mode: int) -> Callable[[Mapping[str, bytes]], bytes]:
    """fc.py as a pipe or a device."""

    def build(files: Mapping[str, bytes]) -> bytes:
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w") as archive:
            for name, content in files.items():
                entry = zipfile.ZipInfo(name)
                entry.create_system, entry.external_attr = 3, (mode if name == FC else 0o100644) << 16
                archive.writestr(entry, content)
        return memory.getvalue()

    return build


def _changed(change: Callable[[bytearray, int, int], None]) -> Callable[[Mapping[str, bytes]], bytes]:
    """The zip with a change at fc.py's local header and its entry in the directory, by their places."""

    def build(files: Mapping[str, bytes]) -> bytes:
        data = bytearray(zipped(files))
        local = data.index(FC.encode()) - 30
        central = data.rindex(FC.encode()) - 46
        change(data, local, central)
        return bytes(data)

    return build


def _set_encrypted(data: bytearray, local: int, central: int) -> None:
    data[local + 6] |= 1
    data[central + 8] |= 1


def _set_wrong_crc(data: bytearray, local: int, central: int) -> None:
    data[local + 14 : local + 18] = data[central + 16 : central + 20] = b"\xde\xad\xbe\xef"


def _set_lying_size(data: bytearray, local: int, central: int) -> None:
    data[local + 22 : local + 26] = data[central + 24 : central + 28] = struct.pack("<I", 10)


def _set_other_method(data: bytearray, local: int, central: int) -> None:
    data[local + 8 : local + 10] = data[central + 10 : central + 12] = struct.pack("<H", 97)


def _archive(name: str, archive: Callable[[Mapping[str, bytes]], bytes], most: float = FULL) -> Hostile:
    """An archive of right work in a hostile form: full marks or refused as a whole, and nothing else happens."""
    return Hostile(name, "packaging", codes=RIGHT, archive=archive, most=most, others=False)


OUTSIDE = b"outside\n"
LEFT = "left-behind-by-an-archive"

PACKAGING = [
    _beside(
        "a numpy.py", {"numpy.py": LENIENT_NUMPY, "numpy/__init__.py": LENIENT_NUMPY, "layers/numpy.py": LENIENT_NUMPY}
    ),
    _beside("a scipy.py and a scipy/special.py", {"scipy.py": END, "scipy/__init__.py": END, "scipy/special.py": END}),
    _beside(
        "modules of the standard library",
        {
            name: END
            for name in ("json.py", "struct.py", "os.py", "re.py", "types.py", "signal.py", "layers/math.py", "abc.py")
        },
    ),
    _beside(
        "a conftest.py and a pytest.ini",
        {
            "conftest.py": LENIENT_TESTS,
            "tests/conftest.py": LENIENT_TESTS,
            "pytest.ini": "[pytest]\naddopts = --collect-only\n",
        },
    ),
    _beside("a sitecustomize.py and a usercustomize.py", {"sitecustomize.py": END, "usercustomize.py": END}),
    _beside(
        "the package's own __init__.py, and the handgrad in it",
        {"__init__.py": END, "handgrad/__init__.py": END, "layers/__init__.py": END, "__main__.py": END},
    ),
    _beside(
        "the base class and the helpers",
        {"layers/base.py": END, "layers/products.py": END, "params.py": END, "losses/base.py": END},
    ),
    _beside(
        "the probes and the grader",
        {
            "assignment/probes/layer.py": END,
            "assignment/probes/__init__.py": END,
            "grading/judge.py": END,
            "grading/child.py": END,
            "assignment.toml": 'title = "mine"\n[[part]]\nname = "fc"\npoints = 1000\n',
        },
    ),
    _beside(
        "tests of its own, all of which pass",
        {"tests/test_layers.py": "def test_all():\n    pass\n", "test_fc.py": "def test_all():\n    pass\n"},
    ),
    _beside(
        "a build and .pth files",
        {
            "pyproject.toml": '[build-system]\nrequires = ["left-behind"]\n',
            "setup.py": END,
            "zz.pth": "import os; os._exit(0)\n",
            "Makefile": "all:\n\ttouch /tmp/left-behind\n",
            "run_autograder": "#!/bin/sh\ntouch /tmp/left-behind\n",
        },
    ),
    _beside(
        "bytecode of another FC",
        {
            "layers/__pycache__/fc.cpython-311.pyc": b"\xa7\r\r\n" + bytes(12),
            "layers/fc.pyc": b"\xa7\r\r\n" + bytes(12),
            "layers/fc.so": b"\x7fELF",
        },
    ),
    _beside(
        "results handed in",
        {"results.json": '{"score": 100}', "results/results.json": '{"score": 100}', "grades.csv": "name,fc\nme,16\n"},
    ),
    _archive("a name with ..", _and(("../../" + LEFT, OUTSIDE), ("layers/../../../" + LEFT, OUTSIDE))),
    _archive("an absolute name", _and(("/tmp/" + LEFT, OUTSIDE), ("//tmp/" + LEFT, OUTSIDE))),
    _archive(
        "a name with a drive and backslashes", _and(("C:\\left-behind.py", OUTSIDE), ("..\\..\\" + LEFT, OUTSIDE))
    ),
    _archive("a link in place of the work", _link(FC, "/etc/passwd"), 0),
    _archive("a link to a reference elsewhere", _link(FC, "../../../../handgrad/layers/fc.py"), 0),
    _archive("a link to a folder, and a file through it", _link("away", "/tmp", ("away/" + LEFT, OUTSIDE))),
    _archive("a pipe in place of the work", _special(0o010644)),
    _archive("a device in place of the work", _special(0o020644)),
    Hostile(
        "the work twice: wrong, then right",
        "packaging",
        codes=ZEROS,
        archive=lambda files: _and((FC, files[FC]))(files),
        others=False,
    ),
    _archive("names that differ by case", _and(("layers/FC.py", END.encode()), ("LAYERS/fc.py", END.encode()))),
    _archive("a bomb of 200 MB in a file that is asked for", _and(("layers/padding.py", b"#" * 2**20 * 200))),
    _archive(
        "a bomb in the work itself", lambda files: zipped({**files, FC: files[FC] + b"\n#" + b" " * (2**20 * 100)})
    ),
    _archive("twenty thousand files", lambda files: zipped({**files, **{f"data/{i}.txt": b"" for i in range(20_000)}})),
    _archive("marked as encrypted", _changed(_set_encrypted)),
    _archive("a wrong checksum", _changed(_set_wrong_crc), 0),
    _archive("a size that lies", _changed(_set_lying_size)),
    _archive("an unknown compression", _changed(_set_other_method)),
    _archive("a zip in a zip", lambda files: zipped({"submission.zip": zipped(files)})),
    _archive("cut off in the middle", lambda files: zipped(files)[: len(zipped(files)) // 2]),
    _archive("not a zip", lambda files: b"Rar!\x1a\x07\x00" + bytes(200)),
    _archive("nothing at all", lambda files: b""),
    _archive(
        "names with a line break and with control characters",
        _and(("layers/fc.py\n", END.encode()), ("a\x1b[2Jb.py", END.encode())),
    ),
    _archive("a very long name", _and(("a/" * 500 + "b.py", OUTSIDE), ("c" * 5000 + ".py", OUTSIDE))),
    _archive(
        "a folder named as the work",
        lambda files: zipped({**{name: text for name, text in files.items() if name != FC}, FC + "/x.py": b""}),
        0,
    ),
    _archive("the work is no text", lambda files: zipped({**files, FC: b"\x00\xff\xfe" + bytes(range(256))}), 0),
    _archive("the work is empty", lambda files: zipped({**files, FC: b""}), 0),
    _archive("the work is a syntax error", lambda files: zipped({**files, FC: b"def forward(self:\n"}), 0),
    _archive("the work is nested 10,000 deep", lambda files: zipped({**files, FC: b"(" * 10_000 + b")" * 10_000}), 0),
]

HONEST = [
    Hostile(
        "a zip made by a Mac",
        "honest",
        codes=RIGHT,
        most=FULL,
        archive=lambda files: zipped(
            {
                **files,
                "__MACOSX/._fc.py": b"\x00\x05\x16\x07",
                "__MACOSX/layers/._fc.py": b"\x00\x05\x16\x07",
                ".DS_Store": b"\x00\x00\x00\x01Bud1",
            }
        ),
    ),
    Hostile(
        "a zip of the folder rather than of its files",
        "honest",
        codes=RIGHT,
        most=FULL,
        archive=lambda files: zipped({f"handgrad/{name}": text for name, text in files.items()}),
    ),
    Hostile(
        "a folder of one's own name around it",
        "honest",
        codes=RIGHT,
        most=FULL,
        archive=lambda files: zipped({f"Jürgen Groß (1)/handgrad/{name}": text for name, text in files.items()}),
    ),
    Hostile(
        "entries for the folders, and notes beside",
        "honest",
        codes=RIGHT,
        most=FULL,
        archive=lambda files: _and(("layers/", b""), ("README.txt", b"hello"), ("notes.ipynb", b"{}"))(files),
    ),
    Hostile("stored without compression", "honest", codes=RIGHT, most=FULL, archive=lambda files: _and()(files)),
]
"""Archives as honest people make them: full marks."""
