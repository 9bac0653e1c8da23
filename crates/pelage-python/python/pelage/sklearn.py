"""Estimators for scikit-learn, on arrays of pictures (n x rows x columns x 3, `uint8`) or lists of pictures: paths,
bytes, PIL images."""

from __future__ import annotations

from typing import Any

import numpy
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from . import _pelage
from ._inputs import inputs
from ._model import Model
from ._run import arguments, hearing

__all__ = ["BackboneFeatures", "PelageClassifier"]


class PelageClassifier(ClassifierMixin, BaseEstimator):
    """An image classifier that is trained in memory and writes nothing.

    Parameters
    ----------
    epochs : int
        Passes over the pictures, at most.
    image_size : int or None
        Side of the square that pictures are resized to; None: the default of the network.
    model : str or None
        The network, from random weights, see `pelage models`; None: that of the recipe.
    backbone : str or None
        A pretrained network in place of `model`, frozen under a linear head.
    validation_fraction : float
        Share of each class that is set aside: the weights kept are those with the lowest loss on it.
    settings : dict or None
        Further flags of `pelage train`, such as `{"learning_rate": 0.05, "weights": "random"}`.
    random_state : int
        What everything drawn depends on.
    verbose : bool
        Whether progress is shown.

    Attributes
    ----------
    classes_ : ndarray
        The classes, in the order of `predict_proba`.
    model_ : pelage.Model
        What was trained.
    """

    def __init__(
        self,
        epochs: int = 20,
        image_size: int | None = None,
        model: str | None = None,
        backbone: str | None = None,
        validation_fraction: float = 0.2,
        settings: dict[str, Any] | None = None,
        random_state: int = 0,
        verbose: bool = False,
    ) -> None:
        self.epochs = epochs
        self.image_size = image_size
        self.model = model
        self.backbone = backbone
        self.validation_fraction = validation_fraction
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> PelageClassifier:
        """Trains on pictures `X` with the labels `y`."""
        pictures = inputs(list(X))
        labels = numpy.asarray(y)
        if len(pictures) != len(labels):
            raise ValueError(f"{len(pictures)} pictures were given, and {len(labels)} labels")
        self.classes_, numbers = numpy.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"two classes or more are needed; these labels have {len(self.classes_)}")
        given: dict[str, Any] = {"epochs": self.epochs, "image_size": self.image_size, "seed": self.random_state}
        given |= {"backbone": self.backbone, "model": self.model}
        trained = _pelage.train_in_memory(
            # No two of the same name.
            [(f"{number}: {name}", value) for number, (name, value) in enumerate(pictures)],
            [int(number) for number in numbers],
            [str(name) for name in self.classes_],
            arguments(given | (self.settings or {})),
            self.validation_fraction,
            hearing(self.verbose),
        )
        self.model_ = Model(trained)
        return self

    def predict_proba(self, X: Any) -> numpy.ndarray:
        """Probabilities, a row for each picture, a column for each of `classes_`."""
        check_is_fitted(self, "model_")
        answers = self.model_.predict_proba(list(X))
        if (missing := numpy.isnan(answers).any(axis=1)).any():
            raise ValueError(f"{missing.sum()} pictures cannot be read, number {missing.argmax()} for one")
        return answers

    def predict(self, X: Any) -> numpy.ndarray:
        """The likeliest class of each picture."""
        labels: numpy.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


class BackboneFeatures(TransformerMixin, BaseEstimator):
    """The features of a frozen pretrained network: channel means of its last map, a row for each picture.

    Parameters
    ----------
    backbone : str
        The network; see `pelage models`.
    weights : str or None
        A file of weights, `random`, or None for those that `pelage weights` keeps.
    image_size : int or None
        Side of the square that pictures are resized to; None: the network's own.
    flip : bool
        Whether features are averaged with those of the mirror image.
    """

    def __init__(
        self,
        backbone: str = "efficientnet_lite0",
        weights: str | None = None,
        image_size: int | None = None,
        flip: bool = False,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.image_size = image_size
        self.flip = flip

    def fit(self, X: Any = None, y: Any = None) -> BackboneFeatures:
        """Learns nothing, and looks whether the weights are there."""
        self._open()
        return self

    def transform(self, X: Any) -> numpy.ndarray:
        """The features of each picture."""
        return self._open().features(inputs(list(X)))

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _open(self) -> _pelage.Backbone:
        key = (self.backbone, self.weights, self.image_size, self.flip)
        kept = getattr(self, "_kept", None)
        if kept is None or kept[0] != key:
            kept = (key, _pelage.Backbone(*key))
            self._kept = kept
        return kept[1]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_kept"}
