"""Models and their answers."""

from __future__ import annotations

import base64
import html
import json
import os
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy

from . import _pelage
from ._inputs import Picture, inputs, is_picture, is_place


@dataclass(frozen=True)
class Prediction:
    """A model's answer for one picture."""

    path: str
    """The picture: its path, or `picture N` of those given in memory."""
    classes: list[tuple[str, float]]
    """Class and probability (0 to 1), the likeliest first; empty if it could not be read."""
    doubt: str | None = None
    """Why the answer is "unknown", of a model that was opened with `reject`."""
    error: str | None = None
    """Why there is no prediction, if there is none."""

    @property
    def answer(self) -> str | None:
        """The likeliest class, "unknown" where the model is not sure, or None if the picture could not be read."""
        return None if not self.classes else "unknown" if self.doubt else self.classes[0][0]

    @property
    def probability(self) -> float | None:
        """The probability of the likeliest class, 0 to 1."""
        return self.classes[0][1] if self.classes else None

    def _repr_html_(self) -> str:
        if self.error:
            return f"<p><b>{html.escape(self.path)}</b>: {html.escape(self.error)}</p>"
        bars = "".join(
            f"<tr><td style='text-align:left'>{html.escape(name)}</td><td style='width:16em'>"
            f"<div style='background:#4a7ebb;height:.9em;width:{100 * p:.1f}%'></div></td><td>{100 * p:.1f} %</td></tr>"
            for name, p in self.classes[:5]
        )
        return f"<b>{html.escape(self.path)}: {html.escape(self.answer or '')}</b><table>{bars}</table>"


@dataclass(frozen=True)
class Explanation:
    """Where a model looks: Grad-CAM (Selvaraju et al. 2017) of one picture for one class."""

    class_name: str
    """The class that it is for."""
    heatmap: numpy.ndarray
    """How much each part matters, 0 to 1: rows x columns of the network's last map."""
    png: bytes
    """The picture with the map over it, as PNG."""

    def _repr_png_(self) -> bytes:
        return self.png

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the picture with the map over it."""
        with open(path, "wb") as file:
            file.write(self.png)


class Model:
    """A trained model. `pelage.open` opens one; it can be pickled, and asked from several threads."""

    def __init__(self, native: _pelage.Model, path: str | None = None, reject: float | None = None) -> None:
        self._native = native
        self._path = path
        self._reject = reject

    @property
    def classes(self) -> list[str]:
        """The classes, in the order of the columns of `predict_proba`."""
        return self._native.classes

    @property
    def architecture(self) -> str:
        """The names of its networks."""
        return self._native.architecture

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How pictures become its input: width, height, filter, fit, mean and std."""
        told: dict[str, Any] = json.loads(self._native.preprocessing())
        return told

    @property
    def training(self) -> dict[str, Any]:
        """What is known of its training: settings, numbers of pictures, validation loss and accuracy."""
        told: dict[str, Any] = json.loads(self._native.training())
        return told

    @property
    def temperature(self) -> float | None:
        """What logits are divided by, if the model is calibrated."""
        return self._native.temperature

    @overload
    def predict(self, pictures: str | os.PathLike[str] | bytes) -> Prediction: ...
    @overload
    def predict(self, pictures: Any) -> Prediction | list[Prediction]: ...

    def predict(self, pictures: Any) -> Prediction | list[Prediction]:
        """The prediction for one picture; or a list of them, in order, for several: a list of pictures, an array of
        them (n x rows x columns x 3), a folder, zip or tar. What cannot be read is a prediction with its `error`."""
        given = inputs(pictures)
        answers = [_prediction(one) for one in json.loads(self._native.predict(given))]
        single = is_picture(pictures) and not is_place(pictures) and len(answers) == 1
        return answers[0] if single else answers

    def predict_proba(self, pictures: Any) -> numpy.ndarray:
        """Probabilities, a row for each picture, a column for each of `classes`; NaN where one could not be read."""
        answers = [_prediction(one) for one in json.loads(self._native.predict(inputs(pictures)))]
        rows = [[dict(answer.classes).get(name, float("nan")) for name in self.classes] for answer in answers]
        return numpy.array(rows, dtype=numpy.float64).reshape(len(rows), len(self.classes))

    def features(self, pictures: Any) -> numpy.ndarray:
        """What the last dense layer gets of each picture, a row each, `float32`.

        Raises `pelage.Error` for a picture that cannot be read.
        """
        return self._native.features(inputs(pictures))

    def explain(self, picture: Picture, class_name: str | None = None) -> Explanation:
        """Where the model looks in a picture for `class_name`, by default the likeliest class."""
        [one] = inputs(picture)
        heatmap, png, name = self._native.explain(one, class_name)
        return Explanation(name, heatmap, png)

    def evaluate(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        label_level: int | None = None,
        reject: float | None = None,
        all: bool = False,  # noqa: A002 - the flag's name
    ) -> dict[str, Any]:
        """Evaluates the model on labelled pictures, by default those that it was validated on, as `pelage evaluate
        --json` does (docs/JSON.md). `all` counts pictures that it was trained on, too."""
        if self._path is None:
            raise ValueError("this model has no file; save it, and open that")
        reject = self._reject if reject is None else reject
        told: dict[str, Any] = json.loads(_pelage.evaluate(self._path, data, label_level, reject, all))
        return told

    def export_onnx(
        self,
        out: str | os.PathLike[str],
        *,
        input: Literal["tensor", "pixels"] = "tensor",  # noqa: A002 - the flag's name
        logits: bool = False,
    ) -> None:
        """Writes the model as ONNX, with normalization and calibration inside; see docs/EXPORT.md."""
        content = self._native.onnx(input, logits)
        with open(out, "wb") as file:
            file.write(content)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model file, which `pelage.open` and the command `pelage` take."""
        with open(path, "wb") as file:
            file.write(self._native.to_bytes())

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self._native.to_bytes(), "path": self._path, "reject": self._reject}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._native = _pelage.Model.from_bytes(state["content"], state["reject"])
        self._path = state["path"]
        self._reject = state["reject"]

    def __repr__(self) -> str:
        return f"<pelage.Model {self.architecture}: {', '.join(self.classes[:10])}>"


def _prediction(told: dict[str, Any]) -> Prediction:
    classes = [(name, probability) for name, probability in told["classes"]]
    return Prediction(told["path"], classes, told.get("reason"), told.get("error"))


def _svg_to_html(svg: str) -> str:
    return f"<img src='data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}'>"
