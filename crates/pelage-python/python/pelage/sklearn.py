"""Estimators for scikit-learn (1.6 or newer), on arrays of pictures (n x rows x columns x 3, `uint8`) or lists, series
and data frames of one column of pictures: paths, bytes, PIL images.

They pass scikit-learn's own checks of estimators on tables whose rows are drawn as pictures. What they are not is in
their tags: they take no tables of numbers and no sparse matrices, and have no `n_features_in_`, since pictures differ
in size.
"""

from __future__ import annotations

from typing import Any

import numpy
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from . import _pelage
from ._inputs import Input, inputs, is_picture
from ._model import Model
from ._run import arguments
from ._shown import hearing

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
    random_state : int, RandomState or None
        What everything drawn depends on; None: another network with each fit.
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
        random_state: int | numpy.random.RandomState | None = 0,
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
        if y is None:
            raise ValueError("PelageClassifier requires y to be passed, but the target y is None")
        pictures = _several(X)
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        if len(pictures) != len(labels):
            raise ValueError(f"{len(pictures)} pictures were given, and {len(labels)} labels")
        self.classes_: numpy.ndarray
        self.classes_, numbers = numpy.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            count = f"{len(self.classes_)} class{'' if len(self.classes_) == 1 else 'es'}"
            raise ValueError(f"two classes or more are needed; y has {count}")
        seed = self.random_state
        if not isinstance(seed, (int, numpy.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        given: dict[str, Any] = {"epochs": self.epochs, "image_size": self.image_size, "seed": seed}
        given |= {"backbone": self.backbone, "model": self.model}
        with hearing(self.verbose) as hear:
            trained = _pelage.train_in_memory(
                # No two of the same name.
                [(f"{number}: {name}", value) for number, (name, value) in enumerate(pictures)],
                [int(number) for number in numbers],
                [str(name) for name in self.classes_],
                arguments(given | (self.settings or {})),
                self.validation_fraction,
                hear,
            )
        self.model_: Model = Model(trained)
        return self

    def predict_proba(self, X: Any) -> numpy.ndarray:
        """Probabilities, a row for each picture, a column for each of `classes_`."""
        check_is_fitted(self, "model_")
        answers = self.model_.predict_proba([picture for _, picture in _several(X)])
        if (missing := numpy.isnan(answers).any(axis=1)).any():
            raise ValueError(f"{missing.sum()} pictures cannot be read, number {missing.argmax()} for one")
        return answers

    def predict(self, X: Any) -> numpy.ndarray:
        """The likeliest class of each picture."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        labels: numpy.ndarray = self.classes_[likeliest]
        return labels

    def __sklearn_tags__(self) -> Any:
        return _of_pictures(super().__sklearn_tags__())


class BackboneFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
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
        return self._open().features(_several(X))

    @property
    def _n_features_out(self) -> int:
        # What scikit-learn names columns by: `get_feature_names_out`, `set_output`.
        return int(self._open().features([("blank", numpy.zeros((8, 8, 3), numpy.uint8))]).shape[1])

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = _of_pictures(super().__sklearn_tags__())
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _open(self) -> _pelage.Backbone:
        key = (self.backbone, self.weights, self.image_size, self.flip)
        kept = getattr(self, "_kept", None)
        if kept is None or kept[0] != key:
            kept = (key, _pelage.Backbone(*key))
            self._kept = kept
        return kept[1]

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_kept"}


def _of_pictures(tags: Any) -> Any:
    """The tags of an estimator that takes pictures, not tables."""
    tags.input_tags.two_d_array = False
    tags.input_tags.one_d_array = True
    tags.input_tags.three_d_array = True
    tags.input_tags.string = True
    return tags


def _several(X: Any) -> list[Input]:
    """Each of several pictures, as the native module takes it."""
    if issparse(X):
        raise TypeError("sparse matrices hold no pictures; give a list of these, or an array n x rows x columns x 3")
    if hasattr(X, "iloc") and X.ndim == 2:
        X = X.to_numpy(dtype=object)
    if isinstance(X, numpy.ndarray) and X.ndim == 2 and X.dtype.kind in "OUST":
        # As scikit-learn's `ColumnTransformer` hands over a column.
        if X.shape[1] != 1:
            raise ValueError(f"expected one column of pictures, not {X.shape[1]}")
        X = X[:, 0]
    if is_picture(X):
        raise ValueError(
            "expected several pictures, in a list or an array n x rows x columns x 3; this is a single one, or a table "
            "of numbers"
        )
    return inputs(list(X))
