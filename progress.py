"""How a training run shows itself: a bar on a terminal where tqdm is installed, and a line an epoch."""

from __future__ import annotations

import sys
from typing import Any

from handgrad.extras import have, need


class Progress:
    """Lines go to standard output; the bar to standard error, and only when that is a terminal."""

    def __init__(self, shown: bool, epochs: int, steps: int) -> None:
        self.shown, self.epochs, self.steps = shown, epochs, steps
        self._tqdm = need("tqdm", "progress").tqdm if shown and sys.stderr.isatty() and have("tqdm") else None
        self._bar: Any = None

    def start_epoch(self, epoch: int) -> None:
        if self._tqdm:
            self._bar = self._tqdm(total=self.steps, desc=f"epoch {epoch}/{self.epochs}", unit="step", leave=False)

    def step(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def end_epoch(self, line: str = "") -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self.shown and line:
            print(line, flush=True)
