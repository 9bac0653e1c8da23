"""int8.py PELAGE FOLDER [ROUNDS]: inference in int8 of pelage and ONNX Runtime, in turns, on as many threads as there are cores;
medians, and pelage's ratio. Every network is exported by pelage (`FOLDER/NAME.onnx`, of a run in `FOLDER/NAME`) and quantized by
ONNX Runtime per channel, U8S8, on noise, in both of its formats, of which the faster one counts; what it computes in f32 is timed
beside. Random pixels from memory to the answer; pelage measures up to the channel means, for which a head of two classes is nothing."""
import json, os, pathlib, statistics, subprocess, sys, tempfile, time

import numpy as np, onnx, onnxruntime as ort
from onnx import version_converter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

binary, folder = sys.argv[1], pathlib.Path(sys.argv[2])
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
threads = int(os.environ.get("THREADS", os.cpu_count()))
batches = [int(batch) for batch in os.environ.get("BATCHES", "1 16").split()]
names = os.environ.get("NETWORKS", "mobilenet_v2 efficientnet_lite0 resnet50").split()
options = ort.SessionOptions()
options.intra_op_num_threads = threads


class Noise(CalibrationDataReader):
    def __init__(self, name, shape):
        random = np.random.default_rng(0)
        self.left = [{name: random.uniform(0, 1, shape).astype(np.float32)} for _ in range(4)]

    def get_next(self):
        return self.left.pop() if self.left else None


def sessions(name, scratch):
    """The network as exported, and quantized in either format."""
    whole, ready = folder / f"{name}.onnx", scratch / f"{name}.onnx"
    # Scales of channels want operators of version 13.
    onnx.save(version_converter.convert_version(onnx.load(whole), 13), ready)
    quant_pre_process(str(ready), str(ready), skip_symbolic_shape=True)
    made = {"f32": ort.InferenceSession(str(whole), options)}
    given = made["f32"].get_inputs()[0]
    shape = [1, *given.shape[1:]]
    for form in (QuantFormat.QDQ, QuantFormat.QOperator):
        path = scratch / f"{name}-{form}.onnx"
        quantize_static(
            str(ready), str(path), Noise(given.name, shape), quant_format=form, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )
        made[str(form)] = ort.InferenceSession(str(path), options)
    return made, given.name, shape[1:]


def rate(session, given, shape, batch):
    pixels = np.random.default_rng(1).uniform(0, 1, [batch, *shape]).astype(np.float32)
    session.run(None, {given: pixels})
    times, begin = [], time.time()
    while len(times) < 5 or time.time() - begin < 1:
        start = time.perf_counter()
        session.run(None, {given: pixels})
        times.append(time.perf_counter() - start)
    return batch / statistics.median(times)


def pelage(name, batch, precision):
    command = [binary, "bench", "inference", "--model", name, "--batch-size", str(batch), "--threads", str(threads), "--json"]
    said = subprocess.run([*command, "--precision", precision], capture_output=True, text=True, check=True).stdout
    return json.loads(said)["inference"][0]["images_per_second"]


with tempfile.TemporaryDirectory() as scratch:
    for name in names:
        made, given, shape = sessions(name, pathlib.Path(scratch))
        for batch in batches:
            rates = {key: [] for key in ["pelage f32", "pelage int8", *made]}
            for _ in range(rounds):
                for precision in ("f32", "int8"):
                    rates[f"pelage {precision}"].append(pelage(name, batch, precision))
                for key, session in made.items():
                    rates[key].append(rate(session, given, shape, batch))
            medians = {key: statistics.median(values) for key, values in rates.items()}
            best = max(medians[key] for key in made if key != "f32")
            said = ", ".join(f"{key} {value:.1f}" for key, value in medians.items())
            print(
                f"{name}, batch {batch}, {threads} threads, images/s: {said}; int8 is {medians['pelage int8'] / best:.2f} x "
                f"ONNX Runtime's and {medians['pelage int8'] / medians['pelage f32']:.2f} x f32",
                flush=True,
            )
