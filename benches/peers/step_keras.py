"""step_keras.py: images per second of one training step of the three-block CNN, 150 px, batch 32, in Keras on TensorFlow."""
import os, statistics, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow turns it on by itself only with AVX512-VNNI
import keras, numpy, tensorflow
from keras import layers as L

tensorflow.config.threading.set_intra_op_parallelism_threads(2)
model = keras.Sequential([
    L.Input((150, 150, 3)),
    L.Conv2D(32, 3, padding="same", activation="relu"), L.MaxPooling2D(),
    L.Conv2D(32, 3, padding="same", activation="relu"), L.MaxPooling2D(),
    L.Conv2D(64, 3, padding="same", activation="relu"), L.MaxPooling2D(),
    L.Dropout(0.25), L.Flatten(), L.Dense(64, activation="relu"), L.Dropout(0.5), L.Dense(2, activation="softmax"),
])
model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.SGD(0.01, momentum=0.9), metrics=["accuracy"])
pixels = numpy.random.rand(32, 150, 150, 3).astype("float32")
labels = numpy.eye(2)[numpy.random.randint(0, 2, 32)].astype("float32")
for _ in range(5):
    model.train_on_batch(pixels, labels)
seconds = []
for _ in range(25):
    start = time.perf_counter()
    model.train_on_batch(pixels, labels)
    seconds.append(time.perf_counter() - start)
print(f"keras {32 / statistics.median(seconds):.1f}")
