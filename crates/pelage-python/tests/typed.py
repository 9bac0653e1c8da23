# pyright: reportUnnecessaryTypeIgnoreComment=true
"""What type checkers make of programs that use the package; it is checked and never run."""

from pathlib import Path
from typing import Any, assert_type

import numpy

import pelage
from pelage.sklearn import BackboneFeatures, PelageClassifier

run = pelage.train("data", epochs=3, validation_split=0.2, progress=lambda event: print(event["event"]))
assert_type(run, pelage.Run)
assert_type(run.history["epoch"], list[Any])
assert_type(run.reason, str | None)
model = pelage.open(Path("runs/cnn3-1"), reject=0.9)
assert_type(model, pelage.Model)
assert_type(model.predict("cat.jpg"), pelage.Prediction)
assert_type(model.predict(["cat.jpg", b""]), pelage.Prediction | list[pelage.Prediction])
assert_type(model.predict("cat.jpg").answer, str | None)
assert_type(model.explain("cat.jpg").class_name, str)
assert_type(model.classes, list[str])
model.export_onnx("model.onnx", input="pixels", logits=True)
pictures = numpy.zeros((4, 8, 8, 3), numpy.uint8)
assert_type(PelageClassifier(epochs=2).fit(pictures, [0, 1, 0, 1]), PelageClassifier)
rows: numpy.ndarray = BackboneFeatures("resnet18", weights="random").transform(pictures)
try:
    pelage.resume("runs/cnn3-1")
except pelage.UsageError as wrong:
    assert_type(wrong.remedies, list[str])

# What must not pass: both checkers complain of a remark that suppresses nothing.
model.export_onnx("model.onnx", input="jpeg")  # type: ignore[arg-type]
