"""The estimators with scikit-learn itself."""

import pickle

import numpy
import pandas
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

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
    with pytest.raises(ValueError, match="two classes.* 1 class$"):
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


def test_paths_are_searched_and_validated_as_arrays_are(data):
    paths = sorted(data.rglob("*.png"))
    labels = [path.parent.name for path in paths]
    search = GridSearchCV(classifier(epochs=8), {"image_size": [24, 32]}, cv=2).fit(paths, labels)
    best = search.best_estimator_
    assert best.score(paths, labels) > 0.8
    # However several paths are given.
    expected = best.predict_proba(paths)
    column = pandas.DataFrame({"path": [str(path) for path in paths]})
    for given in (column["path"], column, column.to_numpy(), numpy.array([str(path) for path in paths])):
        assert numpy.array_equal(best.predict_proba(given), expected)
    pipeline = make_pipeline(BackboneFeatures("resnet18", weights="random", image_size=32), LogisticRegression())
    scores = cross_val_score(pipeline, column["path"], labels, cv=2)
    assert scores.mean() > 0.8
    # In one column of a table that has others.
    column["width"] = 24
    table = make_column_transformer((clone(pipeline[0]), ["path"]), ("passthrough", ["width"]))
    assert table.fit_transform(column).shape == (48, 513)


def test_what_is_no_list_of_pictures_is_refused(pictures):
    X, y = pictures
    for wrong, error, told in [
        (X[0], ValueError, "a single one"),
        (X[0, :, :, 0], ValueError, "table of numbers"),
        ("cat.jpg", ValueError, "a single one"),
        (csr_array(X[0, :, :, 0]), TypeError, "sparse"),
        (pandas.DataFrame({"a": ["x"], "b": ["y"]}), ValueError, "one column"),
    ]:
        for ask in (lambda: classifier().fit(wrong, y), lambda: BackboneFeatures("resnet18", "random").transform(wrong)):
            with pytest.raises(error, match=told):
                ask()
    with pytest.raises(NotFittedError):
        classifier().predict(X)
    with pytest.raises(ValueError, match="y to be passed"):
        classifier().fit(X, None)
    with pytest.raises(ValueError, match="continuous"):
        classifier().fit(X, numpy.linspace(0, 1, len(X)))
    assert not get_tags(classifier()).input_tags.two_d_array


def test_chance_is_scikit_learns(pictures):
    X, y = pictures
    drawn = [classifier(epochs=1, random_state=numpy.random.RandomState(3)).fit(X, y).predict_proba(X) for _ in "ab"]
    assert numpy.array_equal(*drawn)
    free = [classifier(epochs=1, random_state=None).fit(X, y).predict_proba(X) for _ in "ab"]
    assert not numpy.array_equal(*free)


def test_columns_of_features_have_names(pictures):
    features = BackboneFeatures("resnet18", weights="random", image_size=32)
    assert list(features.get_feature_names_out()[:2]) == ["backbonefeatures0", "backbonefeatures1"]
    table = features.set_output(transform="pandas").fit_transform(pictures[0][:2])
    assert table.shape == (2, 512) and table.columns[511] == "backbonefeatures511"


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
