"""Runs of training."""

from __future__ import annotations

import json
import os
from typing import Any

from . import _pelage
from ._model import Model, _svg_to_html
from ._shown import Progress, hearing


class Run:
    """A run folder: settings, best weights, history, curves, a checkpoint."""

    def __init__(self, folder: str | os.PathLike[str], reason: str | None = None) -> None:
        self.folder: str = os.fspath(folder)
        """The folder."""
        self.reason: str | None = reason
        """Why training ended: `finished` or `early_stop`; None for a run of another time."""

    @property
    def history(self) -> dict[str, list[Any]]:
        """A list for each column, with a value for each epoch: `pandas.DataFrame(run.history)`."""
        rows = json.loads(_pelage.history(self.folder))
        return {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}

    @property
    def best(self) -> dict[str, Any] | None:
        """The epoch whose weights are kept: as a rule that with the lowest validation loss."""
        row: dict[str, Any] | None = json.loads(_pelage.best(self.folder))
        return row

    @property
    def curves(self) -> str:
        """Loss and accuracy over the epochs, as SVG."""
        with open(os.path.join(self.folder, "curves.svg"), encoding="utf-8") as file:
            return file.read()

    @property
    def model(self) -> Model:
        """The model of the best epoch."""
        return open_model(self.folder)

    def evaluate(self, data: str | os.PathLike[str] | None = None, **options: Any) -> dict[str, Any]:
        """As `Model.evaluate`."""
        return self.model.evaluate(data, **options)

    def __repr__(self) -> str:
        best = self.best
        told = f": validation accuracy {100 * best['validation_accuracy']:.2f} %, epoch {best['epoch']}" if best else ""
        return f"<pelage.Run {self.folder}{told}>"

    def _repr_html_(self) -> str:
        best = self.best
        if best is None:
            return f"<p>{self.folder}: no epoch is done yet</p>"
        return (
            f"<p><b>{self.folder}</b>: validation accuracy {100 * best['validation_accuracy']:.2f} %, loss "
            f"{best['validation_loss']:.4f}, epoch {best['epoch']}</p>{_svg_to_html(self.curves)}"
        )


def open_model(path: str | os.PathLike[str], *, reject: float | None = None, threads: int = 0) -> Model:
    """Opens a run folder or a model file.

    `reject`: a calibrated model answers "unknown" below this confidence, 0 to 1, and where a picture is like none of
    training. `threads`: how many compute, all by default; the first call of a process decides.
    """
    path = os.fspath(path)
    return Model(_pelage.Model.open(path, reject, threads), path, reject)


def train(data: str | os.PathLike[str], *, progress: Progress = True, **settings: Any) -> Run:
    """Trains on a folder, zip or tar of labelled pictures, and returns the run.

    `progress`: False shows nothing, True a bar and a line for each epoch, in Jupyter curves that grow; a function is
    called with each event, a dictionary.

    Settings are the flags of `pelage train`, but for those that every verb has (`damaged`, `max_pixels`) and those that
    take several runs (`folds`, `fine_tune`, `learning_rate="auto"`): `epochs=10`, `validation_split=0.2`,
    `backbone="efficientnet_lite0"`, `out="runs/mine"`; `True` for a flag without a value. Ctrl-C ends the step, saves, and raises KeyboardInterrupt;
    `pelage.resume` goes on.
    """
    return _trained([os.fspath(data), *arguments(settings)], progress)


def resume(folder: str | os.PathLike[str], *, progress: Progress = True, **settings: Any) -> Run:
    """Goes on with a run that was stopped or killed; it ends with the same weights as an undisturbed one.

    Only `epochs`, `patience`, `device`, `threads`, `cache` may change, and `data` where the pictures lie elsewhere.
    """
    data = settings.pop("data", None)
    place = [os.fspath(data)] if data is not None else []
    return _trained([*place, "--resume", os.fspath(folder), *arguments(settings)], progress)


def arguments(settings: dict[str, Any]) -> list[str]:
    """Settings as the command line takes them."""
    given: list[str] = []
    for name, value in settings.items():
        flag = "--" + name.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            given.append(flag if value else f"{flag}=false")
        elif isinstance(value, (list, tuple)) and name == "weights":
            # A flag that is given once for each; others take their values together.
            given.extend(f"{flag}={os.fspath(one)}" for one in value)
        elif isinstance(value, (list, tuple)):
            given.append(flag)
            given.extend(str(one) for one in value)
        else:
            given.append(f"{flag}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    return given


def _trained(given: list[str], progress: Progress) -> Run:
    with hearing(progress) as hear:
        folder, reason = _pelage.train(given, hear)
    return Run(folder, reason)
