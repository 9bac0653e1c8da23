"""epoch_keras.py DATA EPOCHS [PATIENCE]: the reference recipe in Keras, whole epochs over DATA/train and
DATA/validation with ImageDataGenerator and fit; with PATIENCE, stopped early as `pelage train` does. Its last line is
the epochs' seconds."""

import json, os, sys, time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow turns it on by itself only with AVX512-VNNI
import keras
from keras import layers as L
from keras.src.legacy.preprocessing.image import ImageDataGenerator

root, epochs = sys.argv[1], int(sys.argv[2])
patience = int(sys.argv[3]) if len(sys.argv) > 3 else epochs
keras.utils.set_random_seed(0)
flow = dict(target_size=(150, 150), batch_size=32, class_mode="categorical")
training = ImageDataGenerator(rescale=1 / 255.0, shear_range=11.46, zoom_range=0.2, horizontal_flip=True)
training = training.flow_from_directory(root + "/train", **flow)
validation = ImageDataGenerator(rescale=1 / 255.0).flow_from_directory(root + "/validation", shuffle=False, **flow)
training.workers = validation.workers = os.cpu_count()
model = keras.Sequential(
    [
        L.Input((150, 150, 3)),
        L.Conv2D(32, 3, padding="same", activation="relu"),
        L.MaxPooling2D(),
        L.Conv2D(32, 3, padding="same", activation="relu"),
        L.MaxPooling2D(),
        L.Conv2D(64, 3, padding="same", activation="relu"),
        L.MaxPooling2D(),
        L.Dropout(0.25),
        L.Flatten(),
        L.Dense(64, activation="relu"),
        L.Dropout(0.5),
        L.Dense(2, activation="softmax"),
    ]
)
rate = keras.optimizers.schedules.InverseTimeDecay(0.01, 1, 0.01 / 50)
optimizer = keras.optimizers.SGD(rate, momentum=0.9)
model.compile(loss="binary_crossentropy", optimizer=optimizer, metrics=["accuracy"])
best, best_epoch, took = float("inf"), 0, []
for epoch in range(1, epochs + 1):
    start = time.time()
    history = model.fit(training, epochs=1, validation_data=validation, verbose=0).history
    seconds = time.time() - start
    took.append(seconds)
    figures = ", ".join(f"{key} {values[0]:.4f}" for key, values in history.items())
    speed = (training.samples + validation.samples) / seconds
    print(f"keras-tensorflow epoch {epoch}: {seconds:.1f} s, {speed:.0f} img/s, {figures}", flush=True)
    if history["val_loss"][0] < best:
        best, best_epoch = history["val_loss"][0], epoch
    if epoch - best_epoch >= patience:
        break
print(json.dumps(took))
