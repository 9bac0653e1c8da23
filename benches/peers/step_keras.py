"""A training step in Keras on TensorFlow with oneDNN, of all layers, by SGD with momentum."""

import os, time

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow turns it on by itself only with AVX512-VNNI
import keras, numpy, tensorflow
from keras import layers as L

import line

tensorflow.config.threading.set_intra_op_parallelism_threads(int(os.environ["THREADS"]))
tensorflow.config.threading.set_inter_op_parallelism_threads(int(os.environ["THREADS"]))
now = {}


def convolved(x, channels, side=3, strides=1):
    if strides > 1:  # as PyTorch pads it
        x = L.ZeroPadding2D(side // 2)(x)
    padding = "valid" if strides > 1 else "same"
    return L.Conv2D(channels, side, strides, padding=padding, use_bias=False)(x)


def normed(x):
    return L.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def basic(x, channels, strides=1):
    """ResNet's basic block (He et al. 2016)."""
    y = L.ReLU()(normed(convolved(x, channels, 3, strides)))
    y = normed(convolved(y, channels))
    if strides > 1 or x.shape[-1] != channels:
        x = normed(L.Conv2D(channels, 1, strides, use_bias=False)(x))
    return L.ReLU()(L.Add()([y, x]))


def cnn3(x):
    for channels in (32, 32, 64):
        x = L.MaxPooling2D()(L.Conv2D(channels, 3, padding="same", activation="relu")(x))
    return L.Dropout(0.5)(L.Dense(64, activation="relu")(L.Flatten()(L.Dropout(0.25)(x))))


def resnet18(x):
    x = L.ReLU()(normed(convolved(x, 64, 7, 2)))
    x = L.MaxPooling2D(3, 2)(L.ZeroPadding2D(1)(x))
    for channels, strides in [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]:
        x = basic(x, channels, strides)
    return L.GlobalAveragePooling2D()(x)


def lynx(x):
    for channels, pairs in [(32, 0), (64, 0), (128, 1), (256, 1), (384, 1)]:
        x = L.ReLU()(normed(L.MaxPooling2D()(convolved(x, channels))))
        for _ in range(pairs):
            x = basic(x, channels)
    return L.GlobalAveragePooling2D()(x)


def load(network, size, batch):
    """Whether it is faster compiled by XLA, which Keras would do by itself; then it is."""
    now["pixels"] = numpy.random.rand(batch, size, size, 3).astype("float32")
    now["labels"] = numpy.arange(batch) % 1000
    models = {}
    for compiled in (False, True):
        given = L.Input((size, size, 3))
        model = now["model"] = keras.Model(given, L.Dense(1000)(globals()[network](given)))
        model.compile(
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            optimizer=keras.optimizers.SGD(1e-4, momentum=0.9),
            jit_compile=compiled,
        )
        step()
        models[min(timed() for _ in range(2))] = model, compiled
    now["model"], compiled = models[min(models)]
    return compiled


def step():
    now["model"].train_on_batch(now["pixels"], now["labels"])


def timed():
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


line.answer(load=load, rate=lambda: line.rate(step, len(now["labels"]), 3.0))
