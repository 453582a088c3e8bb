"""What goes on inside a network while it trains: its gradients, activations and updates."""

from __future__ import annotations

import copy
import csv
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from handgrad.container import leaves
from handgrad.extras import need
from handgrad.files import PathLike, written
from handgrad.params import Array
from handgrad.pictures import save_figure
from handgrad.train import Callback, Run


class Monitor(Callback):
    """Records gradients, activations and updates every few steps of `train`, and draws them beside the loss.

        monitor = Monitor(every=10)
        train(model, loss, optimizer, data, callbacks=[monitor])
        monitor.plot("monitor.png")

    Recorded are the steps 1, 1 + every, 1 + 2 every, ...; each list has one entry a recorded step. A new run begins
    anew. Training gives the same numbers, to the bit, with a monitor and without.
    Raises ValueError when `every` is no whole number >= 1.
    """

    def __init__(self, every: int = 10) -> None:
        if isinstance(every, bool) or not isinstance(every, int | np.integer) or every < 1:
            raise ValueError(f"Monitor: every must be a whole number >= 1, got {every!r}")
        self.every = int(every)
        self._begin()

    def _begin(self) -> None:
        self.steps: list[int] = []
        self.losses: list[float] = []
        """The mini-batch's loss, before the update."""
        self.gradient_norms: dict[str, list[float]] = {}
        """By parameter ("0.W"): the Euclidean norm of its gradient."""
        self.update_ratios: dict[str, list[float]] = {}
        """By parameter: the norm of the update over the norm of the updated weights; NaN when these are all 0."""
        self.zeros: dict[str, list[float]] = {}
        """By layer ("1 ReLU()"): the share of its outputs that are exactly 0 on the mini-batch.

        The output is that in use (`predict`), after the update: Dropout passes on there what it gets.
        """
        self.dead: dict[str, list[float]] = {}
        """By layer: the share of its units whose output is 0 for every row of the mini-batch."""
        self._before: dict[str, Array] = {}

    def on_start(self, run: Run) -> None:
        self._begin()
        self._keep_weights(run)

    def on_step(self, run: Run) -> None:
        if (run.step - 1) % self.every == 0:
            self._record(run)
        if run.step % self.every == 0:  # the next step will be recorded
            self._keep_weights(run)

    def _keep_weights(self, run: Run) -> None:
        self._before = {name: weights.copy() for name, weights in run.model.params.items()}

    def _record(self, run: Run) -> None:
        self.steps.append(run.step)
        self.losses.append(run.value)
        for name, weights in run.model.params.items():
            size, update = _norm(weights), weights - self._before[name]
            self.gradient_norms.setdefault(name, []).append(_norm(run.grads[name]))
            self.update_ratios.setdefault(name, []).append(_norm(update) / size if size else math.nan)
        # A copy, because a layer of the user's may draw random numbers or count its calls in predict, too.
        for path, layer, y in leaves(copy.deepcopy(run.model), run.x):
            place = f"{'.'.join(map(str, path))} {layer!r}".strip()
            is_zero = np.atleast_1d(np.equal(y, 0))
            self.zeros.setdefault(place, []).append(float(is_zero.mean()))
            self.dead.setdefault(place, []).append(float(is_zero.all(axis=0).mean()))

    def to_csv(self, path: PathLike) -> None:
        """Writes a header and one row a recorded step: step, loss, then a column such as "gradient_norms 0.W"."""
        self._need_a_record()
        columns: dict[str, list[Any]] = {"step": self.steps, "loss": self.losses}
        for kind in ("gradient_norms", "update_ratios", "zeros", "dead"):
            columns |= {f"{kind} {name}": values for name, values in getattr(self, kind).items()}
        with written(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))

    def plot(self, path: PathLike | None = None) -> Any:
        """Draws loss, gradient norms, update ratios and zeros over the steps; returns Matplotlib's figure.

        Layers are coloured in their order. Of zeros, those layers are shown that make some. With `path` the picture is
        written there, its format chosen by the ending (.png, .svg, .pdf). Needs the extra handgrad[plot].
        """
        self._need_a_record()
        figure = need("matplotlib.figure", "plot").Figure(figsize=(10, 6), layout="constrained")
        loss, gradients, zeros, updates = figure.subplots(2, 2, sharex=True).flat
        loss.plot(self.steps, self.losses, color="black")
        loss.set(title="loss")
        self._draw(gradients, _grouped(self.gradient_norms))
        gradients.set(title="norm of the gradient", yscale="log")
        layers = self._layers_with_zeros()
        self._draw(zeros, layers)
        zeros.set(title="share of zeros; dashed: of dead units", ylim=(-0.03, 1.03))
        if not layers:
            zeros.text(0.5, 0.5, "no output was exactly 0", transform=zeros.transAxes, ha="center")
        self._draw(updates, _grouped(self.update_ratios))
        updates.set(title="norm of the update / norm of the weights", yscale="log")
        for axes in (loss, gradients, zeros, updates):
            axes.grid(alpha=0.3)
            axes.xaxis.get_major_locator().set_params(integer=True)
        for axes in (zeros, updates):
            axes.set(xlabel="step")
        if path is not None:
            save_figure(figure, path)
        return figure

    def _draw(self, axes: Any, groups: Mapping[str, Mapping[str, list[float]]]) -> None:
        """A colour for each group of lines, from the first layer to the last; its first line is solid."""
        colours = need("matplotlib", "plot").colormaps["viridis"]
        for i, lines in enumerate(groups.values()):
            for k, (name, values) in enumerate(lines.items()):
                colour = colours(0.9 * i / max(1, len(groups) - 1))  # the last tenth is too pale on white
                style = ("solid", "dashed", "dotted", "dashdot")[k % 4]
                axes.plot(self.steps, values, color=colour, linestyle=style, label=name, linewidth=1.2)
        if groups:
            count = sum(map(len, groups.values()))
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", ncols=1 + (count - 1) // 15)

    def _layers_with_zeros(self) -> dict[str, dict[str, list[float]]]:
        """The lines to draw of each layer that ever put out a zero and did not just pass on the layer's before."""
        groups: dict[str, dict[str, list[float]]] = {}
        before: list[float] = []
        for place, values in self.zeros.items():
            if any(values) and values != before:
                groups[place] = {place: values}
                if any(self.dead[place]):
                    groups[place][f"{place}: dead"] = self.dead[place]
            before = values
        return groups

    def _need_a_record(self) -> None:
        if not self.steps:
            raise ValueError("Monitor: nothing is recorded yet; train with callbacks=[monitor] first")


def _norm(array: Array) -> float:
    """The Euclidean norm; in float32 the squares of a vanishing gradient would be 0, those of a large one infinite."""
    return float(np.linalg.norm(array.astype(np.float64)))


def _grouped(values: Mapping[str, list[float]]) -> dict[str, dict[str, list[float]]]:
    """The values by parameter ("0.W", "0.b", "2.W") grouped by layer ("0", "2")."""
    groups: dict[str, dict[str, list[float]]] = {}
    for name, series in values.items():
        groups.setdefault(name.rpartition(".")[0], {})[name] = series
    return groups
