"""What the command line names: expressions, files, module:Class; each becomes a list of checks."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import handgrad
from handgrad import layers, losses
from handgrad.checking.copies import copy_of
from handgrad.checking.points import Sizes
from handgrad.checking.report import Report
from handgrad.checking.specimen import Specimen
from handgrad.checking.specimens import SPECIMENS
from handgrad.checking.subject import parameters, quiet
from handgrad.expression import LAYERS, ExpressionError, parse_model
from handgrad.params import Array

GUESSES: tuple[tuple[int, ...], ...] = ((4, 5), (4, 3, 6, 5), (4, 6, 5), (4,))
"""The inputs' shapes that are tried for a class that only its user knows."""

LABELS = re.compile(r"label|target|truth|class|one_?hot|answer|^(y|t|gt|y_true)$")


class TargetError(Exception):
    """The target cannot be found, imported or built; one sentence says what was expected and what came."""


@dataclass(frozen=True)
class Check:
    """One layer to check: `run(seed=..., skip=..., at_kink=...)` does it, or raises TargetError if it cannot."""

    name: str
    run: Callable[..., Report]
    mathematics: Mapping[str, str]
    arrays: Callable[[], list[str]] = list
    """The names of the gradients that it will compare, as far as they can be told beforehand."""


def checks(target: str | None, shapes: list[tuple[int, ...]] | None) -> list[Check]:
    """All checks for a target; TargetError when there are none."""
    if target is None:
        if shapes is not None:
            raise TargetError("--input needs a target; the package's own layers have inputs of their own")
        return [check for cls in own_layers() for check in _of_class(cls, None, None)]
    path, _, rest = target.partition(":")
    if path.endswith(".py"):
        return _in_module(_from_file(Path(path)), rest, shapes, path)
    if target in SPECIMENS and shapes is None:
        return _of_class(getattr(handgrad, target), None, None)
    if "(" in path or target in LAYERS:
        return _of_expression(target if "(" in target else target + "()", shapes)
    if not rest:
        hint = f"did you mean {target}.py?" if Path(target + ".py").exists() else "it is none of these"
        raise TargetError(
            f"target {target}: expected a layer such as ReLU or 'FC(4, 5)', a .py file or module:Class (or, in a "
            f"handout, a task such as fc.backward); {hint}"
        )
    return _in_module(_from_name(path), rest, shapes, path)


def own_layers() -> list[type]:
    """Every layer and loss of the package."""
    found = [*vars(layers).values(), *vars(losses).values()]
    return [cls for cls in dict.fromkeys(c for c in found if _is_layer(c)) if cls.__name__ in SPECIMENS]


def parse_shapes(text: str) -> list[tuple[int, ...]]:
    """`8x4` or, for several inputs, `8x4,8x3`; TargetError for anything else."""
    shapes = []
    for part in text.split(","):
        if not re.fullmatch(r"\d+(x\d+)*", part) or 0 in map(int, part.split("x")):
            raise TargetError(f"--input: expected sizes such as 8x4, each >= 1, got {text!r}")
        shapes.append(tuple(map(int, part.split("x"))))
    return shapes


def _of_expression(text: str, shapes: list[tuple[int, ...]] | None) -> list[Check]:
    call = _call(text)
    if call is not None and call[0] in SPECIMENS and hasattr(losses, call[0]):
        return _of_class(getattr(losses, call[0]), (call[1], call[2]), shapes)
    try:
        model = parse_model(text, np.random.default_rng(0))
    except ExpressionError as error:
        raise TargetError(str(error)) from None
    single = model.layers[0] if len(model.layers) == 1 and not text.lstrip().startswith("Sequential") else None
    if shapes is None and single is not None and type(single).__name__ in SPECIMENS and call is not None:
        return _of_class(type(single), (call[1], call[2]), None)
    if shapes and len(shapes) > 1:
        raise TargetError(f"--input: {text} has one input, got {len(shapes)} shapes")
    shape = shapes[0] if shapes else (4, *(model.input_shape() or (5,)))
    name = repr(single or model)

    def make(sizes: Sizes, rng: np.random.Generator) -> Any:
        built = parse_model(text, rng)
        return built if single is None else built.layers[0]

    try:
        make({}, np.random.default_rng(0)).forward(np.ones(shape))
    except (ValueError, TypeError) as error:
        raise TargetError(f"{name} cannot be run on an input of {'x'.join(map(str, shape))}: {error}") from None
    inputs = {"x": "N " + " ".join(map(str, shape[1:]))}
    kink = "left" if single is not None and type(single).__name__ in ("ReLU", "LeakyReLU") else None
    return [Check(name, _sweeping(make, inputs, {"N": shape[0]}, None, kink, name), {})]


def _in_module(module: ModuleType, rest: str, shapes: list[tuple[int, ...]] | None, where: str) -> list[Check]:
    """Every layer class that the module defines, or the one named, as in file.py:FC or file.py:FC(4, 3)."""
    own = {
        name: cls
        for name, cls in vars(module).items()
        if _is_layer(cls) and cls.__module__ == module.__name__ and not name.startswith("_")
    }
    if not rest:
        found = [cls for cls in dict.fromkeys(own.values()) if not _is_base(cls, own.values())]
        if not found:
            raise TargetError(f"{where}: expected a class with forward and backward, found none")
        return [check for cls in found for check in _of_class(cls, None, shapes)]
    call = _call(rest if "(" in rest else rest + "()")
    if call is None:
        raise TargetError(f"{where}: expected Class or Class(literal arguments) after the colon, got {rest!r}")
    cls = getattr(module, call[0], None)
    if not _is_layer(cls):
        known = ", ".join(own) or "none"
        what = "has no class" if cls is None else "has no layer (a class with forward and backward)"
        raise TargetError(f"{where} {what} {call[0]}; it has {known}")
    assert isinstance(cls, type)
    return _of_class(cls, (call[1], call[2]) if "(" in rest else None, shapes)


def _of_class(
    cls: type, arguments: tuple[tuple[Any, ...], dict[str, Any]] | None, shapes: list[tuple[int, ...]] | None
) -> list[Check]:
    known = [specimen for specimen in SPECIMENS.get(cls.__name__, []) if specimen.suits(cls)]
    if known and arguments is None and shapes is None:
        return [_of_specimen(cls, specimen) for specimen in known]
    positional, named = arguments or ((), {})
    if known and shapes is None:
        fitting = _resized(known[0], positional, named)
        if fitting is not None:
            return [_of_specimen(cls, fitting, positional, named)]
    return [_of_unknown(cls, positional, named, shapes)]


def _resized(specimen: Specimen, positional: tuple[Any, ...], named: dict[str, Any]) -> Specimen | None:
    """The specimen with its sizes as the arguments say; None where they are of another kind."""
    sizes = dict(specimen.sizes)
    if specimen.arguments(sizes):
        if len(positional) != 2 or not all(isinstance(n, int) and n > 0 for n in positional):
            return None
        sizes.update(D=positional[0], M=positional[1])
        return Specimen(
            specimen.arguments,
            named,
            specimen.inputs,
            sizes,
            None,
            specimen.at_kink,
            specimen.forward,
            specimen.mathematics,
        )
    return specimen


def _of_specimen(
    cls: type, specimen: Specimen, positional: tuple[Any, ...] | None = None, named: Mapping[str, Any] | None = None
) -> Check:
    fixed = positional is not None and not specimen.arguments(dict(specimen.sizes))

    def make(sizes: Sizes, rng: np.random.Generator) -> Any:
        if not fixed:
            return specimen.make(cls, sizes, rng)
        more = {"rng": rng} if "rng" in inspect.signature(cls).parameters else {}
        return cls(*(positional or ()), **{**more, **(named or {})})

    name = cls.__name__ + (f" ({specimen.about})" if specimen.about else "")
    sweeping = _sweeping(
        make,
        specimen.inputs,
        specimen.sizes,
        specimen.extra,
        specimen.at_kink,
        name,
        reference=specimen.forward,
        own_domain=specimen.domain,
    )

    def run(**options: Any) -> Report:
        _built(make, dict(specimen.sizes), cls.__name__)
        return sweeping(**options)

    return Check(name, run, specimen.mathematics)


def _of_unknown(
    cls: type, positional: tuple[Any, ...], named: dict[str, Any], shapes: list[tuple[int, ...]] | None
) -> Check:
    """A class that only its user knows: built as told or without arguments, inputs guessed from forward."""

    def make(sizes: Sizes, rng: np.random.Generator) -> Any:
        more = {"rng": rng} if "rng" in inspect.signature(cls).parameters else {}
        return cls(*positional, **{**more, **named})

    def run(**options: Any) -> Report:
        layer = _built(make, {}, cls.__name__)
        names, labels = _arguments(layer, cls.__name__, shapes)
        if shapes is not None and len(shapes) != len(names):
            raise TargetError(
                f"--input: {cls.__name__} has {len(names)} inputs ({', '.join(names)}), got {len(shapes)}"
            )
        chosen, kind = _fitting(layer, names, labels, shapes)
        batch = chosen[0][0]
        inputs = {
            name: " ".join(["N" if shape[0] == batch else str(shape[0]), *map(str, shape[1:])])
            for name, shape in zip(names, chosen, strict=True)
        }

        def extra(sizes: Sizes, rng: np.random.Generator) -> tuple[Any, ...]:
            return tuple(kind((sizes["N"], *chosen[0][1:]), rng) for _ in range(labels))

        return _sweeping(make, inputs, {"N": batch}, extra if labels else None, None, cls.__name__)(**options)

    def arrays() -> list[str]:
        layer = _built(make, {}, cls.__name__)
        return ["d" + name for name in (*_arguments(layer, cls.__name__, shapes)[0], *parameters(layer))]

    return Check(cls.__name__, run, {}, arrays)


def _arguments(layer: Any, name: str, shapes: Sequence[tuple[int, ...]] | None) -> tuple[list[str], int]:
    """The names of what forward is differentiated by, and how many arguments are labels by their name."""
    signature = list(inspect.signature(layer.forward).parameters.values())
    taken = [
        p.name for p in signature if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    if not taken and any(p.kind is p.VAR_POSITIONAL for p in signature):  # as behind a decorator
        count = len(shapes or ("x",))
        return [f"x{i}" for i in range(count)] if count > 1 else ["x"], 0
    if not taken:
        raise TargetError(f"{name}: forward must take at least one input, it takes none")
    if len(taken) > 1 and LABELS.search(taken[0]) and not any(map(LABELS.search, taken[1:])):
        raise TargetError(f"{name}: forward takes {taken[0]} first; labels come after what is differentiated")
    names = [taken[0], *(word for word in taken[1:] if not LABELS.search(word))]
    return names, len(taken) - len(names)


Labels = Callable[[tuple[int, ...], np.random.Generator], Array]
LABEL_KINDS: tuple[Labels, ...] = (
    lambda shape, rng: rng.integers(0, shape[-1], shape[0]),
    lambda shape, rng: rng.integers(0, 2, shape),
    lambda shape, rng: rng.standard_normal(shape),
)
"""What labels can be for inputs of a shape: classes, zeros and ones, or targets of a regression."""


def _fitting(
    layer: Any, names: Sequence[str], labels: int, shapes: list[tuple[int, ...]] | None
) -> tuple[list[tuple[int, ...]], Labels]:
    """Shapes of the inputs and the kind of labels that forward takes; TargetError when none that were tried fits."""
    try:
        copy_of(layer)
    except Exception as error:
        raise TargetError(
            f"{type(layer).__name__} cannot be copied ({error}), and copies are what is checked: leave out the "
            "attribute, or define __deepcopy__"
        ) from None
    refused: Exception | None = None
    tries = [shapes] if shapes else [[shape] * len(names) for shape in GUESSES]
    kinds = LABEL_KINDS if labels else LABEL_KINDS[:1]
    for chosen, kind in ((chosen, kind) for chosen in tries for kind in kinds):
        rng = np.random.default_rng(0)
        try:
            inputs = [np.asarray(rng.standard_normal(shape)) for shape in chosen]
        except MemoryError:
            sizes = ",".join("x".join(map(str, shape)) for shape in chosen)
            raise TargetError(f"--input: an array of {sizes} does not fit into memory") from None
        try:
            with quiet():
                copy_of(layer).forward(*inputs, *(kind(chosen[0], rng) for _ in range(labels)))
            return chosen, kind
        except (ValueError, TypeError, IndexError, AssertionError) as error:
            refused = refused or error
        except (Exception, SystemExit):
            return chosen, kind  # no matter of shapes: the check will tell of it
    if shapes:
        return shapes, LABEL_KINDS[0]
    tried = " or ".join("x".join(map(str, shape)) for shape in GUESSES)
    raise TargetError(
        f"{type(layer).__name__}: forward takes no input of {tried} ({type(refused).__name__}: {refused}); "
        "give its shape with --input"
    )


def _sweeping(
    make: Callable[[Sizes, np.random.Generator], Any],
    inputs: Mapping[str, str],
    sizes: Mapping[str, int],
    extra: Callable[..., Any] | None,
    kink: str | None,
    name: str,
    reference: Callable[..., Any] | None = None,
    own_domain: Mapping[str, tuple[float | None, float | None]] | None = None,
) -> Callable[..., Report]:
    def run(*, seed: int, skip: tuple[str, ...], at_kink: str | None, domain: Any = None) -> Report:
        from handgrad.gradcheck import sweep  # the story that is told with these parts

        try:
            report = sweep(
                make,
                inputs,
                sizes,
                extra=extra,
                domain={**(own_domain or {}), **(domain or {})},
                at_kink=at_kink or kink,
                skip=skip,
                seed=seed,
                reference=reference,
            )
        except ValueError as error:
            if str(error).startswith("domain:"):  # the user's, not the layer's
                raise TargetError(f"{name}: --{error}") from None
            raise
        report.layer = name
        return report

    return run


def _built(make: Callable[[Sizes, np.random.Generator], Any], sizes: Sizes, name: str) -> Any:
    try:
        return make(sizes, np.random.default_rng(0))
    except (Exception, SystemExit) as error:
        raise TargetError(
            f"{name} cannot be constructed ({type(error).__name__}: {error}); say how, as in file.py:{name}(4, 3)"
        ) from None


def _from_file(path: Path) -> ModuleType:
    """The module in a file; a file of this package is that module of the package."""
    if not path.is_file():
        raise TargetError(f"{path}: no such file")
    package = Path(handgrad.__file__).resolve().parent
    full = path.resolve()
    folders = [folder for folder in full.parents if folder.is_relative_to(package)]
    if folders and folders[-1] == package and all((folder / "__init__.py").exists() for folder in folders):
        parts = full.relative_to(package).with_suffix("").parts
        return _imported(lambda: importlib.import_module(".".join(("handgrad", *parts))), str(path))

    def load() -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"checked_{full.stem}", full)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        sys.path.insert(0, str(full.parent))  # what lies beside the file can be imported by it
        try:
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(str(full.parent))
        return module

    return _imported(load, str(path))


def _from_name(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    return _imported(lambda: importlib.import_module(name), name)


def _imported(load: Callable[[], ModuleType], where: str) -> ModuleType:
    try:
        return load()
    except SyntaxError as error:
        place = f"line {error.lineno}: " if error.lineno else ""
        raise TargetError(f"{where}: {place}{error.msg}") from None
    except (Exception, SystemExit) as error:
        trace = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
        lines = [f"line {frame.lineno}" for frame in trace if Path(frame.filename).name == Path(where).name]
        place = f" ({lines[-1]})" if lines else ""
        raise TargetError(f"{where}: cannot be imported{place}: {type(error).__name__}: {error}") from None


def _is_layer(cls: Any) -> bool:
    return (
        isinstance(cls, type)
        and not inspect.isabstract(cls)
        and callable(getattr(cls, "forward", None))
        and callable(getattr(cls, "backward", None))
    )


def _is_base(cls: type, others: Iterable[type]) -> bool:
    """Whether the class is there for others to derive from: its own methods raise NotImplementedError."""
    methods = [vars(cls).get(name) for name in ("forward", "backward")]
    stubs = [m for m in methods if "NotImplementedError" in getattr(getattr(m, "__code__", None), "co_names", ())]
    return bool(stubs) and any(issubclass(other, cls) and other is not cls for other in others)


def _call(text: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
    """(name, arguments, options) of a call with literal arguments; None for anything else."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return None
        positional = tuple(ast.literal_eval(argument) for argument in node.args)
        return node.func.id, positional, {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
