"""What a check found: to be read, and as JSON and JUnit for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = ("value", "contract", "nonfinite", "shape", "dtype", "crash")


@dataclass
class Finding:
    """One thing that is wrong."""

    array: str
    """The gradient: "dW", "db", "dx", or d and the input's name; "y" for the output."""
    kind: str
    """value, contract, nonfinite, shape, dtype or crash."""
    cause: str
    """A short stable word such as "transposed"; "" when the mistake is only located."""
    message: str
    """One or two sentences: what the numbers show, and what to look at."""
    where: str = ""
    """At which sizes and values it was seen."""
    item: str = ""
    """The contract's item, as `skip` names it."""
    index: tuple[int, ...] | None = None
    """The worst entry; `analytic` is backward's value there, `numeric` the difference's, `error` its error bound."""
    analytic: float | None = None
    numeric: float | None = None
    error: float | None = None
    also: list[str] = field(default_factory=list)
    """Where else the same array was wrong."""
    corner: str = ""
    """A small part of the gradient, backward's and the differences' side by side."""
    reproduce: str = ""
    """The smallest call that shows it."""

    def __str__(self) -> str:
        what = f"{self.array}: {self.kind}" + (f" [{self.cause}]" if self.cause else "")
        return f"{what}: {self.message}" + (f" (seen {self.where})" if self.where else "")


@dataclass
class Unresolved:
    """A gradient, or one entry of it, that could not be decided; never a pass."""

    array: str
    message: str
    where: str = ""
    index: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.array}: unresolved: {self.message}" + (f" ({self.where})" if self.where else "")


@dataclass
class Row:
    """The worst entry of one gradient array, wrong or not."""

    index: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None
    error: float | None = None
    closeness: float = -1.0
    compared: bool = False
    """Whether it was held against differences at any point."""


@dataclass
class Report:
    """The outcome of a check. `ok` only when nothing is wrong and nothing is unresolved."""

    layer: str
    seed: int = 0
    unusable: str = ""
    """Why there was nothing to check: the layer cannot be built, or given an input."""
    findings: list[Finding] = field(default_factory=list)
    unresolved: list[Unresolved] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    """For each gradient array its worst entry at the first point."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""
    points: int = 0
    """At how many points values were compared."""
    curve: dict[str, Any] | None = None
    """The differences of one entry at every step: of the worst that is wrong, or of the first array."""

    @property
    def ok(self) -> bool:
        return not self.findings and not self.unresolved and not self.unusable

    @property
    def crashed(self) -> bool:
        """Whether the layer's own code raised."""
        return any(finding.kind == "crash" for finding in self.findings)

    def verdict(self, array: str) -> str:
        """ok, wrong, unresolved, or unchecked: what came before kept it from being compared."""
        if any(finding.array == array for finding in self.findings):
            return "wrong"
        if any(one.array == array for one in self.unresolved):
            return "unresolved"
        return "ok" if self.rows.get(array, Row()).compared else "unchecked"

    def arrays(self) -> list[str]:
        """The gradients, and whatever else something is said of."""
        said = [finding.array for finding in self.findings] + [one.array for one in self.unresolved]
        return list(dict.fromkeys([*self.rows, *said]))

    def to_dict(self) -> dict[str, Any]:
        """Everything, in types that JSON has; numbers that JSON has not are written as text."""
        return {
            "layer": self.layer,
            "ok": self.ok,
            "seed": self.seed,
            "unusable": self.unusable,
            "points": self.points,
            "arrays": {name: {"verdict": self.verdict(name), **_row(self.rows.get(name))} for name in self.arrays()},
            "findings": [_plain(asdict(finding)) for finding in self.findings],
            "unresolved": [_plain(asdict(one)) for one in self.unresolved],
            "notes": list(self.notes),
            **({} if self.curve is None else {"curve": self.curve}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """The report that `to_dict` wrote."""
        report = cls(
            values["layer"], values["seed"], values["unusable"], notes=values["notes"], points=values["points"]
        )
        report.findings = [Finding(**_numbers_back(finding)) for finding in values["findings"]]
        report.unresolved = [Unresolved(**_numbers_back(one)) for one in values["unresolved"]]
        for name, row in values["arrays"].items():
            if "index" in row:
                report.rows[name] = Row(**_numbers_back({k: v for k, v in row.items() if k != "verdict"}))
        report.curve = values.get("curve")
        return report

    def __str__(self) -> str:
        left_out = [f"    {note}" for note in self.notes[:3]] + ["    ..."] * (len(self.notes) > 3)
        return "\n".join([*self.lines(), *self.story(), *left_out])

    def lines(self, width: int = 0) -> list[str]:
        """One line for each gradient array, the layer's name in a column of `width`."""
        lines = []
        for array in self.arrays():
            finding = next((f for f in self.findings if f.array == array), None)
            verdict = self.verdict(array)
            verdict = "WRONG" if verdict == "wrong" else verdict
            numbers = _numbers(finding or self.rows.get(array))
            if finding is not None:
                text = numbers + (f"  [{finding.cause or finding.kind}]")
            elif verdict == "unresolved":
                text = next(one.message for one in self.unresolved if one.array == array)
            else:
                text = numbers
            lines.append(f"{self.layer:<{width}}  {array:<7} {verdict:<5} {text}".rstrip())
        if self.unusable:
            return [f"{self.layer:<{width}}  {'layer':<7} not checked: {self.unusable}"]
        return lines or [f"{self.layer:<{width}}  ok"]

    def story(self) -> list[str]:
        """Every finding in full, the first with its corner of numbers."""
        lines: list[str] = []
        for number, finding in enumerate(self.findings):
            lines += ["", f"{finding.array}: {finding.message}"]
            if finding.where:
                lines.append(f"    seen {finding.where}")
            if finding.also:
                shown = "; ".join(finding.also[:4]) + ("; ..." if len(finding.also) > 4 else "")
                lines.append(f"    also {shown}")
            if number == 0 and finding.corner:
                lines += ["    " + line for line in finding.corner.splitlines()]
            if finding.reproduce:
                lines.append(f"    again: {finding.reproduce}")
        for one in self.unresolved:
            lines += ["", str(one)]
        return lines


def junit(reports: list[Report]) -> str:
    """JUnit XML with one test case for each (layer, array)."""
    from xml.etree import ElementTree  # needed for this alone

    suite = ElementTree.Element("testsuite", name="handgrad.gradcheck")
    cases = failures = errors = 0
    for report in reports:
        for array in report.arrays() or ["layer"]:
            case = ElementTree.SubElement(suite, "testcase", classname=_printable(report.layer), name=array)
            cases += 1
            about = [f for f in report.findings if f.array == array]
            open_ones = [one for one in report.unresolved if one.array == array]
            text = _printable("\n".join(str(one) for one in (*about, *open_ones)))
            if report.unusable:
                ElementTree.SubElement(case, "error", message=_printable(report.unusable), type="unusable")
                errors += 1
            elif any(f.kind == "crash" for f in about):
                ElementTree.SubElement(case, "error", message=_printable(about[0].message), type="crash").text = text
                errors += 1
            elif about or open_ones:
                first = about[0].message if about else open_ones[0].message
                kind = (about[0].cause or about[0].kind) if about else "unresolved"
                ElementTree.SubElement(case, "failure", message=_printable(first), type=kind).text = text
                failures += 1
            elif report.verdict(array) == "unchecked":
                why = report.findings[0].message if report.findings else "nothing could be compared"
                ElementTree.SubElement(case, "error", message=_printable(f"not compared: {why}"), type="unchecked")
                errors += 1
    suite.set("tests", str(cases))
    suite.set("failures", str(failures))
    suite.set("errors", str(errors))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _numbers(of: Finding | Row | None) -> str:
    if of is None or of.analytic is None or of.numeric is None:
        return ""
    place = f"[{', '.join(map(str, of.index))}]" if of.index else ""
    bound = f" +- {of.error:.1g}" if of.error is not None else ""
    return f"{place} backward {of.analytic:.9g}, numeric {of.numeric:.9g}{bound}".strip()


def _row(row: Row | None) -> dict[str, Any]:
    if row is None:
        return {}
    return _plain({key: value for key, value in asdict(row).items() if key != "closeness"})


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    plain = {}
    for key, value in values.items():
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            value = str(value)
        plain[key] = list(value) if isinstance(value, tuple) else value
    return plain


def _numbers_back(values: Mapping[str, Any]) -> dict[str, Any]:
    """The types that JSON does not have."""
    back = dict(values)
    for key in ("analytic", "numeric", "error"):
        if isinstance(back.get(key), str):
            back[key] = float(back[key])
    if back.get("index") is not None:
        back["index"] = tuple(back["index"])
    return back


def _printable(text: str) -> str:
    """`text` without the control characters that XML does not have."""
    return "".join(c if c in "\n\t" or c >= " " else "?" for c in text)


def told_apart(a: float, b: float) -> tuple[str, str]:
    """Both numbers, with as many digits as it takes to see that they differ."""
    for digits in (6, 9, 12):
        texts = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return f"{a:.17g}", f"{b:.17g}"
