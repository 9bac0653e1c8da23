"""The estimators with scikit-learn itself."""

import pickle

import numpy
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

import pelage
from pelage.sklearn import BackboneFeatures, PelageClassifier

SETTINGS = {"batch_size": 8, "optimizer": "adam", "learning_rate": 0.003, "patience": 0}


def classifier(**more):
    return PelageClassifier(**({"epochs": 8, "image_size": 24, "settings": SETTINGS} | more))


def test_a_classifier_learns_and_travels(pictures):
    X, y = pictures
    fitted = classifier().fit(X, y)
    assert list(fitted.classes_) == ["level", "upright"]
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (40, 2) and numpy.allclose(probabilities.sum(axis=1), 1)
    assert fitted.score(X, y) > 0.8
    again = pickle.loads(pickle.dumps(fitted))
    assert numpy.array_equal(again.predict_proba(X), probabilities)
    # The same settings give the same weights.
    assert numpy.array_equal(classifier().fit(X, y).predict_proba(X), probabilities)
    with pytest.raises(ValueError, match="1 pictures cannot be read, number 1 "):
        fitted.predict([X[0], b"no picture"])
    numbers = classifier(epochs=1).fit(X, (y == "level").astype(int))
    assert set(numbers.predict(X)) <= {0, 1}


def test_a_backbone_and_a_recipe_may_take_the_networks_place(pictures):
    X, y = pictures
    settings = {"weights": "random", "head": "logistic"}
    on_backbone = PelageClassifier(epochs=1, backbone="resnet18", image_size=32, settings=settings).fit(X, y)
    assert on_backbone.score(X, y) > 0.8
    strong = PelageClassifier(epochs=1, image_size=32, settings={"recipe": "strong", "image_sizes": "32:1"}).fit(X, y)
    assert strong.predict_proba(X).shape == (40, 2)


def test_parameters_are_scikit_learns(pictures):
    X, y = pictures
    estimator = classifier(epochs=3)
    copied = clone(estimator)
    assert copied.get_params() == estimator.get_params() and not hasattr(copied, "model_")
    copied.set_params(epochs=1)
    assert copied.fit(X, y).epochs == 1
    with pytest.raises(ValueError, match="two classes"):
        copied.fit(X, ["one"] * 40)
    with pytest.raises(ValueError, match="39 labels"):
        copied.fit(X, y[1:])
    with pytest.raises(pelage.UsageError, match="learning-rate"):
        classifier(settings={"learning_rate": -1}).fit(X, y)


def test_it_is_cross_validated_and_searched(pictures):
    X, y = pictures
    scores = cross_val_score(classifier(epochs=2), X, y, cv=2)
    assert scores.shape == (2,) and numpy.isfinite(scores).all()
    search = GridSearchCV(classifier(), {"epochs": [1, 8]}, cv=2).fit(X, y)
    assert search.best_params_["epochs"] in (1, 8) and numpy.isfinite(search.best_score_)


def test_features_of_a_backbone_are_a_step_of_a_pipeline(pictures):
    X, y = pictures
    features = BackboneFeatures("resnet18", weights="random", image_size=32)
    rows = features.fit(X).transform(X)
    assert rows.shape == (40, 512) and rows.dtype == numpy.float32
    alone = features.transform(X[7:8])
    assert numpy.abs(alone - rows[7:8]).max() < 1e-5
    pipeline = make_pipeline(clone(features), LogisticRegression(max_iter=1000)).fit(X, y)
    assert pipeline.score(X, y) > 0.9
    assert numpy.array_equal(pickle.loads(pickle.dumps(pipeline)).predict(X), pipeline.predict(X))
    with pytest.raises(ValueError, match="resnet19"):
        BackboneFeatures("resnet19").fit(X)
