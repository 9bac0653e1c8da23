"""scikit-learn's own checks of estimators. They give tables of numbers, whose rows are drawn here as pictures."""

import numpy
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

from pelage.sklearn import BackboneFeatures, PelageClassifier


class Drawn:
    """What makes an estimator of pictures one of tables: it validates these and draws them, and does nothing else."""

    def fit(self, X, y=None):
        return super().fit(drawn(validate_data(self, X)), y)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.three_d_array = tags.input_tags.string = False
        tags.input_tags.two_d_array = True
        return tags


class DrawnClassifier(Drawn, PelageClassifier):
    def predict_proba(self, X):
        # scikit-learn wants to hear first of a missing fit, then of a wrong table.
        return super().predict_proba(drawn(validate_data(self, X, reset=False)) if hasattr(self, "model_") else X)


class DrawnFeatures(Drawn, BackboneFeatures):
    def fit(self, X=None, y=None):
        return super().fit(X, y)

    def transform(self, X):
        return super().transform(drawn(validate_data(self, X, reset=not hasattr(self, "n_features_in_"))))


def drawn(rows):
    """Pictures of 32 x 8 pixels: each number is a level stripe, of which red tells whether it is above 0, green the same for
    large numbers, and blue what stands behind the point, so that no two tables have the same pictures."""
    rows = rows.astype(numpy.float64)
    above = [1 / (1 + numpy.exp(-numpy.clip(rows / scale, -30, 30))) for scale in (1, 100)]
    levels = (255 * numpy.stack([*above, rows % 1], axis=-1)).astype(numpy.uint8)
    stripes = levels[:, numpy.arange(32) * rows.shape[1] // 32]
    return numpy.repeat(stripes[:, :, None], 8, axis=2)


SETTINGS = {"no_augmentation": True, "batch_size": 8, "optimizer": "adam", "learning_rate": 0.003, "patience": 0}
ESTIMATORS = [
    DrawnClassifier(epochs=10, image_size=16, settings=SETTINGS),
    DrawnFeatures("resnet18", weights="random", image_size=32),
]


# None is expected to fail. What is asked of tables alone (that they are no sparse matrices, hold no NaN, have as many
# columns as in training) is answered by what draws them.
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
