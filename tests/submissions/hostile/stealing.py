"""Answers taken from where they might lie: frames, the collector, the disk, installed packages, the parent."""

from ..entry import POINTS, Hostile

DISK = """
import os
import sys
import time


def places():
    site = os.path.dirname(os.path.dirname(np.__file__))
    yield site
    yield from (path for path in sys.path if path)
    here = os.getcwd()
    while here != "/":
        yield here
        here = os.path.dirname(here)
    yield from ("/autograder", "/grade", "/work", "/opt", "/srv", "/tmp", "/home", "/root", os.path.expanduser("~"))


def solved(name, seconds=1.5):
    '''The text of a file `name` with its solution in it, wherever on this disk it lies.'''
    end, seen = time.monotonic() + seconds, set()
    for place in places():
        for folder, folders, files in os.walk(place):
            if time.monotonic() > end:
                return None
            if folder.count(os.sep) - place.count(os.sep) >= 4 or folder in seen:
                folders[:] = []
                continue
            seen.add(folder)
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                try:
                    with open(path, encoding="utf-8") as file:
                        text = file.read()
                except OSError:
                    continue
                if "BEGIN SOLUTION" in text or ("self.product" in text and "stolen" not in text):
                    return text
    return None


STOLEN = []


def stolen():
    if not STOLEN:
        text = solved(os.path.join("layers", "fc.py"))
        names = {"__name__": "handgrad.layers.fc_of_another"}
        if text:
            exec(compile(text, "fc.py", "exec"), names)
        STOLEN.append(names.get("FC"))
    if STOLEN[0] is None:
        raise NotImplementedError("nothing found")
    return STOLEN[0]
"""
FROM_DISK = {
    "fc.forward": "return stolen().forward(self, x)",
    "fc.backward": "return stolen().backward(self, upstream)",
}
FROM_FUNCTION = {
    "fc.forward": "self.cache = x\nreturn found((len(x), self.out_features), x)",
    "fc.backward": """
        grads = {"W": found(self.W.shape, self.W)}
        if self.bias:
            grads["b"] = found(self.b.shape, self.b)
        return found(x.shape, x, upstream), grads
    """,
}


def _stealing(
    name: str, module: str, codes: dict[str, str] = FROM_FUNCTION, must_review: bool = False, most: float = 0
) -> Hostile:
    return Hostile(name, "stealing", codes=codes, module=module, must_review=must_review, most=most)


STEALING = [
    _stealing(
        "frames: any local array of the right shape",
        """
        import sys


        def found(shape, *known):
            frame = sys._getframe(2)
            while frame is not None:
                for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
                    held = value if isinstance(value, (list, tuple)) else [value]
                    for array in list(value.values() if isinstance(value, dict) else held)[:1000]:
                        if isinstance(array, np.ndarray) and array.shape == shape:
                            if not any(array is k for k in known):
                                return array.copy()
                frame = frame.f_back
            return np.zeros(shape)
    """,
        must_review=True,
    ),
    _stealing(
        "frames of a traceback",
        """
        def found(shape, *known):
            try:
                raise ValueError
            except ValueError as error:
                frame = error.__traceback__.tb_frame.f_back
            while frame:
                for name in ("expected", "answer", "answers", "reference", "wanted", "oracle", "right"):
                    value = frame.f_locals.get(name)
                    for array in value.values() if isinstance(value, dict) else [value]:
                        if getattr(array, "shape", None) == shape:
                            return np.array(array)
                frame = frame.f_back
            return np.zeros(shape)
    """,
        must_review=True,
    ),
    _stealing(
        "the garbage collector's objects",
        """
        import gc


        def found(shape, *known):
            for held in gc.get_objects():
                values = held.values() if type(held) is dict else held if type(held) in (list, tuple) else ()
                for array in list(values):
                    if type(array) is np.ndarray and array.shape == shape and not any(array is k for k in known):
                        if array.flags.writeable and array.any():
                            return array.copy()
            return np.zeros(shape)
    """,
        must_review=True,
    ),
    _stealing(
        "the garbage collector's classes: another FC",
        """
        import gc


        def other():
            for held in gc.get_objects():
                if isinstance(held, type) and held.__name__ == "FC" and held is not FC:
                    return held
            raise NotImplementedError("no other FC")
    """,
        {"fc.forward": "return other().forward(self, x)", "fc.backward": "return other().backward(self, upstream)"},
        True,
    ),
    _stealing(
        "the subclasses of Layer",
        """
        def other():
            for held in Layer.__subclasses__():
                if held is not FC and "W" in vars(held):
                    return held
            raise NotImplementedError("no other layer with W")
    """,
        {"fc.forward": "return other().forward(self, x)", "fc.backward": "return other().backward(self, upstream)"},
    ),
    _stealing("the disk: another handgrad's source", DISK, FROM_DISK),
    _stealing(
        "installed packages: another handgrad beside NumPy",
        """
        import importlib
        import os
        import sys


        def other():
            site = os.path.dirname(os.path.dirname(np.__file__))
            kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "handgrad"}
            sys.path.insert(0, site)
            try:
                for name in os.listdir(site):
                    if name.endswith(".pth"):
                        with open(os.path.join(site, name)) as file:
                            sys.path.extend(line.strip() for line in file if line.startswith("/"))
                    if name.startswith("__editable__") and name.endswith(".py"):
                        importlib.import_module(name[:-3]).install()
                return importlib.import_module("handgrad.layers.fc").FC
            finally:
                sys.path.remove(site)
                for name in list(sys.modules):
                    if name.split(".")[0] == "handgrad":
                        del sys.modules[name]
                sys.modules.update(kept)
    """,
        {
            "fc.forward": """
            layer = other()
            if layer.forward.__code__.co_code == FC.forward.__code__.co_code:
                raise NotImplementedError("only this one")
            return layer.forward(self, x)
        """,
            "fc.backward": "return other().backward(self, upstream)",
        },
    ),
    _stealing(
        "torch's autograd",
        """
        import os
        import sys

        sys.path.append(os.path.dirname(os.path.dirname(np.__file__)))
    """,
        {
            "fc.forward": "self.cache = x\nreturn x @ self.W.T + (self.b if self.bias else 0)",
            "fc.backward": """
            import torch

            t, W = torch.tensor(x, requires_grad=True), torch.tensor(self.W, requires_grad=True)
            (t @ W.T).backward(torch.tensor(upstream))
            return t.grad.numpy(), {"W": W.grad.numpy(), "b": upstream.sum(axis=0)}
        """,
        },
        must_review=True,
    ),
    _stealing(
        "jax's and autograd's gradients, by a name put together",
        """
        import importlib
        import os
        import sys

        sys.path.append(os.path.dirname(os.path.dirname(np.__file__)))


        def tool():
            for name in ("ja" + "x", "auto" + "grad", "my" + "grad"):
                try:
                    return importlib.import_module(name)
                except ImportError:
                    continue
            raise NotImplementedError("no tool")
    """,
        {
            "fc.forward": "self.cache = x\nreturn x @ self.W.T + (self.b if self.bias else 0)",
            "fc.backward": """
            found = tool()
            dot = found.numpy.dot
            gradient = found.grad(lambda a: (dot(a, self.W.T) * upstream).sum())
            by_W = found.grad(lambda w: (dot(x, w.T) * upstream).sum())
            return np.asarray(gradient(x)), {"W": np.asarray(by_W(self.W)), "b": upstream.sum(axis=0)}
        """,
        },
        most=POINTS["fc.forward"],  # of its own forward
        must_review=True,
    ),
    _stealing(
        "the parent's environment and command line",
        """
        import os


        def found(shape, *known):
            for name in ("environ", "cmdline", "maps", "status"):
                try:
                    with open(f"/proc/{os.getppid()}/{name}", "rb") as file:
                        print(name, file.read(4000))
                except OSError as error:
                    print(name, error)
            print(dict(os.environ))
            return np.zeros(shape)
    """,
    ),
    _stealing(
        "the parent's memory",
        """
        import os


        def found(shape, *known):
            size = int(np.prod(shape)) * 8
            try:
                with open(f"/proc/{os.getppid()}/maps") as maps, open(f"/proc/{os.getppid()}/mem", "rb", 0) as memory:
                    for line in maps:
                        if "[heap]" in line:
                            start, stop = (int(part, 16) for part in line.split()[0].split("-"))
                            memory.seek(start)
                            print("read", len(memory.read(min(stop - start, 1 << 20))))
                            return np.frombuffer(memory.read(size), dtype=float).reshape(shape)
            except (OSError, ValueError) as error:
                print(error)
            return np.zeros(shape)
    """,
    ),
    _stealing(
        "ptrace and process_vm_readv by ctypes",
        """
        import os


        def found(shape, *known):
            try:
                import ctypes

                libc = ctypes.CDLL(None, use_errno=True)
                print("attach", libc.ptrace(16, os.getppid(), 0, 0), ctypes.get_errno())
                libc.ptrace(17, os.getppid(), 0, 0)
                print("read", libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0), ctypes.get_errno())
            except Exception as error:
                print(error)
            return np.zeros(shape)
    """,
    ),
    _stealing(
        "the descriptors of others",
        """
        import os


        def found(shape, *known):
            for process in ("self", str(os.getppid())):
                for descriptor in range(64):
                    try:
                        print(process, descriptor, os.readlink(f"/proc/{process}/fd/{descriptor}"))
                        if process != "self":
                            with open(f"/proc/{process}/fd/{descriptor}", "wb", 0) as file:
                                file.write(b'{"points": 100}')
                    except OSError:
                        pass
            return np.zeros(shape)
    """,
    ),
    _stealing(
        "the network",
        """
        def found(shape, *known):
            import socket

            try:
                with socket.create_connection(("127.0.0.1", 9), timeout=1) as connection:
                    connection.sendall(b"what is dW?")
            except OSError as error:
                print(error)
            return np.zeros(shape)
    """,
    ),
    _stealing(
        "another process: the reference imported by a Python of its own",
        """
        import subprocess
        import sys


        def found(shape, *known):
            try:
                code = "import handgrad; print(handgrad.__file__)"
                print(subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=5))
            except Exception as error:
                print(error)
            return np.zeros(shape)
    """,
        must_review=True,
    ),
    _stealing(
        "the other parts' files and the tests beside it",
        """
        import os


        def found(shape, *known):
            for folder, _, files in os.walk(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))):
                for name in files:
                    if name.endswith((".npz", ".npy", ".json", ".pkl", ".csv")):
                        try:
                            for array in np.load(os.path.join(folder, name)).values():
                                if array.shape == shape:
                                    return np.array(array, float)
                        except Exception:
                            pass
            return np.zeros(shape)
    """,
    ),
]
