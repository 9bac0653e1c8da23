"""large.py PELAGE RUN [ROUNDS]: photographs of 12 megapixels down to the size that a network takes, in turns; medians. pelage's
time is the whole process of `predict`, prediction included; TensorFlow's is a `tf.data` of `image_dataset_from_directory`, which decodes
and resizes on both cores, its start left out. RUN is one of cnn3 at 150 px."""
import os, pathlib, statistics, subprocess, sys, tempfile, time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np, tensorflow as tf

COUNT, HEIGHT, WIDTH = 32, 3024, 4032
binary, run, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 5
tf.config.threading.set_intra_op_parallelism_threads(2)
tf.config.threading.set_inter_op_parallelism_threads(2)


def photograph(seed):
    """Smooth shades and the grain of a sensor: some 2 MB, as a telephone makes them."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) / HEIGHT
    picture = 128 + random.normal(0, 5, (HEIGHT, WIDTH, 1)).astype(np.float32) + np.zeros(3, np.float32)
    for _ in range(8):
        across, down, phase = random.uniform(-30, 30), random.uniform(-30, 30), random.uniform(0, 6)
        picture += random.uniform(-25, 25, 3).astype(np.float32) * np.sin(across * x + down * y + phase)[..., None]
    return picture.clip(0, 255).astype(np.uint8)


with tempfile.TemporaryDirectory() as folder:
    pictures = pathlib.Path(folder) / "class"
    pictures.mkdir()
    for i in range(COUNT):
        jpeg = tf.io.encode_jpeg(photograph(i % 4), quality=85, chroma_downsampling=True)
        (pictures / f"{i}.jpg").write_bytes(jpeg.numpy())
    size = (pictures / "0.jpg").stat().st_size / 1e6
    seconds = {"pelage": [], "tensorflow": []}
    for _ in range(rounds):
        start = time.time()
        subprocess.run([binary, "predict", run, pictures, "--threads", "2", "--json"], check=True, capture_output=True)
        seconds["pelage"].append(time.time() - start)
        start = time.time()
        batches = tf.keras.utils.image_dataset_from_directory(
            folder, image_size=(150, 150), batch_size=8, label_mode=None, verbose=False
        )
        for batch in batches:
            batch.numpy()
        seconds["tensorflow"].append(time.time() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    said = ", ".join(f"{name} {COUNT / value:.1f} pictures/s" for name, value in medians.items())
    print(f"12 megapixels, {size:.1f} MB each: {said}; {medians['tensorflow'] / medians['pelage']:.2f} x")
