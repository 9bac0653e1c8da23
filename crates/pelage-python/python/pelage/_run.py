"""Runs of training."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Union

from . import _pelage
from ._model import Model, _svg_to_html

Progress = Union[bool, Callable[[dict[str, Any]], None]]
"""Whether progress is shown; or a function that is told of each event."""


class Run:
    """A run folder: settings, best weights, history, curves, a checkpoint."""

    def __init__(self, folder: str | os.PathLike[str], reason: str | None = None) -> None:
        self.folder = os.fspath(folder)
        """The folder."""
        self.reason = reason
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

    Settings are the flags of `pelage train`, but for those that every verb has (`damaged`, `max_pixels`) and those that
    take several runs (`folds`, `fine_tune`, `learning_rate="auto"`): `epochs=10`, `validation_split=0.2`, `backbone="efficientnet_lite0"`,
    `out="runs/mine"`; `True` for a flag without a value. Ctrl-C ends the step, saves, and raises KeyboardInterrupt;
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
    shown = hearing(progress)
    try:
        folder, reason = _pelage.train(given, shown)
    finally:
        if isinstance(shown, _Shown):
            shown.close()
    return Run(folder, reason)


def hearing(progress: Progress) -> Callable[[str], None] | None:
    """What is told of events."""
    if callable(progress):
        return lambda text: progress(json.loads(text))
    return _Shown() if progress else None


class _Shown:
    """A line for each epoch, and a bar for what goes on; in a notebook tqdm's, where there is one."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.what = ""
        self.last = 0.0

    def __call__(self, text: str) -> None:
        event = json.loads(text)
        kind = event["event"]
        if kind == "progress":
            self.show(event["what"], event["done"], event["total"])
        elif kind == "batch":
            told = f"loss {event['loss']:.4f}, accuracy {100 * event['accuracy']:.1f} %"
            self.show("training", event["batch"], event["batches"], told)
        elif kind == "epoch":
            self.close()
            best = ", best so far" if event["improved"] else ""
            self.say(
                f"epoch {event['epoch']} of {event['epochs']}: loss {event['train_loss']:.4f}, validation loss "
                f"{event['validation_loss']:.4f}, accuracy {100 * event['validation_accuracy']:.2f} % "
                f"({event['seconds']:.1f} s){best}"
            )
        elif kind == "started":
            self.close()
            self.say(
                f"{event['run']}: {event['train_pictures']} training and {event['validation_pictures']} validation "
                f"pictures of {', '.join(event['classes'][:10])}"
            )

    def show(self, what: str, done: int, total: int, told: str = "") -> None:
        if self.bar is None or self.what != what:
            self.close()
            self.bar, self.what = _bar(what, total), what
        if self.bar is not False and (done >= total or time.monotonic() - self.last > 0.1):
            self.last = time.monotonic()
            self.bar.n = done
            if told:
                self.bar.set_postfix_str(told, refresh=False)
            self.bar.refresh()

    def close(self) -> None:
        if self.bar:
            self.bar.close()
        self.bar = None

    @staticmethod
    def say(text: str) -> None:
        # In a notebook, where only what Python writes is seen, as in a terminal.
        print(text, file=sys.stdout if _is_notebook() else sys.stderr, flush=True)


def _is_notebook() -> bool:
    shell = sys.modules.get("IPython")
    ipython = shell.get_ipython() if shell else None
    return ipython is not None and "IPKernelApp" in ipython.config


def _bar(what: str, total: int) -> Any:
    """A bar of tqdm, or False where there is none."""
    if not _is_notebook() and not sys.stderr.isatty():
        return False
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return False
    return tqdm(total=total, desc=what, leave=False)
