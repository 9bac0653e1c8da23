"""How training is shown: bars for what goes on, and curves that grow in a notebook or a line for each epoch elsewhere."""

from __future__ import annotations

import html
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Union

from . import _pelage
from ._model import _svg_to_html

Progress = Union[bool, Callable[[dict[str, Any]], None]]
"""Whether progress is shown; or a function that is told of each event."""

DRAWINGS = 200
"""How often curves are drawn, at most: of more epochs, some are passed over."""


@contextmanager
def hearing(progress: Progress) -> Iterator[Callable[[str], None] | None]:
    """What is told of events while something trains."""
    if callable(progress):
        yield lambda text: progress(json.loads(text))
        return
    shown = Shown() if progress else None
    try:
        yield shown
    finally:
        if shown:
            shown.close()


class Shown:
    """Bars of tqdm, where there is one, and what each epoch came to."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.what = ""
        self.last = 0.0
        self.curves = Curves() if is_notebook() else None

    def __call__(self, text: str) -> None:
        event = json.loads(text)
        kind = event["event"]
        if kind == "progress":
            self.show(event["what"], event["done"], event["total"])
        elif kind == "batch":
            told = f"loss {event['loss']:.4f}, accuracy {100 * event['accuracy']:.1f} %"
            self.show("training", event["batch"], event["batches"], told)
        elif kind == "epoch":
            self.close_bar()
            best = ", best so far" if event["improved"] else ""
            told = (
                f"epoch {event['epoch']} of {event['epochs']}: loss {event['train_loss']:.4f}, validation loss "
                f"{_number(event['validation_loss'])}, accuracy {100 * event['validation_accuracy']:.2f} % "
                f"({event['seconds']:.1f} s){best}"
            )
            if self.curves:
                self.curves.grow(event, told)
            else:
                say(told)
        elif kind == "started":
            self.close_bar()
            say(
                f"{event['run']}: {event['train_pictures']} training and {event['validation_pictures']} validation "
                f"pictures of {', '.join(event['classes'][:10])}"
            )
            if self.curves:
                self.curves.start(event["run"])

    def show(self, what: str, done: int, total: int, told: str = "") -> None:
        if self.bar is None or self.what != what:
            self.close_bar()
            self.bar, self.what = _bar(what, total), what
        if self.bar is not False and (done >= total or time.monotonic() - self.last > 0.1):
            self.last = time.monotonic()
            self.bar.n = done
            if told:
                self.bar.set_postfix_str(told, refresh=False)
            self.bar.refresh()

    def close(self) -> None:
        self.close_bar()
        if self.curves:
            self.curves.draw()

    def close_bar(self) -> None:
        if self.bar:
            self.bar.close()
        self.bar = None


class Curves:
    """Loss and accuracy over the epochs: one display of a notebook that is drawn anew as they grow."""

    def __init__(self) -> None:
        self.title = "training"
        self.rows: list[dict[str, Any]] = []
        self.best: int | None = None
        self.told = ""
        self.is_drawn = True
        self.display: Any = None

    def start(self, folder: str) -> None:
        """Begins with the epochs that a run has, if it is resumed."""
        self.title = folder
        self.rows = json.loads(_pelage.history(folder))
        best = json.loads(_pelage.best(folder))
        self.best = best and best["epoch"]

    def grow(self, epoch: dict[str, Any], told: str) -> None:
        # The folder may have been read after this was told.
        self.rows = [row for row in self.rows if row["epoch"] < epoch["epoch"]] + [epoch]
        self.told = told
        self.is_drawn = False
        if epoch["improved"]:
            self.best = epoch["epoch"]
        if len(self.rows) % (1 + epoch["epochs"] // DRAWINGS) == 0:
            self.draw()

    def draw(self) -> None:
        """Draws the epochs, unless that is done."""
        if self.is_drawn:
            return
        # Before it is tried, so that what fails fails once.
        self.is_drawn = True
        # Nothing of it has types.
        display = import_module("IPython.display").display
        # A loss that is no number has no place in a figure.
        rows = [row for row in self.rows if None not in row.values()]
        svg = _pelage.curves(self.title, json.dumps(rows), self.best)
        shown = {"text/html": f"{_svg_to_html(svg)}<p>{html.escape(self.told)}</p>", "text/plain": self.told}
        if self.display is None:
            self.display = display(shown, raw=True, display_id=True)
        else:
            self.display.update(shown, raw=True)


def _number(loss: float | None) -> str:
    """A loss; JSON has no word for one that is no number."""
    return "nan" if loss is None else f"{loss:.4f}"


def say(text: str) -> None:
    # In a notebook, where only what Python writes is seen, as in a terminal.
    print(text, file=sys.stdout if is_notebook() else sys.stderr, flush=True)


def is_notebook() -> bool:
    """Whether a kernel of Jupyter runs this."""
    shell = sys.modules.get("IPython")
    ipython = shell.get_ipython() if shell else None
    return ipython is not None and "IPKernelApp" in ipython.config


def _bar(what: str, total: int) -> Any:
    """A bar of tqdm, or False where there is none."""
    if not is_notebook() and not sys.stderr.isatty():
        return False
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return False
    return tqdm(total=total, desc=what, leave=False)
