"""Large photographs: written, and read by Keras's loader of folders."""

import os, pathlib, time

import numpy as np, tensorflow as tf

import line

HEIGHT, WIDTH = 3024, 4032
tf.config.threading.set_intra_op_parallelism_threads(int(os.environ["THREADS"]))
tf.config.threading.set_inter_op_parallelism_threads(int(os.environ["THREADS"]))


def photograph(seed):
    """Smooth shades and the grain of a sensor: some 2 MB, as a telephone makes them."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) / HEIGHT
    picture = 128 + random.normal(0, 5, (HEIGHT, WIDTH, 1)).astype(np.float32) + np.zeros(3, np.float32)
    for _ in range(8):
        across, down, phase = random.uniform(-30, 30), random.uniform(-30, 30), random.uniform(0, 6)
        picture += random.uniform(-25, 25, 3).astype(np.float32) * np.sin(across * x + down * y + phase)[..., None]
    return picture.clip(0, 255).astype(np.uint8)


def make(folder, count):
    """Four pictures again and again; the megabytes of one."""
    pictures = pathlib.Path(folder) / "class"
    pictures.mkdir(parents=True)
    jpegs = [tf.io.encode_jpeg(photograph(i), quality=85, chroma_downsampling=True).numpy() for i in range(4)]
    for i in range(count):
        (pictures / f"{i}.jpg").write_bytes(jpegs[i % 4])
    return len(jpegs[0]) / 1e6


def read(folder):
    start = time.perf_counter()
    batches = tf.keras.utils.image_dataset_from_directory(
        folder, image_size=(150, 150), batch_size=8, label_mode=None, verbose=False
    )
    for batch in batches:
        batch.numpy()
    return time.perf_counter() - start


line.answer(make=make, read=read)
