"""The package against the command that it installs, NumPy, Pillow and pandas."""

import concurrent.futures
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy
import pandas
import pytest
from conftest import SMALL, stripes
from PIL import Image

import pelage

COMMAND = os.path.join(os.path.dirname(sys.executable), "pelage")


def command(*arguments, cwd=None, code=0):
    ran = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd)
    assert ran.returncode == code, ran.stderr
    return ran


def test_the_command_is_there():
    assert pelage.__version__ in command("--version").stdout
    assert "error:" in command("trian", code=2).stderr


def test_a_run_is_what_the_command_makes(run, data, tmp_path):
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    command("train", data, "--epochs=8", "--patience=0", "--out", tmp_path / "same", *flags)
    ours, theirs = (pandas.read_csv(os.path.join(folder, "history.csv")) for folder in (run.folder, tmp_path / "same"))
    timed = ["seconds", "images_per_second"]
    pandas.testing.assert_frame_equal(ours.drop(columns=timed), theirs.drop(columns=timed))
    table = pandas.DataFrame(run.history)
    pandas.testing.assert_frame_equal(table, ours, check_dtype=False)
    assert run.best["validation_loss"] == table.validation_loss.min()
    assert run.reason == "finished"
    assert run.curves == open(os.path.join(run.folder, "curves.svg"), encoding="utf-8").read() and "<svg" in run.curves
    assert run.folder in run._repr_html_() and "image/svg+xml" in run._repr_html_()


def test_predictions_are_those_of_the_command(run, data):
    paths = sorted(data.rglob("*.png"))[:10]
    said = json.loads(command("predict", run.folder, *paths, "--json").stdout)
    model = run.model
    answers = model.predict(paths)
    assert [answer.path for answer in answers] == [one["path"] for one in said]
    assert [[list(pair) for pair in answer.classes] for answer in answers] == [one["classes"] for one in said]
    # However a picture is given; one alone is an answer alone.
    content = paths[0].read_bytes()
    array = numpy.asarray(Image.open(paths[0]))
    for given in (paths[0], str(paths[0]), content, bytearray(content), array, array[::-1][::-1], Image.open(paths[0])):
        assert model.predict(given).classes == answers[0].classes
    assert model.predict(array[:, :, 0]).classes == model.predict(numpy.repeat(array[:, :, :1], 3, 2)).classes
    # Folders have many.
    assert len(model.predict(data)) == 48
    probabilities = model.predict_proba(paths)
    assert probabilities.shape == (10, 2) and numpy.allclose(probabilities.sum(axis=1), 1)
    assert model.classes[probabilities[3].argmax()] == answers[3].answer
    assert answers[3].probability == pytest.approx(probabilities[3].max())
    assert "<table>" in answers[3]._repr_html_()


def test_what_cannot_be_read_takes_nothing_with_it(run, data, tmp_path):
    good = next(data.rglob("*.png"))
    empty = tmp_path / "empty"
    empty.mkdir()
    answers = run.model.predict([good, tmp_path / "missing.png", b"no picture", empty, good])
    assert [bool(answer.error) for answer in answers] == [False, True, True, True, False]
    assert answers[1].answer is None and answers[0].classes == answers[4].classes
    assert numpy.isnan(run.model.predict_proba([b"no picture"])).all()
    with pytest.raises(pelage.Error, match="missing.png"):
        run.model.features([good, tmp_path / "missing.png"])
    for wrong, error in [
        (3, TypeError),
        (numpy.zeros((4, 4, 3)), TypeError),
        (numpy.zeros((2, 2, 4, 4, 3), numpy.uint8), ValueError),
        (numpy.zeros((0, 4, 3), numpy.uint8), ValueError),
    ]:
        with pytest.raises(error):
            run.model.predict(wrong)


def test_what_is_clear_is_white_however_it_is_given(run, tmp_path):
    colored = stripes(True, 1)
    alpha = numpy.linspace(0, 255, 24).astype(numpy.uint8) * numpy.ones((24, 1), numpy.uint8)
    clear = numpy.dstack([colored, alpha])
    palette = Image.fromarray(colored).quantize(16)
    palette.info["transparency"] = 3
    for name, picture in [("clear.png", Image.fromarray(clear)), ("palette.png", palette)]:
        picture.save(tmp_path / name)
        expected = run.model.predict(tmp_path / name).classes
        assert run.model.predict(picture).classes == expected
        assert run.model.predict(numpy.asarray(Image.open(tmp_path / name).convert("RGBA"))).classes == expected
        assert run.model.predict(numpy.asarray(picture.convert("RGB"))).classes != expected


def test_features_are_rows_without_a_copy(run, data):
    paths = sorted(data.rglob("*.png"))
    features = run.model.features(paths)
    assert features.dtype == numpy.float32 and features.shape[0] == 48 and features.flags.c_contiguous
    alone = run.model.features(paths[5])
    assert numpy.abs(features[5] - alone[0]).max() < 1e-5
    assert run.model.features([]).shape[0] == 0


def test_an_explanation_is_a_map_and_a_picture(run, data):
    path = next((data / "level").glob("*.png"))
    told = run.model.explain(path, "level")
    assert told.class_name == "level" and told.heatmap.ndim == 2
    assert 0 <= told.heatmap.min() and told.heatmap.max() <= 1
    assert Image.open(io.BytesIO(told._repr_png_())).size == (24, 24)
    array = run.model.explain(numpy.asarray(Image.open(path)), "level")
    assert numpy.array_equal(array.heatmap, told.heatmap)
    assert run.model.explain(path).class_name == run.model.predict(path).answer
    with pytest.raises(pelage.UsageError, match="no class 'dog'; it has level, upright"):
        run.model.explain(path, "dog")


def test_evaluations_are_those_of_the_command(run, data):
    assert run.evaluate() == json.loads(command("evaluate", run.folder, "--json").stdout)
    assert run.evaluate(data, all=True)["images"] == 48


def test_what_is_refused_stays_refused(run, data, tmp_path):
    path = next(data.rglob("*.png"))
    command("calibrate", run.folder)
    strict = pelage.open(run.folder, reject=0.999999)
    assert strict.predict(path).answer == "unknown" and strict.predict(path).doubt
    assert pickle.loads(pickle.dumps(strict)).predict(path) == strict.predict(path)
    command("ensemble", run.folder, run.folder, "--out", tmp_path / "both.safetensors")
    with pytest.raises(pelage.Error, match="explained"):
        pelage.open(tmp_path / "both.safetensors").explain(path)


def test_models_travel(run, data, tmp_path):
    path = next(data.rglob("*.png"))
    model = run.model
    expected = model.predict(path).classes
    assert pickle.loads(pickle.dumps(model)).predict(path).classes == expected
    model.save(tmp_path / "model.safetensors")
    assert pelage.open(tmp_path / "model.safetensors").predict(path).classes == expected
    model.export_onnx(tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes()[:2] == b"\x08\x07"
    with pytest.raises(ValueError):
        model.export_onnx(tmp_path / "model.onnx", input="jpeg")
    assert model.preprocessing["width"] == 24 and model.training["train_images"] == 36
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(answer.classes == expected for answer in pool.map(model.predict, [path] * 16))


def test_errors_say_what_to_do(data, tmp_path):
    with pytest.raises(pelage.UsageError) as told:
        pelage.train(data, learning_rate=-1, validation_split=0.2, progress=False)
    assert isinstance(told.value, ValueError) and "learning-rate" in told.value.message
    assert isinstance(told.value.remedies, list)
    with pytest.raises(pelage.UsageError) as told:
        pelage.train(data, progress=False, out=tmp_path / "none")
    assert any("--validation-split" in remedy for remedy in told.value.remedies)
    with pytest.raises(pelage.UsageError, match="epoch"):
        pelage.train(data, epoch=3, progress=False)
    with pytest.raises(pelage.Error, match="there is no model"):
        pelage.open(tmp_path)
    with pytest.raises(pelage.UsageError, match="more than one run"):
        pelage.train(data, folds=3, progress=False)


def test_events_are_told_and_their_errors_stop(data, tmp_path):
    events = []
    pelage.train(data, epochs=2, out=tmp_path / "told", progress=events.append, **SMALL)
    kinds = {event["event"] for event in events}
    assert {"started", "epoch_start", "batch", "epoch"} <= kinds
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2]

    def fail(event):
        if event["event"] == "epoch":
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        pelage.train(data, epochs=500, patience=0, out=tmp_path / "stopped", progress=fail, **SMALL)
    # It was saved, and goes on.
    assert len(pelage.resume(tmp_path / "stopped", epochs=len(pelage.Run(tmp_path / "stopped").history["epoch"]) + 1,
                             progress=False).history["epoch"]) >= 2


def test_ctrl_c_stops_saves_and_is_raised_while_others_run(data, tmp_path):
    counted = [0]
    begun = threading.Event()
    done = threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.001)

    def interrupt():
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    def hear(event):
        if event["event"] == "epoch" and event["epoch"] == 2:
            begun.set()

    threads = [threading.Thread(target=count), threading.Thread(target=interrupt)]
    for thread in threads:
        thread.start()
    with pytest.raises(KeyboardInterrupt):
        pelage.train(data, epochs=5000, patience=0, out=tmp_path / "run", progress=hear, **SMALL)
    done.set()
    for thread in threads:
        thread.join()
    # The interpreter was free meanwhile.
    assert counted[0] > 5
    assert len(pelage.Run(tmp_path / "run").history["epoch"]) >= 2
    assert (tmp_path / "run/last.safetensors").exists()


def test_ctrl_c_ends_the_command(data, tmp_path):
    out = tmp_path / "run"
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    told = [COMMAND, "train", data, "--epochs=5000", "--patience=0", "--json", "--out", out, *flags]
    with subprocess.Popen(told, stdout=subprocess.PIPE, text=True) as process:
        while json.loads(process.stdout.readline())["event"] != "epoch":
            pass
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 130 and (out / "last.safetensors").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_is_told_and_does_not_hang(run, data):
    path = next(data.rglob("*.png"))
    model = run.model
    model.predict(path)
    child = os.fork()
    if child == 0:
        try:
            model.predict(path)
        except RuntimeError as told:
            os._exit(7 if "forked" in str(told) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
