"""The Python package with its model open."""

import time

import pelage

import line

now = {}


def load(run, paths):
    now["model"], now["paths"] = pelage.open(run), paths


def predict():
    start = time.perf_counter()
    now["answers"] = now["model"].predict(now["paths"])
    return time.perf_counter() - start


def answers():
    return [(one.path, name, value) for one in now["answers"] for name, value in dict(one.classes).items()]


line.answer(load=load, predict=predict, answers=answers)
