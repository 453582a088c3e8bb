"""Whether a file's code may do another thing in another process, and so is asked in several."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from handgrad.grading.review.bindings import TooInvolved, name_of, root_of, word_of, words
from handgrad.grading.review.policy import MAX_LENGTH, nodes_of, parsed

MOST_PASSES = 5
"""So often sets are looked for anew, since one name may be bound to another."""

VARYING = set(
    """
    random rand randn randint default_rng secrets uuid uuid1 uuid4 urandom getrandom getpid getppid
    time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time thread_time datetime now id hash
    __hash__ repr ascii __repr__ ctypes __array_interface__ __array_struct__ os threading multiprocessing concurrent
    asyncio resource tempfile timeit default_timer tracemalloc gc weakref getrandbits get_ident platform
    __file__ co_filename stat pathlib rvs generator FC
    """.split()  # noqa: SIM905
)
"""What differs from one process to another, texts and places of objects among it, and weights that are drawn."""

CONSTANTS = words("pi e inf nan newaxis __version__")
"""What NumPy has under a name of its own, and whose text is the same everywhere."""


NAMES_OF_SETS = words("set frozenset keys items")
ORDERLESS = words("""
    sorted len set frozenset min max sum any all isinstance bool print union intersection difference
    symmetric_difference issubset issuperset isdisjoint update intersection_update difference_update add discard remove
    clear copy
""")
"""What may be done with a set whose order nobody sees."""


def may_vary(text: str, given: str = "") -> bool:
    """Whether the code may do another thing in another process: it names a clock, random numbers or an address.

    `given` is the file as it was handed out, whose own uses do not count.
    """
    return bool(_varying(text) - (_varying(given) if given else Counter()))


@lru_cache(maxsize=64)
def _varying(text: str) -> Counter[str]:
    """How often the code names what differs between processes, by any way to name it."""
    unknown = Counter(["what could not be read"])
    if len(text) > MAX_LENGTH:
        return unknown
    try:
        code = parsed("", text)
    except Exception:  # which `flags` tells of
        return unknown
    if code is None:
        return Counter()
    nodes = nodes_of(code.tree)
    words = [*_orders(nodes), *_addresses(nodes)]
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            words += [word for alias in node.names for word in alias.name.split(".")]
            words += (getattr(node, "module", None) or "").split(".")
        elif isinstance(node, ast.Name | ast.Attribute):
            words.append(name_of(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.append(node.value)
    return Counter(word for word in words if word in VARYING)


def _orders(nodes: list[ast.AST]) -> Iterator[str]:
    """A word for each place where the order of a set may be seen: it is iterated over, or handed on."""
    try:
        sets = _sets(nodes)
    except TooInvolved:
        yield "hash"
        return
    for node in nodes if sets else []:
        for part in ast.iter_child_nodes(node):
            if part in sets and not _hides_order(node, part, sets):
                yield "hash"


def _sets(nodes: list[ast.AST]) -> set[ast.AST]:
    """The expressions that are sets, as far as one sees it, and the names that are bound to one anywhere.

    TooInvolved where names are bound to each other more often than anybody would.
    """
    sets: set[ast.AST] = set()
    names: set[str] = set()
    if not any(isinstance(node, ast.Set | ast.SetComp) or word_of(node) in NAMES_OF_SETS for node in nodes):
        return sets
    for _ in range(MOST_PASSES):
        before = len(sets)
        for node in reversed(nodes):  # parts before what they are parts of
            match node:
                case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
                    sets.add(node)
                case ast.BinOp(left=left, right=right) if any(one in sets or _is_keys(one) for one in (left, right)):
                    sets.add(node)
                case ast.IfExp(body=one, orelse=other) if one in sets or other in sets:
                    sets.add(node)
                case ast.Call(func=ast.Attribute(value=value, attr=attr)) if value in sets and attr in ORDERLESS:
                    sets.add(node)
                case ast.Name() | ast.Attribute() if name_of(node) in names:
                    sets.add(node)
                case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr() if node.value in sets:
                    names |= {name_of(target) for target in _targets(node)} - {""}
        if len(sets) == before:
            return sets
    raise TooInvolved


def _is_keys(node: ast.expr) -> bool:
    """Whether it is what a set is made of by &, |, - or ^: the keys of a dictionary."""
    return isinstance(node, ast.Call) and name_of(node.func) in ("keys", "items")


def _targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _hides_order(node: ast.AST, part: ast.AST, sets: set[ast.AST]) -> bool:
    """Whether nobody sees the order of a set that stands there."""
    match node:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr():
            return not any(isinstance(target, ast.Tuple | ast.List) for target in _targets(node))
        case ast.Call(func=function, keywords=keywords):
            return part is function or (name_of(function) in ORDERLESS and not keywords)
        case ast.Attribute(attr=attr):
            return attr in ORDERLESS or node in sets
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp() | ast.Expr() | ast.If() | ast.While() | ast.Assert():
            return True
    return node in sets and isinstance(node, ast.BinOp | ast.IfExp)


def _addresses(nodes: list[ast.AST]) -> Iterator[str]:
    """A word for each text that holds the place of an object: of object(), of self, of a function or class."""
    named = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    named -= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    named |= {"self"}
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "object":
            yield "id"
        for told in _told(node):
            match told:
                case ast.Name(id=name) | ast.Attribute(attr=name) if name in named:
                    yield "id"
                case ast.Attribute(attr=name) if root_of(told) in ("np", "numpy") and name not in CONSTANTS:
                    yield "id"


def _told(node: ast.AST) -> list[ast.expr]:
    """What is made a text of there."""
    match node:
        case ast.FormattedValue(value=value):
            return [value]
        case ast.Call(func=ast.Name(id="str" | "format"), args=[value, *_]):
            return [value]
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format"), args=values, keywords=named):
            return [*values, *(one.value for one in named)]
        case ast.BinOp(left=ast.Constant(value=str()) | ast.JoinedStr(), op=ast.Mod(), right=value):
            return value.elts if isinstance(value, ast.Tuple) else [value]
    return []
