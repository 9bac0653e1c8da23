"""What a cell that trains shows, in Jupyter's own kernel."""

import json
import os
import sys

import pytest
from conftest import SMALL

import pelage
from pelage._shown import DRAWINGS, Curves, Shown

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")


class Client(nbclient.NotebookClient):
    """Keeps what the kernel says about displays, which a notebook's file has only the last state of."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.displays = []

    def process_message(self, message, *cell):
        if message["msg_type"] in ("display_data", "update_display_data"):
            content = message["content"]
            number = content.get("transient", {}).get("display_id")
            page = content["data"].get("text/html", "")
            if "image/svg+xml" in page:
                self.displays.append((message["msg_type"], number, content["data"]))
        return super().process_message(message, *cell)


def executed(code, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in code])
    client = Client(notebook, timeout=300, kernel_name="python3", resources={})
    client.execute(cwd=tmp_path)
    return client.displays, notebook.cells[-1].outputs


def grown(displays, epochs):
    """Whether one display was made, and drawn anew with each epoch."""
    kinds, numbers, shown = zip(*displays)
    assert kinds == ("display_data",) + ("update_display_data",) * (epochs - 1)
    assert len(set(numbers)) == 1 and numbers[0]
    assert len({one["text/html"] for one in shown}) == epochs
    return shown


def test_curves_grow_in_one_display(data, tmp_path, monkeypatch):
    train = f"pelage.train({str(data)!r}, out='run', epochs=4, patience=0, **{SMALL!r})"
    displays, outputs = executed(["import pelage", f"run = {train}"], tmp_path, monkeypatch)
    shown = grown(displays, 4)
    assert [one["text/plain"].split(":")[0] for one in shown] == [f"epoch {number} of 4" for number in range(1, 5)]
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "run: 36 training and 12 validation pictures" in said and "epoch " not in said
    # What is kept in the notebook is how it ended.
    [kept] = [output for output in outputs if "image/svg+xml" in output.get("data", {}).get("text/html", "")]
    assert kept["data"]["text/plain"] == shown[-1]["text/plain"]
    # A run that is gone on with begins with the curves that it has; what is told late is there once.
    before = Curves()
    before.draw = lambda: None
    before.start(str(tmp_path / "run"))
    assert [row["epoch"] for row in before.rows] == [1, 2, 3, 4]
    before.grow({**before.rows[3], "epochs": 6, "improved": False}, "")
    assert [row["epoch"] for row in before.rows] == [1, 2, 3, 4]
    resumed, _ = executed(["import pelage", "pelage.resume('run', epochs=6);"], tmp_path, monkeypatch)
    assert len(grown(resumed, 2)) == 2


def test_very_many_epochs_are_drawn_now_and_then():
    curves, drawn = Curves(), []
    curves.draw = lambda: drawn.append(len(curves.rows))
    for number in range(1, 402):
        curves.grow({"epoch": number, "epochs": 401, "improved": False}, "")
    assert 100 < len(drawn) <= DRAWINGS


def test_a_loss_that_is_no_number_is_told_and_not_drawn(capsys):
    epoch = {"event": "epoch", "epoch": 1, "epochs": 1, "train_loss": 0.5, "validation_loss": None}
    Shown()(json.dumps({**epoch, "validation_accuracy": 0.5, "seconds": 1.0, "improved": False}))
    assert "validation loss nan" in capsys.readouterr().err


def test_an_estimator_shows_them_too(tmp_path, monkeypatch):
    code = f"""
import numpy
from pelage.sklearn import PelageClassifier
pictures = numpy.random.default_rng(0).integers(0, 99, (20, 24, 24, 3), numpy.uint8)
pictures[::2] += 100
settings = {{"batch_size": 8, "optimizer": "adam", "learning_rate": 0.003, "patience": 0}}
PelageClassifier(epochs=3, image_size=24, settings=settings, verbose=True).fit(pictures, [1, 0] * 10);
"""
    displays, _ = executed([code], tmp_path, monkeypatch)
    grown(displays, 3)


def test_elsewhere_there_are_lines(data, tmp_path, capfd):
    pelage.train(data, out=tmp_path / "run", epochs=2, patience=0, **SMALL)
    written = capfd.readouterr()
    lines = [line for line in written.err.splitlines() if line.startswith("epoch ")]
    assert [line.split(":")[0] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert written.out == ""
