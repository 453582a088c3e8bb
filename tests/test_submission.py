"""Reading submissions that are odd, hostile or honest, and flagging what a reviewer should look at."""

from __future__ import annotations

import io
import os
import stat
import struct
import time
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from handgrad.grading import submission
from handgrad.grading.review import policy, varying
from handgrad.grading.review.bindings import words
from handgrad.grading.review.policy import flags
from handgrad.grading.review.varying import may_vary
from handgrad.grading.submission import Submission, SubmissionError, digest, read, source, text

WANTED = ("layers/fc.py", "layers/relu.py", "model.py", "train.py")
FILES = {name: f"# {name}\n".encode() for name in WANTED}


def zipped(members: Mapping[str, bytes] | list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that occur twice
        for name, data in members.items() if isinstance(members, Mapping) else members:
            archive.writestr(name, data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def member(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def folder(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def both(tmp_path: Path, files: Mapping[str, bytes]) -> list[Submission]:
    """The same files as a folder and as a zip."""
    return [read(folder(tmp_path / "ada", files), WANTED), read(zipped(files), WANTED, "ada")]


class TestHonest:
    def test_the_parts_are_taken_and_nothing_else(self, tmp_path: Path) -> None:
        extra = {
            "layers/base.py": b"",
            "numpy.py": b"",
            "conftest.py": b"",
            "notes.txt": b"\xff",
            "commands/train.py": b"",
        }
        for found in both(tmp_path, {**FILES, **extra}):
            assert (found.name, found.files, found.notes) == ("ada", FILES, [])

    @pytest.mark.parametrize("top", ["handgrad/", "ada-main/", "ada-main/src/handgrad/", "./"])
    def test_one_top_folder(self, tmp_path: Path, top: str) -> None:
        for found in both(tmp_path, {top + name: data for name, data in FILES.items()}):
            assert (found.files, found.notes) == (FILES, [])

    def test_a_zip_made_on_a_mac(self) -> None:
        members = {f"handgrad/{name}": data for name, data in FILES.items()}
        found = read(zipped({**members, **{f"__MACOSX/handgrad/._{name}": b"\0" for name in WANTED}}), WANTED)
        assert (found.files, found.notes) == (FILES, [])

    def test_files_without_their_folders(self, tmp_path: Path) -> None:
        for found in both(tmp_path, {os.path.basename(name): data for name, data in FILES.items()}):
            assert (found.files, found.notes) == (FILES, [])

    def test_a_zip_made_on_windows(self) -> None:
        data = zipped({"layers?fc.py": b"x = 1\r\n"}).replace(b"layers?fc.py", b"layers\\fc.py")
        assert read(data, WANTED).files == {"layers/fc.py": b"x = 1\r\n"}

    def test_a_zip_by_its_path(self, tmp_path: Path) -> None:
        path = tmp_path / "grace.zip"
        path.write_bytes(zipped(FILES))
        found = read(path, WANTED)
        assert (found.name, found.files) == ("grace", FILES)
        assert found.digest == digest(FILES) == digest(dict(reversed(FILES.items())))

    def test_the_digest_is_of_names_and_contents(self) -> None:
        assert digest({"a": b"bc"}) != digest({"ab": b"c"}) != digest({"ab": b"d"})

    @pytest.mark.parametrize(
        "content", ["x = 'é'\r\n".encode(), "\ufeffx = 'é'\n".encode(), "# coding: cp1252\nx = 'é'\n".encode("cp1252")]
    )
    def test_encodings(self, content: bytes) -> None:
        found = read(zipped({"model.py": content}), WANTED)
        assert found.files == {"model.py": content}
        assert text(content).endswith("x = 'é'\n")
        assert "\r" not in text(content) and "\ufeff" not in text(content)

    def test_what_lies_elsewhere_is_not_mixed_in(self, tmp_path: Path) -> None:
        old = {f"old/{name}": b"old" for name in WANTED[:2]}
        for found in both(tmp_path, {**FILES, **old}):
            assert found.files == FILES

    @pytest.mark.parametrize(
        "content",
        [
            b"# coding: cp1252\nx = '\xe9'\n",
            b"\r# coding: latin-1\rx = '\xe9'\r",
            b"\xef\xbb\xbf# vim: set fileencoding=utf-8 :\r\nx = '\xc3\xa9'",
            b"# first\n# coding=latin-1\nx = '\xe9'\n",
        ],
    )
    def test_what_is_looked_through_is_what_runs(self, content: bytes) -> None:
        seen: dict[str, str] = {}
        code = text(content)
        exec(compile(source(code), "", "exec"), {}, seen)
        assert seen["x"] == "é" and "é" in code
        assert source(text(source(code))) == source(code)


class TestRefused:
    def note(self, found: Submission, place: str, why: str) -> None:
        assert place not in found.files
        assert any(place in note and why in note for note in found.notes), found.notes

    @pytest.mark.parametrize("start", ["", "\r", "\r\n", "\ufeff\r"])
    @pytest.mark.parametrize("encoding", ["raw-unicode-escape", "utf-7", "no-such"])
    def test_odd_encodings(self, start: str, encoding: str) -> None:
        content = f"{start}# coding: {encoding}\n# \\u000aimport os\n".encode()
        self.note(read(zipped({"model.py": content, "train.py": b""}), WANTED), "model.py", "encoding")

    @pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
    def test_links_and_devices_in_a_zip(self, kind: int) -> None:
        found = read(zipped([(member("model.py", kind | 0o777), b"/etc/passwd"), ("train.py", b"")]), WANTED)
        self.note(found, "model.py", "link")
        assert found.files == {"train.py": b""}

    def test_duplicates(self) -> None:
        for second in ("model.py", "./model.py", "x/../model.py"):
            found = read(zipped([("model.py", b"good"), (second, b"bad"), ("train.py", b"")]), WANTED)
            assert found.files.get("model.py") != b"bad"
            assert found.files["train.py"] == b""
            assert found.notes

    @pytest.mark.parametrize(
        "name", ["/etc/model.py", "../model.py", "a/../../model.py", "C:\\model.py", "..\\model.py"]
    )
    def test_names_that_lead_out(self, name: str) -> None:
        found = read(zipped([(member(name, 0), b""), ("train.py", b"")]), WANTED)
        assert found.files == {"train.py": b""}
        assert "leads out" in found.notes[0]

    def test_a_name_with_a_zero_byte(self) -> None:
        data = zipped({"model.py-old": b"bad", "train.py": b""}).replace(b"model.py-old", b"model.py\0old")
        found = read(data, WANTED)
        assert found.files == {"train.py": b""}
        self.note(found, "model.py\\x00old", "zero byte")

    def test_other_spellings(self) -> None:
        found = read(zipped({"Model.py": b"", "train.py": b""}), WANTED)
        assert found.files == {"train.py": b""}
        assert "expected model.py" in found.notes[0]

    def test_archives_are_not_opened(self) -> None:
        found = read(zipped({"inner.zip": zipped(FILES), "train.py": b""}), WANTED)
        assert found.files == {"train.py": b""}
        self.note(found, "inner.zip", "not opened")

    def test_encrypted_members(self) -> None:
        data = bytearray(zipped({"model.py": b"x"}))
        data[data.index(b"PK\1\2") + 8] |= 1
        data[6] |= 1
        self.note(read(bytes(data), WANTED), "model.py", "encrypted")

    def test_large_members(self) -> None:
        rng = os.urandom(submission.MAX_FILE + 1)
        self.note(read(zipped({"model.py": rng}), WANTED), "model.py", "KiB")

    def test_members_that_lie_about_their_size(self) -> None:
        data = bytearray(zipped({"model.py": b"#" * (4 << 20)}))
        head = data.index(b"PK\1\2")
        for at in (head + 24, 22):
            data[at : at + 4] = struct.pack("<I", 100)
        assert read(bytes(data), WANTED).files == {}

    def test_bombs(self) -> None:
        self.note(read(zipped({"model.py": b" " * submission.MAX_FILE}), WANTED), "model.py", "compressed")
        many = zipped({f"{k}.py": b"" for k in range(submission.MAX_MEMBERS + 1)})
        with pytest.raises(SubmissionError, match="5000 members"):
            read(many, WANTED)

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_unusual_compression(self, method: int) -> None:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            archive.writestr("model.py", b"x = 1")
        self.note(read(stream.getvalue(), WANTED), "model.py", "unusual")

    @pytest.mark.parametrize("data", [b"", b"PK", b"PK\3\4" + bytes(99), zipped(FILES)[:-30], b"#!/bin/sh\n"])
    def test_no_zip(self, data: bytes) -> None:
        with pytest.raises(SubmissionError, match="expected a zip"):
            read(data, WANTED)

    def test_a_damaged_member(self) -> None:
        data = bytearray(zipped({"model.py": bytes(range(32, 120)) * 9, "train.py": b""}))
        data[50:60] = b"\xff" * 10
        found = read(bytes(data), WANTED)
        self.note(found, "model.py", "damaged")
        assert found.files == {"train.py": b""}

    @pytest.mark.parametrize(
        "content",
        [
            b"\xff\xfex\0",
            "x = 'é'".encode("latin-1"),
            b"# coding: rot13\n",
            b"# coding: idna\n",
            b"# coding: none\n",
            b"\0",
        ],
    )
    def test_no_text(self, content: bytes) -> None:
        found = read(zipped({"model.py": content, "train.py": b""}), WANTED)
        assert list(found.files) == ["train.py"]
        assert len(found.notes) == 1

    def test_nothing_of_what_was_asked_for(self, tmp_path: Path) -> None:
        for found in both(tmp_path, {"report.pdf": b"%PDF"}):
            assert found.files == {}
            assert "none of the files asked for is there" in found.notes[0]

    def test_no_submission_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(SubmissionError, match="ada is neither"):
            read(tmp_path / "ada", WANTED)

    def test_notes_stay_few(self) -> None:
        found = read(zipped([(f"../{k}", b"") for k in range(500)]), WANTED)
        assert len(found.notes) <= submission.MAX_NOTES + 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes in folders")
class TestFolders:
    def test_links_pipes_and_unreadable_files(self, tmp_path: Path) -> None:
        root = folder(tmp_path / "ada", {"train.py": b"x"})
        (tmp_path / "secret").mkdir()
        (tmp_path / "secret" / "fc.py").write_bytes(b"secret")
        (root / "model.py").symlink_to(tmp_path / "secret" / "fc.py")
        (root / "layers").symlink_to(tmp_path / "secret")
        (root / "loop").symlink_to(root)
        os.mkfifo(root / "sgd.py")
        found = read(root, (*WANTED, "sgd.py"))
        assert found.files == {"train.py": b"x"}
        assert sum("link" in note for note in found.notes) == 4

    def test_deep_folders_are_not_followed_without_end(self, tmp_path: Path) -> None:
        deep = "/".join("d" * 40)
        found = read(folder(tmp_path / "ada", {**FILES, f"{deep}/model.py": b"deep"}), WANTED)
        assert found.files == FILES


HONEST = '''
"""My layer."""
from __future__ import annotations
import math
import numpy as np
from handgrad.layers.base import Layer, Param

EPS = 1e-12

def sigmoid(z):
    z = np.asarray(z, dtype=np.float64)
    return 1.0 / (1.0 + np.exp(-np.clip(z, -500, 500)))

class Sigmoid(Layer):
    def forward(self, x):
        x = self.as_array(x)
        self.cache = sigmoid(x)
        print("forward", x.shape)
        return self.cache

    def backward(self, upstream):
        y = self.recall()
        dx = np.zeros_like(y)
        for i in range(len(y)):
            for j in range(y.shape[1]):
                dx[i, j] = upstream[i, j] * y[i, j] * (1 - y[i, j])
        scale = 1 / (np.abs(dx).sum() + EPS)
        assert scale > 0
        return dx + 0 * sigmoid(y), {}

if __name__ == "__main__":
    from handgrad.gradcheck import gradcheck
    gradcheck(Sigmoid(), np.zeros((2, 3)))
'''


PRODUCTS = (  # which is followed 8 ** 12 times by who forgets where he was
    "def backward(u):\n    a0 = u\n"
    + "".join(f"    a{i + 1} = {' * '.join([f'a{i}'] * 8)}\n" for i in range(12))
    + "    if 0: np.exp(u + a12)\n"
)


class TestPolicy:
    def test_honest_code_has_no_flags(self) -> None:
        assert flags("sigmoid.py", HONEST) == []

    def test_the_source_itself_has_none_beyond_what_it_hands_out(self) -> None:
        root = Path(submission.__file__).parents[1]
        for path in [*root.glob("layers/*.py"), *root.glob("losses/*.py"), *root.glob("optim/*.py"), root / "model.py"]:
            source = path.read_text(encoding="utf-8")
            assert [flag for flag in flags(path.name, source) if path.name != "base.py"] == []
            assert flags(path.name, source, source) == []

    @pytest.mark.parametrize(
        ("line", "kind", "says"),
        [
            ("import torch", "forbidden", "torch"),
            ("import numpy as np, jax.numpy as jnp", "forbidden", "jax"),
            ("from autograd import grad", "forbidden", "autograd"),
            ("__import__('sympy')", "forbidden", "sympy"),
            ("importlib.import_module('tensorflow.math')", "forbidden", "tensorflow"),
            ("exec('import casadi')", "forbidden", "casadi"),
            ("np.allclose = lambda *a: True", "tampering", "np.allclose"),
            ("import numpy as xp\nxp.linalg.norm = None", "tampering", "xp.linalg.norm"),
            ("setattr(np, 'array', None)", "tampering", "setattr"),
            ("del np.dot", "tampering", "np.dot"),
            ("().__class__.__mro__[1].__subclasses__()", "tampering", "__subclasses__"),
            ("sys._getframe(1).f_back.f_locals", "tampering", "f_locals"),
            ("getattr(f, '__globals__')", "tampering", "__globals__"),
            ("sys.monitoring.use_tool_id(0, 'x')", "tampering", "monitoring"),
            ("import __main__", "tampering", "__main__"),
            ("import gc", "tampering", "gc"),
            ("import inspect", "tampering", "inspect"),
            ("import ctypes", "tampering", "ctypes"),
            ("eval('1')", "tampering", "eval"),
            ("sys.modules['handgrad']", "tampering", "modules"),
            ("sys.stdout = None", "tampering", "stdout"),
            ("class A:\n    def __eq__(self, other): return True", "tampering", "__eq__"),
            ("globals()['x'] = 1", "tampering", "globals"),
            ("open('/etc/passwd')", "outside", "open"),
            ("np.load('answers.npy')", "outside", "load"),
            ("import os", "outside", "os"),
            ("import socket", "outside", "socket"),
            ("from subprocess import run", "outside", "subprocess"),
            ("from concurrent.futures import ThreadPoolExecutor", "outside", "concurrent"),
            ("os._exit(0)", "outside", "_exit"),
            ("from handgrad.gradcheck import numeric", "numeric", "gradcheck"),
            ("from scipy.optimize import approx_fprime", "numeric", "scipy.optimize"),
            ("import timeit", "tampering", "timeit"),
            ("from typing import get_type_hints", "tampering", "get_type_hints"),
            ("typing.ForwardRef(TEXT)", "tampering", "ForwardRef"),
            ("dataclasses.make_dataclass(NAME, [])", "tampering", "make_dataclass"),
            ("dataclasses._create_fn(NAME, [], TEXT)", "tampering", "_create_fn"),
            ("np.testing.runstring(TEXT, {})", "tampering", "runstring"),
            ("from numpy.testing import rundocs", "tampering", "rundocs"),
            ("np.testing.measure(TEXT)", "tampering", "measure"),
            ("types.FunctionType(code, {})", "tampering", "FunctionType"),
            ("from builtins import eval as value", "tampering", "builtins"),
            ("b.eval(TEXT)", "tampering", "eval"),
            ("run = exec", "tampering", "exec"),
            ("list(map(eval, TEXTS))", "tampering", "eval"),
            ("import ast", "tampering", "ast"),
            ("import traceback", "tampering", "traceback"),
            ("import linecache", "outside", "linecache"),
            ("import configparser", "outside", "configparser"),
            ("np.lib.npyio.os.environ", "tampering", "os"),
            ("from numpy.lib.npyio import os", "outside", "os"),
            ("import handgrad.layers.base as base\nbase.inspect.stack()", "tampering", "inspect"),
            ("reduce(getattr, NAMES, f)", "tampering", "getattr"),
            ("f.__class__ = A", "tampering", "__class__"),
            ("match f:\n    case object(__globals__=names): pass", "tampering", "__globals__"),
        ],
    )
    def test_what_is_looked_at(self, line: str, kind: str, says: str) -> None:
        found = flags("fc.py", f"import handgrad\n{line}\n")
        assert any(flag.kind == kind and says in flag.what and flag.line >= 2 for flag in found), found

    @pytest.mark.parametrize(
        "module",
        sorted(
            words("timeit cProfile profile bdb trace doctest code codeop pdb runpy importlib pkgutil unittest.mock")
        ),
    )
    def test_modules_that_run_texts_or_look_around(self, module: str) -> None:
        for line in (f"import {module}", f"import {module} as m", f"from {module} import f"):
            assert [flag.kind for flag in flags("fc.py", line)] in (["tampering"], ["outside"]), line

    @pytest.mark.parametrize(
        "module",
        sorted(
            words("""
        abc bisect collections collections.abc contextlib copy dataclasses decimal enum functools heapq itertools
        logging math numbers operator random re statistics string sys textwrap time types typing warnings
        """)
        ),
    )
    def test_modules_that_layers_are_written_with(self, module: str) -> None:
        found = flags("fc.py", f"import {module}\nimport numpy as np\nfrom numpy import exp\nfrom scipy import special")
        assert "tampering" not in {flag.kind for flag in found} and "outside" not in {flag.kind for flag in found}

    @pytest.mark.parametrize(
        ("line", "kind", "says"),
        [
            ("from .base import inspect", "tampering", "inspect"),
            ("from handgrad.layers.base import inspect", "tampering", "inspect"),
            ("from ..files import os as system", "outside", "os"),
            ("from ..files import shutil", "outside", "shutil"),
            ("from ..files import zipfile", "outside", "zipfile"),
            ("from ..files import contextlib, sys", "tampering", "sys"),
            ("from ..assignment.probes import layer", "tampering", "handgrad.assignment.probes"),
            ("from .. import assignment", "tampering", "handgrad.assignment"),
            ("from ..checking.tolerance import x", "numeric", "handgrad.checking"),
            ("from .. import gradcheck", "numeric", "handgrad.gradcheck"),
            ("from ..grading import grade", "tampering", "handgrad.grading"),
            ("from ...grading import grade", "tampering", "handgrad.grading"),
            ("from .base import torch", "forbidden", "torch"),
        ],
    )
    def test_what_is_taken_out_of_the_package(self, line: str, kind: str, says: str) -> None:
        found = flags("layers/fc.py", line)
        assert any(flag.kind == kind and says in flag.what for flag in found), found

    @pytest.mark.parametrize(
        "line",
        [
            "from .base import Layer, Param, np",
            "from ..params import Array",
            "from . import base",
            "from ..layers.base import Layer",
            "from .. import trace",
            "from handgrad import trace, FC, Layer",
        ],
    )
    def test_what_the_package_is_for(self, line: str) -> None:
        assert flags("layers/fc.py", line) == []

    def test_what_the_handout_takes_out_of_the_package(self) -> None:
        given = "from handgrad.layers.base import inspect\n"
        assert flags("layers/fc.py", given + "x = 1\n", given) == []

    @pytest.mark.parametrize(
        "body",
        [
            "return self.forward(upstream)",
            "return self(upstream)",
            "f = self.forward\n        return f(upstream)",
            "return getattr(self, 'forward')(upstream)",
            "return type(self).forward(self, upstream)",
            "return self.helper(upstream)",
            "return (self.shift(x + 1e-6) - self.shift(x)) / 1e-6",
            "h = 1e-5\n        return (a - b) / (2 * h)",
            "return (a - b) / self.step",
            "return (a - b) / STEP",
            "return slope(upstream, 1e-6)",
            "return self.slope(upstream, 1e-6)",
            "return slope(upstream, by=1e-6)",
            "return np.imag(upstream + 1j) / h",
            "z = upstream.astype(complex)\n        return z",
            "z = np.zeros(3, dtype='complex128')\n        return z",
            "return np.stack([self.shift(e) for e in np.eye(3)])",
            "for i in range(3):\n            y = self.shift(upstream)\n        return y",
        ],
    )
    def test_numeric_backwards(self, body: str) -> None:
        code = f"""
import numpy as np
STEP = 10 ** -7
def slope(u, by): return (a - b) / (2 * by)
class FC:
    def __init__(self): self.step = 1e-4
    def shift(self, x): return x @ self.W
    def forward(self, x): return self.shift(x)
    def helper(self, u): return self.other(u)
    def other(self, u): return self.forward(u)
    def slope(self, u, h): return (a - b) / (2 * h)
    def backward(self, upstream):
        {body}
"""
        assert {flag.kind for flag in flags("fc.py", code)} == {"numeric"}

    @pytest.mark.parametrize(
        "code",
        [
            "from scipy import optimize",
            "from handgrad.assignment import probes",
            'if __name__ == "__main__":\n    pass\nelse:\n    import torch',
        ],
    )
    def test_other_ways_to_import(self, code: str) -> None:
        assert len(flags("fc.py", code)) == 1

    @pytest.mark.parametrize(
        "line",
        [
            '__name__ = "__main__"',
            '__name__: str = "__main__"',
            "for __name__ in NAMES: pass",
            "with held as __name__: pass",
            "print(__name__ := NAME)",
            "from names import main as __name__",
            "def __name__(): pass",
            "class __name__: pass",
            "del __name__",
            "def f():\n    global __name__",
            "me.__name__ = NAME",
            "match NAME:\n    case __name__: pass",
            "setattr(me, '__name__', NAME)",
            "globals()['__name__'] = NAME",
            "locals().update(NAMES)",
            "vars(me).update(NAMES)",
            "exec(CODE)",
            "me.__dict__.update(NAMES)",
            "setattr(me, NAME, MAIN)",
        ],
    )
    def test_main_is_looked_at_where_its_name_may_be_another(self, line: str) -> None:
        code = f'{line}\nif __name__ == "__main__":\n    import torch, random\n'
        assert "forbidden" in {flag.kind for flag in flags("fc.py", code)}
        assert may_vary(code + "    random.random()\n")
        if "__name__" in line:
            assert any(flag.kind == "tampering" and flag.line <= 2 for flag in flags("fc.py", code))

    @pytest.mark.parametrize(
        "line",
        [
            "from .base import inspect\ntype(inspect).__init__(inspect.getmodule(f), ''.join(['__ma', 'in__']))",
            "type(np).__init__(me, NAME)",
            "from types import ModuleType as M\nM.__init__(me, NAME)",
            "class A(Layer):\n    def f(self): A.__init__(self, NAME)\nA.f(me)",
            "functools.update_wrapper(me, kind)",
            "functools.wraps(kind)(me)",
            "same = functools.wraps(kind)\nsame(me)",
        ],
    )
    def test_main_is_looked_at_where_the_module_may_be_named_anew(self, line: str) -> None:
        code = f'{line}\nif __name__ == "__main__":\n    import torch, random\n'
        assert "forbidden" in {flag.kind for flag in flags("layers/fc.py", code)}
        assert may_vary(code + "    random.random()\n")

    @pytest.mark.parametrize(
        "line",
        [
            "class A(type(np)): pass\nme.__class__ = A",
            "list(map(setattr, [me], NAMES, [MAIN]))",
            "f.__globals__.update(NAMES)",
            "Formatter().get_field(NAME, (f,), {})[0].update(NAMES)",
            "import traceback",
        ],
    )
    def test_main_is_looked_at_where_anything_is_strange_and_costs_no_points(self, line: str) -> None:
        code = f'{line}\nif __name__ == "__main__":\n    import torch, random\n    z = 1j\n'
        found = {flag.what: flag.kind for flag in flags("layers/fc.py", code)}
        assert found["imports torch, which differentiates"] == "tampering"
        assert "numeric" in found.values() and "forbidden" not in found.values()
        assert may_vary(code + "    random.random()\n")

    def test_main_is_left_out_where_nothing_is_strange(self) -> None:
        code = """
import functools, math, threading
from handgrad.layers.base import Layer
def timed(f):
    @functools.wraps(f)
    def inner(*args): return f(*args)
    return inner
class FC(Layer):
    def __init__(self):
        super().__init__()
        Layer.__init__(self)
    @timed
    def forward(self, x): return x
    def backward(self, upstream): return upstream, {}
if __name__ == "__main__":
    import os, inspect, random
    from handgrad.gradcheck import gradcheck
    layer, x, h = FC(), np.random.randn(2, 3), 1e-6
    print((layer.forward(x + h) - layer.forward(x - h)) / (2 * h))
"""
        assert flags("layers/fc.py", code, "import threading") == []
        assert not may_vary(code, "import threading")

    def test_main_is_left_out_where_its_name_is_only_read(self) -> None:
        code = 'print(__name__, f.__name__)\nif __name__ == "__main__":\n    import torch\n    vars(torch)["x"] = 1\n'
        assert flags("fc.py", code) == []
        assert not may_vary(code + "    import random\n    random.random()\n")

    @pytest.mark.parametrize(
        "line",
        [
            "f = vars(type(self))['_s' + 'l']",
            "f = vars(self)[NAME]",
            "f = type(self).__dict__[NAME]",
            "setattr(Sigmoid, '_s' + 'l', f)",
            "f = getattr(self, 'a' + 'b')",
            "f = getattr(self, f'a{b}')",
            "f = getattr(self, ''.join(['a', 'b']))",
            "f = getattr(self, 'lor'[::-1])",
            "a, name = 1, 'a' + 'b'\nf = getattr(self, name)",
            "name = 'a'\nname += 'b'\nf = getattr(self, name)",
            "name = 'x-ab'\n_, end = name.split('-')\nf = getattr(self, end)",
            "for name in ['a' + 'b']: f = getattr(self, name)",
            "def _sl(x): pass\nf = call(self, '_s' + 'l')",
            "f = call(self, '__glo' + 'bals__')",
            "f = operator.methodcaller('a' + 'b', x)(self)",
        ],
    )
    def test_attributes_named_by_a_computed_text(self, line: str) -> None:
        found = flags("fc.py", line)
        assert any(flag.kind == "tampering" and "by a computed text" in flag.what for flag in found), found

    @pytest.mark.parametrize(
        "line",
        [
            "w = getattr(layer, 'W', None)",
            "for name in ('W', 'b'): setattr(layer, name, getattr(layer, name) - 1)",
            "for name, g in grads.items(): setattr(layer, name, g)",
            "for key in grads:\n    i, name = key.split('.')\n    w = getattr(layers[int(i)], name)",
            "print('x', file=sys.stderr)",
            "print('x', file=sys.stdout, flush=True)",
            "sys.stdout.write('x')\nsys.stdout.flush()",
            "sys.stderr.write('x')\nsys.stderr.flush()",
            "from sys import stderr\nprint('x', file=stderr)\nstderr.write('x')",
        ],
    )
    def test_what_any_program_does(self, line: str) -> None:
        assert flags("fc.py", "import sys\n" + line) == []

    @pytest.mark.parametrize(
        "line",
        [
            "sys.stdout = x",
            "sys.stdout.buffer.write(b'x')",
            "print('x', file=sys.__stdout__)",
            "sys.__stdout__.write('x')",
            "sys.stdout.fileno()",
            "sys.stdout.detach()",
            "sys.stderr.reconfigure(encoding='x')",
            "out = sys.stdout",
            "sys.stdout.write = f",
            "def print(file): file.buffer\nprint(file=sys.stdout)",
            "from sys import stdout as out\nout.buffer.write(b'x')",
            "getattr(sys, 'stdout')",
            "import sys as s\ns.stdout.fileno()",
        ],
    )
    def test_holds_on_the_standard_streams(self, line: str) -> None:
        assert "tampering" in {flag.kind for flag in flags("fc.py", "import sys\n" + line)}

    @pytest.mark.parametrize(
        "line",
        [
            "coin = {*'ab'}.pop() == 'a'",
            "names = set('ab')\ncoin = next(iter(names)) == 'a'",
            "coin = [*{'heads', 'tails'}][0] == 'heads'",
            "for name in {'W', 'b'}: break",
            "coin = [name for name in frozenset(NAMES)][0]",
            "coin, _ = {'a', 'b'}",
            "coin = list(set(NAMES) | set('ab'))[0]",
            "a = set(NAMES)\nb = a\nc = b - a\ncoin = c.pop()",
            "coin = ''.join({'a', 'b'})",
            "coin = f'{set(NAMES)}'[2]",
            "coin = max({'a', 'b'}, key=len)",
            "def f(): return {'a', 'b'}\ncoin = f().pop()",
            "coin = [{'a', 'b'}][0].pop()",
            "self.names = set(NAMES)\nfor name in self.names: break",
            "coin = str(object())[-4]",
            "coin = object().__hash__()",
            "coin = repr(f)",
            "def f(): pass\ncoin = str(f)",
            "coin = f'{self}'",
            "coin = x.ctypes.data",
            "coin = x.__array_interface__['data'][0]",
            "import os",
            "from timeit import default_timer",
            "coin = sum(map(ord, __file__)) % 2",
            "coin = f.__code__.co_filename",
            "from handgrad.randomness import generator",
            "from scipy.stats import norm\ncoin = norm.rvs()",
            "coin = FC(1, 1).W",
            "for name in a.keys() & b.keys(): break",
            "coin = '%s' % np.add.reduce",
            "def f(): pass\ncoin = '{}'.format(f)",
            "def f(): pass\ncoin = f'{self.f}'",
            "def f(): pass\ncoin = '%d %s' % (1, f)",
        ],
    )
    def test_what_may_vary(self, line: str) -> None:
        compile(line, "fc.py", "exec")
        assert may_vary(line)
        assert not may_vary(line, line)

    @pytest.mark.parametrize(
        "line",
        [
            "y = x.ndim in {1, 2}",
            "seen = set()\nseen.add(3)\nseen |= {4}\nif 3 not in seen and seen: seen.discard(3)",
            "classes = len(set(labels))",
            "for name in sorted({'W', 'b'}): print(name)",
            "assert set(grads) == {'W', 'b'} and not set(grads) - {'W'}",
            "assert set(grads).issubset({'W', 'b'}), isinstance(x, set)",
            "grads = {f'{i}.{name}': str(i) + name for i, name in pairs}",
            "if a.keys() != b.keys() or a.keys() - b.keys(): raise KeyError(f'{np.pi} {self.lr}')",
            "print('%s: %s' % (x.shape, '{:.3f}'.format(loss)), f'{x}', f'{self.name}')",
            "layers = [1]\nlast = layers.pop()\nfirst = grads.pop('W')",
            "class A:\n    def __repr__(self): return 'A'\n    def __hash__(self): return 1",
            HONEST,
        ],
    )
    def test_what_does_not_vary(self, line: str) -> None:
        compile(line, "fc.py", "exec")
        assert not may_vary(line)

    def test_what_was_handed_out_is_not_flagged(self) -> None:
        given = "import signal\nimport threading\n"
        assert flags("train.py", given, given) == []
        assert [flag.what for flag in flags("train.py", given + "import os\n", given)] == ["imports os"]

    @pytest.mark.parametrize("code", ["def f(:", "\0", "(" * 5000, dedent("  x\n y")])
    def test_no_python_has_no_flags(self, code: str) -> None:
        assert flags("fc.py", code) == []

    @pytest.mark.parametrize(
        "code",
        [
            "-" * 50_000 + "1",
            "not " * 20_000 + "1",
            "np" + ".a" * 40_000 + " = 1",
            "a" + "[0]" * 30_000,
            "+".join(["1"] * 40_000),
            "if 1: pass\n" + "elif 1: pass\n" * 7000,
            "def backward(): f()\n" + "def f(): f()\n" * 7000,
            "def backward(): return " + "[" * 90 + "f()" + " for a in b]" * 90,
            "def backward(u):\n    x = x\n    return f(x) @ x, f(2 * x), f(x * x)\ndef f(x): return x",
            "# " + "x" * 200_000,
            PRODUCTS,
            "def backward(u):\n" + "".join(f"    a{i} = f(u{'+u' * 400}) + a{(i + 1) % 99}\n" for i in range(99)),
            "def backward(u):\n" + "".join(f"    a{i} = a{i + 1}\n" for i in range(4000)) + "    f(u + a0)\n",
            "def backward(u):\n    " + "a = " * 15_000 + "u" + " + u" * 400,
            "f(" + "lambda a, b, c, d, e: 0, " * 2000 + "u, " * 15_000 + ")",
            "".join(" " * i + f"def f{i}(u):\n" for i in range(95)) + " " * 95 + "; ".join(["u + u"] * 9000),
            "a = (" + "b, " * 900 + ")\nb = (" + "c, " * 900 + ")\nc = (" + "d, " * 900 + ")\ngetattr(u, a)",
            "import numpy as np\nE = np" + ".a" * 200 + "\n" + "E\n" * 40_000,
            "u;" * 45_000,
        ],
    )
    def test_code_made_to_keep_the_reader_busy(self, code: str) -> None:
        begun = time.process_time()
        assert len(flags("fc.py", code)) <= 2
        assert time.process_time() - begun < 5

    @pytest.mark.parametrize(
        "code",
        [
            "def backward(u):\n    return " + "; ".join(["f(u" + " + u" * 300 + ")"] * 60),
            "class R:\n    def backward(self): f()\n" + "def f(): f()\n" * 3000,
            "u = 1;" * 9000,
            "eval('1')\n" * 500,
            "np.exp(" + "-" * 2000 + "1)",
        ],
    )
    def test_what_was_not_followed_is_to_be_read(self, code: str) -> None:
        assert any("read it" in flag.what or "too deeply" in flag.what for flag in flags("fc.py", code))

    @pytest.mark.parametrize("code", ["setattr(self, 'a' + 'b', {})", "if {}: pass", "def backward(u): f({}), f(u)"])
    def test_numbers_of_more_digits_than_python_writes(self, code: str) -> None:
        code = code.replace("{}", "0x" + "f" * 5000)
        assert flags("fc.py", "import torch\n" + code)[0].kind == "forbidden"
        assert not may_vary(code)

    def test_what_stops_the_reader_is_a_flag(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def stopped(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr(policy, "numeric", stopped)
        kinds = {flag.kind: flag.what for flag in flags("fc.py", "import torch")}
        assert "torch" in kinds["forbidden"] and "could not be read" in kinds["tampering"]
        monkeypatch.setattr(policy, "parsed", stopped)
        monkeypatch.setattr(varying, "parsed", stopped)
        assert "could not be read" in flags("fc.py", "x = 1")[0].what
        assert may_vary("x = 2")
