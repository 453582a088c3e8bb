"""What a reviewer should look at in a student's file, by its syntax tree. Advice only: values are judged elsewhere.

forbidden   a library that differentiates
tampering   NumPy patched, interpreter internals walked, code made of text
outside     files, processes, sockets, threads, the environment
numeric     a backward that calls forward, or looks like a numeric derivative
"""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

from handgrad.grading.bindings import name_of, root_of, words
from handgrad.grading.numeric import numeric

DIFFERENTIATORS = words("""
    torch jax jaxlib autograd tensorflow keras mygrad tinygrad theano pytensor aesara chainer mxnet casadi sympy
    numdifftools algopy autodidact flax equinox paddle mindspore cupy nnabla tangent pyadolc micrograd
""")
INTERNALS = words("inspect gc ctypes cffi dis opcode importlib builtins __main__ marshal pickle code codeop")
OUTSIDE = words("""
    os io pathlib shutil glob tempfile subprocess multiprocessing socket ssl urllib http requests asyncio threading
    _thread concurrent signal atexit resource fcntl mmap select pty platform runpy pkgutil site
""")
CODE_OF_TEXT = words("eval exec compile __import__")
WALKS = words("""
    __globals__ __subclasses__ __mro__ __bases__ __builtins__ __code__ __closure__ __loader__ __spec__ __getattribute__
    f_back f_locals f_globals tb_frame gi_frame cr_frame _getframe _current_frames settrace setprofile monitoring
    modules __array_function__ __array_ufunc__ __array_priority__
""")
MAX_LENGTH = 100_000
COMPARISONS = words("__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __bool__")
READERS = words("load loadtxt genfromtxt fromfile memmap save savez savetxt tofile DataSource")


VARYING = set(
    """
    random rand randn randint default_rng secrets uuid uuid1 uuid4 urandom getrandom getpid getppid
    time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time thread_time datetime now id hash
    """.split()  # noqa: SIM905
)
"""What differs from one process to another."""


@dataclass(frozen=True, order=True)
class Flag:
    """One thing to look at: its line, what it is, and its kind: forbidden, tampering, outside or numeric."""

    line: int
    what: str
    kind: str


def flags(path: str, text: str, given: str = "") -> list[Flag]:
    """What to look at in `text`, the file `path`, in the order of its lines; nothing that `given` has as often.

    `given` is the file as it was handed out. A file that is no Python has no flags: running it says what is wrong.
    """
    if len(text) > MAX_LENGTH:
        return [Flag(1, f"has more than {MAX_LENGTH:,} characters and was not looked through", "tampering")]
    known = Counter(_given(path, given))
    found = []
    try:
        all_flags = sorted(set(_flags(path, text)))
    except RecursionError:
        return [Flag(1, "is nested too deeply to be looked through", "tampering")]
    for flag in all_flags:
        if known[flag.what, flag.kind] > 0:
            known[flag.what, flag.kind] -= 1
        else:
            found.append(flag)
    return found


def may_vary(text: str, given: str = "") -> bool:
    """Whether the code may do another thing in another process: it names a clock, random numbers or an address.

    `given` is the file as it was handed out, whose own uses do not count.
    """
    return bool(_varying(text) - _varying(given))


@lru_cache(maxsize=64)
def _varying(text: str) -> Counter[str]:
    """How often the code names what differs between processes, by any way to name it."""
    if len(text) > MAX_LENGTH:
        return Counter()
    try:
        tree = _parsed("", text)
    except RecursionError:  # which `flags` tells of
        tree = None
    if tree is None:
        return Counter()
    words = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            words += [word for alias in node.names for word in alias.name.split(".")]
            words += (getattr(node, "module", None) or "").split(".")
        elif isinstance(node, ast.Name | ast.Attribute):
            words.append(name_of(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.append(node.value)
    return Counter(word for word in words if word in VARYING)


@lru_cache(maxsize=64)
def _given(path: str, text: str) -> list[tuple[str, str]]:
    """The flags of what was handed out, the same for every submission, without their lines."""
    return [(flag.what, flag.kind) for flag in flags(path, text)] if text else []


def _flags(path: str, text: str) -> Iterator[Flag]:
    tree = _parsed(path, text)
    if tree is None:
        return
    nodes = list(ast.walk(tree))
    names = _numpy_names(nodes)
    for node in nodes:
        for what, kind in _looked_at(node, names):
            yield Flag(getattr(node, "lineno", 1), what, kind)
    yield from (Flag(line, what, "numeric") for line, what in numeric(tree))


def _parsed(path: str, text: str) -> ast.Module | None:
    """The code as it runs when it is imported; None where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a student's "\\d" is not ours to warn of
            tree = ast.parse(text, path)
    except (SyntaxError, ValueError, MemoryError):
        return None
    tree.body = [kept for node in tree.body for kept in (node.orelse if _is_main(node) else [node])]
    return tree


def _is_main(node: ast.stmt) -> TypeGuard[ast.If]:
    """Whether it is `if __name__ == "__main__"`, which only the student's own runs enter."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _numpy_names(nodes: list[ast.AST]) -> set[str]:
    """What the file calls NumPy and its parts."""
    names = {"np", "numpy"}
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.asname for alias in node.names if alias.asname and alias.name.split(".")[0] == "numpy"}
    return names


def _looked_at(node: ast.AST, numpy: set[str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _imported(alias.name)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        module = node.module or ""
        found = list(_imported(module))
        yield from found or (flag for alias in node.names for flag in _imported(f"{module}.{alias.name}"))
    elif isinstance(node, ast.Call):
        yield from _called(node, numpy)
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and root_of(target) in numpy:
                yield f"changes NumPy: {ast.unparse(target)}", "tampering"
    elif isinstance(node, ast.Attribute) and node.attr in WALKS:
        yield f"looks into the interpreter: {node.attr}", "tampering"
    elif isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr", "__stdout__") and root_of(node) == "sys":
        yield f"takes hold of sys.{node.attr}", "tampering"
    elif isinstance(node, ast.Name) and node.id in ("__builtins__", "__loader__"):
        yield f"looks into the interpreter: {node.id}", "tampering"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in WALKS - {"modules"}:
        yield f"names the interpreter's {node.value}", "tampering"
    elif isinstance(node, ast.FunctionDef) and node.name in COMPARISONS:
        yield f"defines {node.name}: its objects say themselves what they equal", "tampering"


def _imported(module: str) -> Iterator[tuple[str, str]]:
    top = module.split(".")[0]
    if top in DIFFERENTIATORS:
        yield f"imports {top}, which differentiates", "forbidden"
    elif top == "cmath":
        yield "imports cmath, complex numbers", "numeric"
    elif module.startswith(("scipy.optimize", "scipy.differentiate")):
        yield f"imports {module}, which can differentiate numerically", "numeric"
    elif module.startswith(("handgrad.gradcheck", "handgrad.checking", "handgrad.jacobian")):
        yield f"imports {module}, which differentiates numerically", "numeric"
    elif top in INTERNALS or module.startswith(("handgrad.assignment", "handgrad.grading")):
        yield f"imports {module}", "tampering"
    elif top in OUTSIDE:
        yield f"imports {top}", "outside"


def _called(call: ast.Call, numpy: set[str]) -> Iterator[tuple[str, str]]:
    name = name_of(call.func)
    first = call.args[0] if call.args else None
    literal = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    if name in ("__import__", "import_module") and literal is not None:
        yield from _imported(literal)
    if name in CODE_OF_TEXT and isinstance(call.func, ast.Name):
        yield f"calls {name}", "tampering"
        if literal is not None and name != "__import__":  # look into the text as well
            yield from ((flag.what, flag.kind) for flag in _flags("", literal))
    elif name in ("setattr", "delattr") and first is not None and root_of(first) in numpy:
        yield f"changes NumPy: {name} of {ast.unparse(first)}", "tampering"
    elif name == "open" or (name in READERS and root_of(call.func) in numpy):
        yield f"reads or writes a file: {name}", "outside"
    elif name in ("_exit", "abort", "kill", "fork") or (name == "exit" and root_of(call.func) == "sys"):
        yield f"ends or starts a process: {name}", "outside"
    elif name in ("globals", "vars") and isinstance(call.func, ast.Name) and not call.args:
        yield f"looks into the interpreter: {name}()", "tampering"
