"""Log of a training run: a plain table, and TensorBoard where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from glaciolake.models.track.train import Say

EVERY = 10
"""Steps between lines; each gives the mean loss since the last."""


class Log:
    """Writes what a run tells, and passes it on.

    Parameters
    ----------
    path
        Table ``step,loss``; a run that goes on adds to it.
    say
        Told every step as well.
    """

    def __init__(self, path: Path, say: Say) -> None:
        self.path, self.say, self.losses = path, say, list[float]()
        if not path.is_file():
            path.write_text("step,loss\n", encoding="utf-8")
        self.board = _board(path.with_suffix(""))

    def note(self, step: int, steps: int, loss: float) -> None:
        """Take down one step."""
        self.losses.append(loss)
        if step % EVERY == 0 or step == steps:
            mean = sum(self.losses) / len(self.losses)
            self.losses.clear()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{step},{mean:.6f}\n")
            if self.board is not None:
                self.board.add_scalar("loss", mean, step)
        self.say(step, steps, loss)

    def chart(self, step: int, values: Mapping[str, float]) -> None:
        """Show further numbers in TensorBoard, where it is installed."""
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.board is not None:
            self.board.close()


def _board(folder: Path) -> Any:
    """Writer of TensorBoard's files; None where it is not installed, since a plain table does."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    return importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder))
