"""One check from beginning to end: the points in order, what is found at each, and the report of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from handgrad.checking.comparison import Comparison, Entry
from handgrad.checking.contract import GRADIENTS, broken_items
from handgrad.checking.contract.place import Place
from handgrad.checking.finiteness import finite_somewhere, infinite_gradients, why_not_finite
from handgrad.checking.forms import wrong_forms, wrong_returns
from handgrad.checking.numeric import EPS, precision_of
from handgrad.checking.options import Options
from handgrad.checking.points import KINKED, REALS, SPECIAL, Interval, upstream_for
from handgrad.checking.report import Finding, Report, Row, Unresolved, told_apart
from handgrad.checking.rounding import Rounding
from handgrad.checking.settings import Setting
from handgrad.checking.subject import BadReturn, LayerError, Point, Subject, describe, unlisted_parameters
from handgrad.checking.values import PointCheck, handed
from handgrad.params import Array

EXTREME = [name for name in SPECIAL if name != "small integers"]
"""Values at which forward may raise: an overflow is one, and so is a refusal."""

STATE = ("repeatable", "fresh-cache", "fresh-parameters")


class Examination:
    """Looks at a layer at one point after another, and keeps what it finds."""

    def __init__(self, layer: Any, options: Options, reference: Callable[..., Any] | None = None) -> None:
        self.options, self.reference = options, reference
        self.report = Report(describe(layer), options.seed)
        self.wrong: dict[str, Finding] = {}
        self.volumes: dict[int, float] = {}
        self.largest: dict[str, float] = {}
        """The largest entry of each gradient at points of moderate size."""
        self.output_size = 0.0
        """The largest output at the user's point, or an ordinary one."""
        self.precision = EPS
        """The relative precision in which forward computes; backward may then, too."""

    def first_look(self, setting: Setting) -> bool:
        """Whether forward works at all; finds out whether it draws random numbers, and replays them if so."""
        subject, point = setting.subject, setting.subject.at_hand
        if GRADIENTS not in self.options.skip:
            self.report.rows.update({"d" + name: Row() for name in subject.variables})
        try:
            before = subject.random_state()
            first = subject.outputs(point)
            draws = subject.random_state() != before
            second = subject.outputs(point)
            self.precision = max(map(precision_of, first), default=EPS)
            if _equal(first, second) and not draws and self.precision < 1e-4:
                return True
            subject.replays = True
            first, second = subject.outputs(point), subject.outputs(point)
        except LayerError as error:
            return self.crashed(error, setting, "at the first call")
        if self.precision > 1e-4:
            message = (
                "forward computes in half precision, 3 digits: too few to check gradients with; use float32 or more"
            )
            self.report.unresolved.append(Unresolved("y", message, setting.where))
            return False
        if not _equal(first, second):
            message = (
                "forward gives another output each time, even on copies of the layer, so it has no derivative to "
                "compare with; let it draw from a generator of its own (rng=)"
            )
            self.report.unresolved.append(Unresolved("y", message, setting.where))
            return False
        if not draws and "repeatable" not in self.options.skip:
            self._add(
                Finding(
                    "y",
                    "contract",
                    "forward-keeps-state",
                    "a second forward with the same input gives another output: the layer keeps something of the "
                    "first call, or edits its parameters.",
                    setting.where,
                    "repeatable",
                )
            )
        return True

    def look(
        self,
        setting: Setting,
        values: str,
        point: Point,
        *,
        upstream: Sequence[Any] | None = None,
        is_own: bool = False,
        every_entry: bool = False,
    ) -> bool:
        """Compares all gradients at one point; False when the point could not be used."""
        subject = setting.subject
        where = f"{setting.where}, {values}" if setting.where else values
        rng = self.options.rng(where)
        try:
            outputs = subject.outputs(point)
        except LayerError as error:
            if is_own or (setting.is_own and not error.deliberate and values not in EXTREME):
                return self.crashed(error, setting, where)
            self.report.notes.append(f"{where}: left out, {error}")
            return False
        if not outputs or any(y.size == 0 for y in outputs) or any(y.dtype.kind not in "buif" for y in outputs):
            return self._strange_output(outputs, where, is_own)
        is_finite = all(np.isfinite(y).all() for y in outputs)
        if is_finite or is_own:
            self._compare_forward(setting, point, outputs, where)
        if not is_finite:
            return self._infinite_output(subject, point, where, is_own)
        if GRADIENTS in self.options.skip:
            return True
        if upstream is None:
            upstream = upstream_for(outputs, rng, one_signed=values in KINKED)
        if not subject.takes_upstream:
            upstream = self._fixed_upstream(outputs, where)
        if not self._forms(setting, point, upstream, outputs, where):
            return False
        if is_own:
            self._note_unlisted(subject, point, upstream)
        check = self._compare(setting, values, point, upstream, where, rng, is_own=is_own, every_entry=every_entry)
        if check.kinked and not check.one_signed and self.options.at_kink is None:
            one_signed = [np.abs(u) + 0.1 for u in map(np.asarray, upstream)]
            self._compare(setting, values, point, one_signed, where, rng, is_own=is_own, every_entry=every_entry)
        return True

    def concluded(self) -> Report:
        """The report. An array that was never compared, without anything wrong being known, is unresolved."""
        report = self.report
        if report.ok:
            for array, row in report.rows.items():
                if not row.compared:
                    report.unresolved.append(Unresolved(array, "nothing could be compared"))
        return report

    def contract(self, setting: Setting, values: str, point: Point) -> None:
        """Looks at the items of the contract at one point; they are about forward and backward together."""
        if GRADIENTS in self.options.skip:
            return
        subject = setting.subject
        where = f"{setting.where}, {values}" if setting.where else values
        rng = self.options.rng("contract " + where)
        try:
            outputs = subject.outputs(point)
            if not all(np.isfinite(y).all() for y in outputs):  # beyond the domain: at the user's own point then
                point = subject.at_hand
                outputs = subject.outputs(point)
            if not outputs or any(y.size == 0 or not np.isfinite(y).all() for y in outputs):
                return
            upstream = upstream_for(outputs, rng)
            check = PointCheck(subject, point, upstream, rng, domain=self.options.domain)
            precision = max(map(precision_of, [*outputs, *check.gradients.values()]))
            size = float(np.sqrt(np.sum((check.weights * check.y0) ** 2)))
            noise = 100 * check.noise / size if size else 0.0
            measured = Rounding(check, self.largest, self.options.rng("rounding"))
            rounding = {name: measured.of(name) for name in check.gradients}
            tolerance = max(1e-9, 250 * precision if precision > EPS else 0.0, min(noise, 1e-2))
            place = Place(subject, point, upstream, self.options.domain, rng, tolerance, rounding)
        except (LayerError, BadReturn):
            return  # told by `look` already
        for finding in broken_items(place, self.options.skip):
            if finding.array in self.wrong and finding.item in ("linear", "layouts", "integer-input"):
                continue  # a consequence of the wrong formula, most likely
            if finding.item in STATE and any(
                f.array == finding.array and f.item in STATE for f in self.report.findings
            ):
                continue  # one trouble with its state brings the others
            finding.where = where
            finding.reproduce = setting.reproduce
            self._add(finding)

    # The parts of `look`.

    def _compare_forward(self, setting: Setting, point: Point, outputs: list[Array], where: str) -> None:
        """Holds forward against the reference, if there is one: a wrong forward is told before any gradient."""
        if self.reference is None:
            return
        subject = setting.subject
        inputs = [np.array(point[name]) for name in subject.inputs]
        try:
            returned = self.reference(subject.at(point), *inputs, *subject.extra)
            wanted = None if returned is None else np.asarray(returned, np.float64)
        except Exception as error:
            raise ValueError(f"reference raised {type(error).__name__}: {error}") from error
        if wanted is None or not np.isfinite(wanted).all():
            return
        y = outputs[0]
        reach = max((float(np.abs(point[name]).max(initial=0.0)) for name in subject.inputs), default=0.0)
        least = 1e-9 * np.abs(wanted).max(initial=0) + 8 * EPS * (1 + reach)  # the reference rounds, too
        if wanted.shape == y.shape and np.allclose(y, wanted, rtol=1e-6, atol=least):
            return
        if wanted.shape != y.shape:
            message = f"forward must return the shape {list(wanted.shape)}, got {list(y.shape)}"
        else:
            off = np.where(np.isfinite(y), np.abs(y - wanted), np.inf)
            worst = np.unravel_index(np.argmax(off), y.shape)
            found, right = told_apart(y[worst], wanted[worst])
            message = (
                f"forward is not what this layer computes: y{[int(i) for i in worst] or ''} is {found} and must "
                f"be {right}. Mend forward first, the gradients are held against it"
            )
        self._add(Finding("y", "value", "wrong-forward", message + "."), where, setting)

    def _compare(
        self,
        setting: Setting,
        values: str,
        point: Point,
        upstream: Sequence[Any],
        where: str,
        rng: np.random.Generator,
        *,
        is_own: bool,
        every_entry: bool,
    ) -> PointCheck:
        check = PointCheck(
            setting.subject,
            point,
            upstream,
            rng,
            domain=self.options.domain,
            # Elsewhere a kink can be too close to be told from one that is met exactly.
            at_kink=self.options.at_kink if is_own or values in KINKED else None,
            own_point=is_own,
            ordinary_output=0.0 if is_own else self.output_size,
            precision=self.precision,
        )
        known_wrong = [array[1:] for array in self.wrong]
        comparisons = check.compare(every_entry=every_entry, known_wrong=known_wrong)
        self.report.points += 1
        if is_own:
            self.output_size = max(self.output_size, float(np.abs(check.y0).max(initial=0.0)))
        if not values.startswith(("of size 25", "of size 1e3", "rows")):
            for name, gradient in check.gradients.items():
                size = float(np.abs(gradient[np.isfinite(gradient)]).max(initial=0.0))
                self.largest[name] = max(self.largest.get(name, 0.0), size)
        if "finite" not in self.options.skip:
            for finding in infinite_gradients(check):
                self._add(finding, where, setting)
        rounding = Rounding(check, self.largest, self.options.rng("rounding"))
        if self.report.curve is None and comparisons and comparisons[0].worst is not None:
            self.report.curve = check.curve(comparisons[0].array, comparisons[0].worst.index)
        for comparison in comparisons:
            if comparison.is_wrong_again:
                known = self.wrong["d" + comparison.array]
                known.also.append(where)
                self._reproduced(known, setting)
            self._record(comparison)
            wrong = [e for e in comparison.with_verdict("wrong") if not rounding.explains(comparison, e)]
            if wrong:
                self._wrong_values(setting, check, comparison, wrong, values, where)
            elif comparison.joint:
                self._add(
                    Finding(
                        "d" + comparison.array,
                        "value",
                        "tie",
                        f"At a tie or kink each entry alone is within its limits, but {comparison.joint}: a tie is "
                        "paid twice, or not at all. One of the tied entries must get the whole upstream gradient, or "
                        "all of them shares that sum to it.",
                        where,
                        reproduce=setting.reproduce,
                    )
                )
            for entry in comparison.with_verdict("unresolved")[:1]:
                self.report.unresolved.append(
                    Unresolved(
                        "d" + comparison.array,
                        f"the differences are too coarse to decide (numeric {entry.numeric:.4g} +- "
                        f"{entry.slope.error:.1g}, backward {entry.analytic:.4g})",
                        where,
                        entry.index,
                    )
                )
        return check

    def _record(self, comparison: Comparison) -> None:
        worst = comparison.worst
        row = self.report.rows["d" + comparison.array]
        row.compared = True
        if worst is None or worst.verdict == "undecided":
            return
        closeness = worst.excess / worst.tolerance if worst.tolerance > 0 else worst.excess
        if closeness > row.closeness and (row.index is None or worst.verdict == "wrong"):
            row.index, row.analytic, row.numeric = worst.index, worst.analytic, worst.numeric
            row.error, row.closeness = worst.slope.error, closeness

    def _wrong_values(
        self,
        setting: Setting,
        check: PointCheck,
        comparison: Comparison,
        wrong: list[Entry],
        values: str,
        where: str,
    ) -> None:
        array = "d" + comparison.array
        if any(f.array == array and f.kind == "dtype" for f in self.report.findings):
            return  # the digits that a narrow dtype loses
        nonlinear = next((f for f in self.report.findings if f.array == array and f.item == "linear"), None)
        if nonlinear is not None:
            nonlinear.also.append(where)
            return
        worst = max(wrong, key=lambda e: e.excess)
        if comparison.is_sparse:
            where_all = ", ".join(str(list(entry.index)) for entry in wrong)
            cause = "single-entry" if len(wrong) == 1 else ""
            message = (
                f"{array} is wrong in {len(wrong)} of its {comparison.analytic.size:,} entries only, {where_all}: "
                f"{worst.analytic:.6g} where the differences give {worst.numeric:.6g} +- {worst.slope.error:.1g}."
            )
        else:
            # Imported only now: most layers are right, and `import handgrad` stays quick.
            from handgrad.checking.diagnosis import diagnose
            from handgrad.checking.diagnosis.evidence import Evidence

            cause, message = diagnose(Evidence.gathered(setting, check, comparison, values, self.options))
        if not setting.is_base:
            message += " At the sizes given it is right: look at what depends on the size."
        finding = Finding(
            array,
            "value",
            cause,
            message,
            where,
            index=worst.index,
            analytic=worst.analytic,
            numeric=worst.numeric,
            error=worst.slope.error,
            corner=check.corner(comparison, worst.index),
            reproduce=setting.reproduce,
        )
        if not self.wrong:
            self.report.curve = check.curve(comparison.array, worst.index)
        self._add(finding)
        self._reproduced(finding, setting)
        self.wrong[array] = finding

    def _fixed_upstream(self, outputs: list[Array], where: str) -> list[Any]:
        """1, which ends the chain at a loss; a layer in the midst of it must take what comes from above."""
        if any(y.ndim for y in outputs) and "linear" not in self.options.skip:
            message = (
                "backward takes no upstream gradient, so that nothing can come before the loss: it must be "
                "backward(upstream), with dL/dx = upstream * local (chain rule)"
            )
            self._add(Finding("y", "contract", "upstream-ignored", message + ".", where, "linear"))
        return [np.ones(y.shape) if y.ndim else 1.0 for y in outputs]

    def _forms(self, setting: Setting, point: Point, upstream: Sequence[Any], outputs: list[Array], where: str) -> bool:
        """Whether backward runs and returns arrays, at least one of which can be compared."""
        subject = setting.subject
        try:
            told: dict[str, str] = {}
            gradients = subject.gradients(point, handed(upstream), told)
        except LayerError as error:
            return self.crashed(error, setting, where)
        except BadReturn as error:
            told, gradients = {subject.inputs[0]: str(error)}, {}
        for finding in wrong_returns(told):
            self._add(finding, where, setting)
        for finding in wrong_forms(gradients, point, outputs, subject.narrow, self.options.skip):
            self._add(finding, where, setting)
        return any(gradient.shape == point[name].shape for name, gradient in gradients.items())

    def _note_unlisted(self, subject: Subject, point: Point, upstream: Sequence[Any]) -> None:
        layer = subject.at(point)
        subject.forward(layer, point)
        subject.backward(layer, handed(upstream))
        for name in unlisted_parameters(layer, (*subject.variables, "y")):
            self.report.notes.append(
                f"{name} is an attribute and in no params, so its gradient was not compared; params must name it, and "
                f'backward return it: (dx, {{"{name}": ...}})'
            )

    def _infinite_output(self, subject: Subject, point: Point, where: str, is_own: bool) -> bool:
        """Tells an overflow inside forward from a point at which the function itself has no finite value."""
        reason = why_not_finite(subject, point)
        if reason and "finite" not in self.options.skip:
            self._add(Finding("y", "nonfinite", "overflow" if "overflow" in reason else "nan", reason, where, "finite"))
        elif is_own and not reason and not finite_somewhere(subject, point):
            message = (
                "forward is not finite for ordinary input, nor anywhere else that was tried (0 * log 0, 0 / 0, or the "
                "log of a negative number)"
            )
            self._add(Finding("y", "nonfinite", "nan", message + ".", where, "finite"))
        elif is_own and not reason:
            self.report.unresolved.append(
                Unresolved(
                    "y",
                    "forward is not finite at this point, so nothing can be compared; give a point= or a domain= in "
                    "which it is (--domain on the command line)",
                    where,
                )
            )
        else:
            self.report.notes.append(f"{where}: left out, forward is not finite there")
        return False

    def _strange_output(self, outputs: list[Array], where: str, is_own: bool) -> bool:
        if outputs and any(y.dtype.kind not in "buif" for y in outputs):
            kind = next(y.dtype for y in outputs if y.dtype.kind not in "buif")
            self._add(
                Finding("y", "dtype", "wrong-return", f"forward must return real numbers, got dtype {kind}.", where)
            )
        elif is_own:
            message = "forward returns an empty array, so there is nothing to differentiate"
            self.report.unresolved.append(Unresolved("y", message, where))
        return False

    def crashed(self, error: LayerError, setting: Setting, where: str) -> bool:
        array = "y" if error.stage == "forward" else "d" + setting.subject.inputs[0]
        if isinstance(error.error, BadReturn):
            self._add(Finding(array, "shape", "wrong-return", f"{error.error}.", where), setting=setting)
            return False
        kind = type(error.error).__name__
        text = str(error.error).splitlines()[0] if str(error.error) else "no message"
        self._add(
            Finding(
                array,
                "crash",
                kind,
                f"{error.stage} raised {kind}: {text}{f' at {error.place}' if error.place else ''}.",
                where,
                reproduce=setting.reproduce,
            )
        )
        return False

    def _reproduced(self, finding: Finding, setting: Setting) -> None:
        """Keeps the call with the smallest sizes that shows the finding."""
        volume = math.prod(setting.sizes.values())
        if volume < self.volumes.get(id(finding), math.inf):
            self.volumes[id(finding)] = volume
            finding.reproduce = setting.reproduce

    def _add(self, finding: Finding, where: str = "", setting: Setting | None = None) -> None:
        """Keeps the finding, unless the same thing has been found already."""
        finding.where = finding.where or where
        if setting is not None:
            finding.reproduce = finding.reproduce or setting.reproduce
        if finding.kind == "value" and any(
            f.array == finding.array and f.kind == "shape" for f in self.report.findings
        ):
            return
        for known in self.report.findings:
            same_item = known.item == finding.item and known.cause == finding.cause
            if known.array == finding.array and known.kind == finding.kind and same_item:
                if finding.where != known.where:
                    known.also.append(finding.where)
                return
        self.report.findings.append(finding)


def point_at(
    subject: Subject, domain: Mapping[str, Interval], draw: Callable[..., Array], rng: np.random.Generator
) -> Point:
    """The subject's parameters, with inputs drawn anew."""
    inputs = {name: draw(subject.at_hand[name].shape, domain.get(name, REALS), rng) for name in subject.inputs}
    return {**subject.at_hand, **inputs}


def _equal(first: Sequence[Array], second: Sequence[Array]) -> bool:
    return all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-12, atol=0, equal_nan=True)
        for a, b in zip(first, second, strict=True)
    )
