"""JPEG files to features in ONNX Runtime: Pillow on threads of its own, which decode the next batches meanwhile."""

import concurrent.futures, time

import numpy, onnxruntime
from PIL import Image

import line

BATCH, AHEAD = 16, 4
now = {}


def picture(path):
    pixels = Image.open(path).convert("RGB").resize((224, 224), Image.BILINEAR)
    return numpy.asarray(pixels, numpy.float32).transpose(2, 0, 1) / 255


def batch(paths):
    return numpy.stack([picture(path) for path in paths])


def features(files, workers, session):
    found, waiting = [], []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        starts = iter(range(0, len(files), BATCH))
        for start in starts:
            waiting.append(pool.submit(batch, files[start : start + BATCH]))
            if len(waiting) == AHEAD:
                found.append(session.run(None, {"images": waiting.pop(0).result()})[0])
        found += [session.run(None, {"images": one.result()})[0] for one in waiting]
    return numpy.concatenate(found)


def load(files, threads, path):
    """Workers and threads that were fastest."""
    times, sessions = {}, {}
    for computing in {1, threads}:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = computing
        sessions[computing] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        features(files[:32], 1, sessions[computing])
        for workers in (1, threads):
            start = time.perf_counter()
            features(files[:160], workers, sessions[computing])
            times[workers, computing] = time.perf_counter() - start
    best = min(times, key=times.get)
    now["all"] = files, best[0], sessions[best[1]]
    return best


def rate():
    start = time.perf_counter()
    features(*now["all"])
    return len(now["all"][0]) / (time.perf_counter() - start)


line.answer(load=load, rate=rate)
