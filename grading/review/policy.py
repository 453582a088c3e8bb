"""What a reviewer should look at in a student's file, by its syntax tree. Advice only: values are judged elsewhere.

forbidden   a library that differentiates
tampering   NumPy patched, interpreter internals walked, code made of text
outside     files, processes, sockets, threads, the environment
numeric     a backward that calls forward, or looks like a numeric derivative
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from handgrad.grading.review.bindings import TooInvolved, Work, name_of, root_of, shown, words
from handgrad.grading.review.main import copies_names, initialises, is_main, may_be_main, renames
from handgrad.grading.review.numeric import numeric, text_of

DIFFERENTIATORS = words("""
    torch jax jaxlib autograd tensorflow keras mygrad tinygrad theano pytensor aesara chainer mxnet casadi sympy
    numdifftools algopy autodidact flax equinox paddle mindspore cupy nnabla tangent pyadolc micrograd
""")
INTERNALS = words("""
    inspect gc ctypes cffi dis opcode importlib builtins __main__ marshal pickle code codeop timeit cProfile profile bdb
    pdb trace doctest pydoc unittest test ast symtable traceback faulthandler tracemalloc imp zipimport modulefinder
""")
OUTSIDE = words("""
    os io pathlib shutil glob tempfile subprocess multiprocessing socket ssl urllib http requests asyncio threading
    _thread concurrent signal atexit resource fcntl mmap select pty platform runpy pkgutil site
""")
USUAL = words("""
    __future__ abc argparse array base64 bisect cmath collections colorsys contextlib contextvars copy csv dataclasses
    datetime decimal enum errno fractions functools graphlib hashlib heapq itertools json keyword locale logging math
    numbers operator pprint queue random re reprlib secrets statistics string struct sys textwrap time types typing
    unicodedata uuid warnings weakref zlib
""")
"""What layers may be written with; the other modules of the standard library are outside of them."""
TAKEN = words("""
    sys os inspect gc ctypes cffi importlib builtins marshal pickle subprocess multiprocessing threading socket shutil
    pathlib tempfile glob urllib asyncio runpy pkgutil timeit traceback doctest bdb pdb cProfile linecache tokenize
""")
"""Modules that other modules hold, under names that nothing else has."""
CODE_OF_TEXT = words("eval exec compile __import__")
RUNNERS = words("""
    eval exec runstring rundocs runctx runcall run_module run_path get_type_hints ForwardRef evaluate_forward_ref
    _create_fn make_dataclass singledispatch singledispatchmethod literal_eval safe_eval FunctionType LambdaType
    CodeType ModuleType Formatter get_field f2py ctypeslib numexpr
""")
"""What makes code or functions of texts, or modules, or looks up names that texts give; as an attribute or imported."""
WALKS = words("""
    __globals__ __subclasses__ __mro__ __bases__ __builtins__ __code__ __closure__ __loader__ __spec__ __getattribute__
    f_back f_locals f_globals tb_frame gi_frame cr_frame _getframe _current_frames settrace setprofile monitoring
    modules __array_function__ __array_ufunc__ __array_priority__
""")
PACKAGE = Path(__file__).parents[2]
SCIPY = words("optimize differentiate misc interpolate integrate signal stats odr ndimage fft fftpack")
"""Parts of SciPy that differentiate numerically, or give what is to be derived."""
MAX_LENGTH = 100_000
MOST_TEXTS = 50
"""So many texts that are run as code are looked into."""
TOO_INVOLVED = "is too involved to be followed: read it"
COMPARISONS = words("__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __bool__")
READERS = words("load loadtxt genfromtxt fromfile memmap save savez savetxt tofile DataSource")
BY_NAME = words("getattr setattr delattr attrgetter methodcaller __getattribute__ __setattr__")
STREAMS = words("stdout stderr __stdout__ __stderr__")
ORDINARY = words("write writelines flush isatty")
"""What any program does with the standard streams, besides print(file=...)."""


SIGNS = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)
"""Nodes that name nothing; most are of these."""


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
    for flag in sorted(set(_read(path, text))):
        if known[flag.what, flag.kind] > 0:
            known[flag.what, flag.kind] -= 1
        else:
            found.append(flag)
    return found


@lru_cache(maxsize=64)
def _given(path: str, text: str) -> list[tuple[str, str]]:
    """The flags of what was handed out, the same for every submission, without their lines."""
    return [(flag.what, flag.kind) for flag in flags(path, text)] if text else []


def _read(path: str, text: str) -> Iterator[Flag]:
    """The flags of the file. What stops the reader is one of them: it must cost nobody the submission."""
    try:
        yield from _flags(path, text)
    except RecursionError:
        yield Flag(1, "is nested too deeply to be looked through", "tampering")
    except Exception as error:
        yield Flag(1, f"could not be read by the review list ({type(error).__name__}): read it", "tampering")


def _flags(path: str, text: str) -> Iterator[Flag]:
    trees = []
    idle: frozenset[int] = frozenset()
    texts: list[tuple[str, int | None]] = [(text, None)]
    for one, at in texts:  # which grows by the texts that the code runs in turn
        code = parsed(path, one)
        if code is None:
            continue
        trees.append((code.tree, at))
        idle = code.idle if at is None else idle
        nodes = nodes_of(code.tree)
        for line, what, kind in _found(path, code.tree, nodes) if code.found is None else code.found:
            is_idle = kind == "forbidden" and (at or line) in idle
            yield Flag(at or line, what, "tampering" if is_idle else kind)
        texts += [(run, at or line) for run, line in _texts_run(nodes)]
        if len(texts) > MOST_TEXTS:
            del texts[MOST_TEXTS:]
            yield Flag(1, TOO_INVOLVED, "tampering")
    work = Work()
    for tree, at in trees:
        try:
            yield from (Flag(at or line, what, "numeric") for line, what in numeric(tree, work))
        except (TooInvolved, RecursionError):
            yield Flag(1, TOO_INVOLVED, "numeric")


def nodes_of(tree: ast.Module) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if not isinstance(node, SIGNS)]


def _found(path: str, tree: ast.Module, nodes: list[ast.AST]) -> Iterator[tuple[int, str, str]]:
    """What is not numeric: its line, what it is, its kind."""
    binding = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom | ast.Assign)]
    numpy, scipy = _names_of("numpy", binding) | {"np"}, _names_of("scipy", binding)
    attributes = Attributes(nodes, _names_of("sys", binding))
    for node in nodes:
        found = attributes.looked_at(node)
        if not isinstance(node, ast.BinOp | ast.UnaryOp | ast.Expr):
            found = chain(_looked_at(path, node, numpy), _of_scipy(node, scipy), found)
        for what, kind in found:
            yield getattr(node, "lineno", 1), what, kind
    main = {part for node in tree.body if is_main(node) for part in ast.walk(node)}
    for line in sorted({*renames([node for node in nodes if node not in main])}):
        yield line, "changes __name__, or may", "tampering"


def _texts_run(nodes: list[ast.AST]) -> Iterator[tuple[str, int]]:
    """The texts that are run as code, as far as they are written out, and their lines."""
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id="eval" | "exec" | "compile"), args=[ast.Constant(value=str() as text), *_]):
                yield text, node.lineno


class Code(NamedTuple):
    """A file's code as it runs when it is imported."""

    tree: ast.Module
    idle: frozenset[int] = frozenset()
    """The lines that are looked at, though they seem not to run: what stands there costs no points."""
    found: list[tuple[int, str, str]] | None = None
    """What `_found` says of it, if that was asked."""


def parsed(path: str, text: str) -> Code | None:
    """The code as it runs when it is imported; None where it is no Python. MemoryError where it is nested too deeply.

    What stands under `if __name__ == "__main__"` is left out, unless something may make that true: what names the
    module anew as one knows, or anything strange.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a student's "\\d" is not ours to warn of
            tree = ast.parse(text, path)
    except (SyntaxError, ValueError):
        return None
    main = [node for node in tree.body if is_main(node)]
    if main:
        others = [kept for node in tree.body for kept in (node.orelse if is_main(node) else [node])]
        rest = ast.Module(others, [])
        nodes = nodes_of(rest)
        if any(map(may_be_main, nodes)) or initialises(nodes) or copies_names(nodes):
            return Code(tree)
        found = list(_found(path, rest, nodes))
        if all(kind not in ("tampering", "forbidden") for _, _, kind in found):
            return Code(rest, found=found)
        lines = {line for node in main for one in node.body for line in range(one.lineno, (one.end_lineno or 0) + 1)}
        return Code(tree, frozenset(lines))
    return Code(tree)


def _names_of(package: str, nodes: Iterable[ast.AST]) -> set[str]:
    """What the file calls a package and its parts."""
    names = [package]
    known = (package, "np") if package == "numpy" else (package,)
    others: dict[str, list[str]] = {}
    for node in nodes:
        match node:
            case ast.Import() | ast.ImportFrom():
                names += [one.asname for one in node.names if one.asname and one.name.split(".")[0] in known]
            case ast.Assign(targets=targets, value=ast.Name(id=name)):
                others.setdefault(name, []).extend(target.id for target in targets if isinstance(target, ast.Name))
    for name in names:  # which grows by what is bound to one of them
        names += others.pop(name, [])
    return set(names)


class Attributes:
    """Attributes that are reached by a text, and the standard streams."""

    def __init__(self, nodes: list[ast.AST], sys_names: set[str]) -> None:
        self.sys = sys_names
        self.streams: dict[str, str] = {}
        """What is imported from sys of them, under the file's names."""
        self.values: dict[str, list[ast.expr]] = {}
        """What is bound to each name anywhere."""
        self.computed: dict[str, bool] = {}
        """Whether one of them is a text that is put together, as far as that was asked."""
        self.named = {node.name for node in nodes if isinstance(node, ast.FunctionDef)} | WALKS | {"forward"}
        is_print_own = False
        for node in nodes:
            match node:
                case ast.ImportFrom(module="sys"):
                    self.streams |= {one.asname or one.name: one.name for one in node.names if one.name in STREAMS}
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._bind(target, value)
                case (
                    ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value)
                ):
                    self._bind(target, value)
                case ast.AugAssign(target=target, value=value):
                    self._bind(target, ast.BinOp(target, node.op, value))
                case ast.For() | ast.comprehension():
                    self._bind(node.target, node.iter)
                case ast.FunctionDef(name="print") | ast.Name(id="print", ctx=ast.Store()) | ast.alias(asname="print"):
                    is_print_own = True
        self.ordinary: set[ast.expr] = set()
        self.called = {node.func for node in nodes if isinstance(node, ast.Call)}
        for node in nodes:
            match node:
                case ast.Call(func=ast.Name(id="print")) if not is_print_own:
                    self.ordinary |= {word.value for word in node.keywords if word.arg == "file"}
                case ast.Call(func=ast.Attribute(value=stream, attr=attr)) if attr in ORDINARY:
                    self.ordinary.add(stream)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for part, given in zip(target.elts, value.elts, strict=True):
                self._bind(part, given)
            return
        for named in ast.walk(target):
            if isinstance(named, ast.Name):
                self.values.setdefault(named.id, []).append(value)

    def looked_at(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        if isinstance(node, ast.stmt):
            return
        match node:
            case ast.Call(args=arguments) if name_of(node.func) in BY_NAME:
                words = arguments if name_of(node.func) in ("attrgetter", "methodcaller") else arguments[1:2]
                if any(self._is_computed(word) for word in words):
                    yield f"names an attribute by a computed text: {shown(node)}", "tampering"
                if arguments and name_of(arguments[0]) in self.sys:
                    yield f"takes hold of sys by {shown(node)}", "tampering"
            case ast.BinOp(op=ast.Add()) if text_of(node) in self.named:
                yield f"names an attribute by a computed text: {shown(node)}", "tampering"
            case ast.Call(func=ast.Name(id="vars"), args=[_, *_]) | ast.Attribute(attr="__dict__"):
                yield f"names an attribute by a computed text, or may: {shown(node)}", "tampering"
            case ast.Attribute(attr=attr, value=ast.Name(id=root)) if attr in STREAMS and root in self.sys:
                if node not in self.ordinary or attr.startswith("__"):
                    yield f"takes hold of sys.{attr}", "tampering"
            case ast.Name(id="getattr" | "setattr" | "delattr") if node not in self.called:
                yield f"hands on {node.id}, by which any name is reached", "tampering"
            case ast.Name(id=name) if name in self.streams:
                if node not in self.ordinary or self.streams[name].startswith("__"):
                    yield f"takes hold of sys.{self.streams[name]}", "tampering"

    def _is_computed(self, node: ast.expr) -> bool:
        """Whether a text is put together or cut out of others, here or where its name is bound."""
        match node:
            case ast.BinOp() | ast.JoinedStr():
                return True
            case ast.Subscript(value=value):
                return isinstance(value, ast.Constant) or self._is_computed(value)
            case ast.Call(func=ast.Attribute(attr="keys" | "items" | "copy")):
                return False
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="split" | "rsplit" | "partition")):
                has_text = any(isinstance(value, ast.Constant) for value in self.values.get(name, []))
                return has_text or self._is_name_computed(name)  # as "0.W" is taken apart, not a text of the file's own
            case ast.Call(func=ast.Name(id="sorted" | "list" | "tuple" | "enumerate" | "zip" | "set" | "dict" | "str")):
                return any(map(self._is_computed, node.args))
            case ast.Call():
                return True
            case ast.Tuple() | ast.List() | ast.IfExp() | ast.BoolOp() | ast.Starred() | ast.NamedExpr():
                parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
                return any(map(self._is_computed, parts))
            case ast.Name():
                return self._is_name_computed(node.id)
        return False

    def _is_name_computed(self, name: str) -> bool:
        if name not in self.computed:
            self.computed[name] = False  # bound to itself
            self.computed[name] = any(map(self._is_computed, self.values.get(name, [])))
        return self.computed[name]


def _looked_at(path: str, node: ast.AST, numpy: set[str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _imported(alias.name)
    elif isinstance(node, ast.ImportFrom):
        module = _absolute(path, node)
        found = list(_imported(module))
        yield from found or (flag for alias in node.names for flag in _taken_from(module, alias.name))
    elif isinstance(node, ast.Call):
        yield from _called(node, numpy)
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and root_of(target) in numpy:
                yield f"changes NumPy: {shown(target)}", "tampering"
    elif isinstance(node, ast.Attribute):
        yield from _attribute(node, numpy)
    elif isinstance(node, ast.Name) and node.id in ("__builtins__", "__loader__"):
        yield f"looks into the interpreter: {node.id}", "tampering"
    elif isinstance(node, ast.Name) and node.id in CODE_OF_TEXT | RUNNERS and isinstance(node.ctx, ast.Load):
        yield f"calls {node.id}", "tampering"
    elif isinstance(node, ast.MatchClass):
        yield from ((f"names the interpreter's {name}", "tampering") for name in node.kwd_attrs if name in WALKS)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in WALKS - {"modules"}:
        yield f"names the interpreter's {node.value}", "tampering"
    elif isinstance(node, ast.FunctionDef) and node.name in COMPARISONS:
        yield f"defines {node.name}: its objects say themselves what they equal", "tampering"


def _of_scipy(node: ast.AST, scipy: set[str]) -> Iterator[tuple[str, str]]:
    """What is reached by attributes, as it is flagged where it is imported."""
    if not isinstance(node, ast.Attribute | ast.Call):
        return
    match node:
        case ast.Attribute(attr=part) if part in SCIPY and root_of(node) in scipy:
            yield f"uses {shown(node)}, which can differentiate numerically", "numeric"
        case ast.Call(func=ast.Name(id="getattr"), args=[whole, ast.Constant(value=part), *_]) if part in SCIPY:
            if root_of(whole) in scipy:
                yield f"uses {shown(node)}, which can differentiate numerically", "numeric"


def _attribute(node: ast.Attribute, numpy: set[str]) -> Iterator[tuple[str, str]]:
    if node.attr in WALKS:
        yield f"looks into the interpreter: {node.attr}", "tampering"
    elif node.attr in RUNNERS or (node.attr == "measure" and root_of(node) in numpy):
        yield f"makes code or functions of texts, or may: {shown(node)}", "tampering"
    elif node.attr in TAKEN:
        yield f"reaches the module {node.attr} by another: {shown(node)}", "tampering"
    elif node.attr == "__class__" and not isinstance(node.ctx, ast.Load):
        yield f"gives an object another class: {shown(node)}", "tampering"


def _absolute(path: str, node: ast.ImportFrom) -> str:
    """The module that names are imported from, as if by its whole name."""
    module = node.module or ""
    if not node.level:
        return module
    folders = PurePosixPath(path).parent.parts
    above = folders[: max(0, len(folders) - node.level + 1)]
    return ".".join(["handgrad", *above, *([module] if module else [])])


def _taken_from(module: str, name: str) -> Iterator[tuple[str, str]]:
    """What is imported from a module: a part of it, or what it has imported itself."""
    top = module.split(".")[0]
    found = list(_imported(f"{module}.{name}"))
    yield from found
    if name in RUNNERS:
        yield f"imports {name} from {module}, which makes code or functions of texts", "tampering"
    elif found or top in sys.stdlib_module_names or _is_part(module, name):
        return
    elif top == "handgrad" or name in TAKEN | DIFFERENTIATORS:
        known = list(_imported(name))
        yield from known
        if not known and name in sys.stdlib_module_names:
            yield f"takes the module {name} out of {module}", "tampering"


def _is_part(module: str, name: str) -> bool:
    """Whether the package has a module of this name there."""
    place = PACKAGE.joinpath(*module.split(".")[1:], name)
    return module.split(".")[0] == "handgrad" and (place.with_suffix(".py").is_file() or place.is_dir())


def _imported(module: str) -> Iterator[tuple[str, str]]:
    top = module.split(".")[0]
    if top in DIFFERENTIATORS:
        yield f"imports {top}, which differentiates", "forbidden"
    elif top == "cmath":
        yield "imports cmath, complex numbers", "numeric"
    elif module == "scipy.*" or (top == "scipy" and not SCIPY.isdisjoint(module.split("."))):
        yield f"imports {module}, which can differentiate numerically", "numeric"
    elif module.startswith(("handgrad.gradcheck", "handgrad.checking", "handgrad.jacobian")):
        yield f"imports {module}, which differentiates numerically", "numeric"
    elif top in INTERNALS or module.startswith(("handgrad.assignment", "handgrad.grading")):
        yield f"imports {module}", "tampering"
    elif top in OUTSIDE or (top in sys.stdlib_module_names and top not in USUAL):
        yield f"imports {top}", "outside"


def _called(call: ast.Call, numpy: set[str]) -> Iterator[tuple[str, str]]:
    name = name_of(call.func)
    first = call.args[0] if call.args else None
    literal = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    if name in ("__import__", "import_module") and literal is not None:
        yield from _imported(literal)
    if name in ("setattr", "delattr") and first is not None and root_of(first) in numpy:
        yield f"changes NumPy: {name} of {shown(first)}", "tampering"
    elif name == "open" or (name in READERS and root_of(call.func) in numpy):
        yield f"reads or writes a file: {name}", "outside"
    elif name in ("_exit", "abort", "kill", "fork") or (name == "exit" and root_of(call.func) == "sys"):
        yield f"ends or starts a process: {name}", "outside"
    elif name in ("globals", "vars") and isinstance(call.func, ast.Name) and not call.args:
        yield f"looks into the interpreter: {name}()", "tampering"
