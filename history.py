"""What happened in a training run, epoch by epoch."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from handgrad.extras import need
from handgrad.files import PathLike, written
from handgrad.pictures import save_figure


@dataclass
class History:
    """Loss, accuracy and time of each epoch, as lists; None stands for what was not measured.

    `loss` and `accuracy` are means over the epoch's training batches, taken as the weights change; the
    validation's are taken at the epoch's end. Accuracies are shares in 0..1, `seconds` are without validation.
    `step_loss` is every mini-batch's loss. `stopped` says why the run ended early; "" when it did not.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float | None] = field(default_factory=list)
    validation_loss: list[float | None] = field(default_factory=list)
    validation_accuracy: list[float | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    step_loss: list[float] = field(default_factory=list)
    stopped: str = ""

    COLUMNS = ("loss", "accuracy", "validation_loss", "validation_accuracy", "seconds")

    def __len__(self) -> int:
        """The number of epochs."""
        return len(self.loss)

    def line(self, epochs: int) -> str:
        """The latest epoch in one line of text."""
        text = f"epoch {len(self):>{len(str(epochs))}}/{epochs}  loss {self.loss[-1]:.4f}"
        if self.accuracy[-1] is not None:
            text += f"  accuracy {self.accuracy[-1]:6.1%}"
        if self.validation_loss[-1] is not None:
            text += f"  validation loss {self.validation_loss[-1]:.4f}"
        if self.validation_accuracy[-1] is not None:
            text += f"  accuracy {self.validation_accuracy[-1]:6.1%}"
        return f"{text}  {self.seconds[-1]:.2f} s"

    def to_csv(self, path: PathLike) -> None:
        """Writes a header and one row an epoch, numbered from 1; an empty cell is what was not measured."""
        with written(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("epoch", *self.COLUMNS))
            columns = [getattr(self, name) for name in self.COLUMNS]
            writer.writerows((epoch, *row) for epoch, row in enumerate(zip(*columns, strict=True), 1))

    def plot(self, path: PathLike | None = None) -> Any:
        """Draws loss and accuracy, training and validation, over the epochs; returns Matplotlib's figure.

        With `path` the picture is written there, its format chosen by the ending (.png, .svg, .pdf). Needs the
        extra handgrad[plot].
        """
        figure = need("matplotlib.figure", "plot").Figure(figsize=(9, 3.4), layout="constrained")
        epochs = range(1, len(self) + 1)
        panels: list[tuple[str, Sequence[float | None], Sequence[float | None]]]
        panels = [("loss", self.loss, self.validation_loss)]
        if any(value is not None for value in self.accuracy):
            panels.append(("accuracy", self.accuracy, self.validation_accuracy))
        for axes, (name, training, validation) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            axes.plot(epochs, training, label="training", marker="." if len(self) < 40 else "")
            if any(value is not None for value in validation):
                axes.plot(epochs, validation, label="validation", marker="." if len(self) < 40 else "")
            axes.set(xlabel="epoch", title=name)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
            axes.legend()
        if path is not None:
            save_figure(figure, path)
        return figure
