"""few.py PELAGE DATA [COUNT] [pelage|keras|fastai ...]: from scratch on COUNT (500) drawn training pictures of two classes,
judged on all of DATA's validation pictures; once as `pelage train --recipe quick` does it, once by Keras's guide "Image
classification from scratch" (its small Xception, flips and rotations, Adam, 25 epochs at 180 px, batches of 32 for so few
pictures), once by fastai's book, chapter 7 (xresnet50, presizing, one-cycle at 3e-3, label smoothing, test-time
augmentation; 20 epochs at 128 px). Accuracy, log loss, processor time of training; seed 0.

Keras and fastai may be in different environments: name what this one has."""
import json, os, pathlib, random, resource, subprocess, sys, tempfile, time

binary, data = sys.argv[1], pathlib.Path(sys.argv[2])
rest = sys.argv[3:]
count = int(rest.pop(0)) if rest and rest[0].isdigit() else 500
kinds = rest or ["pelage", "keras", "fastai"]
classes = sorted(folder.name for folder in (data / "train").iterdir() if folder.is_dir())
scratch = tempfile.TemporaryDirectory()
drawn = pathlib.Path(scratch.name)
for name in classes:
    (drawn / "train" / name).mkdir(parents=True)
    files = sorted((data / "train" / name).iterdir())
    for file in random.Random(0).sample(files, count // len(classes)):
        (drawn / "train" / name / file.name).symlink_to(file.resolve())
(drawn / "validation").symlink_to((data / "validation").resolve())


def processor():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def score(probabilities, labels):
    import numpy
    probabilities, labels = numpy.asarray(probabilities, float), numpy.asarray(labels, int)
    right = probabilities[numpy.arange(len(labels)), labels]
    return (probabilities.argmax(1) == labels).mean(), -numpy.log(numpy.maximum(right, 1e-7)).mean()


def by_pelage():
    run = drawn / "run"
    subprocess.run([binary, "train", drawn, "--recipe", "quick", "--out", run, "--quiet"], check=True, capture_output=True)
    seconds = processor()
    said = subprocess.run([binary, "evaluate", run, "--json"], check=True, capture_output=True, text=True).stdout
    said = json.loads(said)
    return said["accuracy"], said["log_loss"], seconds


def by_keras():
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras, numpy
    import tensorflow as tf
    keras.utils.set_random_seed(0)
    size = (180, 180)
    read = lambda part, shuffle: keras.utils.image_dataset_from_directory(
        drawn / part, image_size=size, batch_size=32, label_mode="int", shuffle=shuffle, seed=0)
    layers = keras.layers
    augment = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])
    train = read("train", True).map(lambda x, y: (augment(x), y), tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    inputs = keras.Input((*size, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(128, 3, strides=2, padding="same")(x)))
    previous = x
    for width in (256, 512, 728):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.BatchNormalization()(layers.SeparableConv2D(width, 3, padding="same")(x))
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = previous = layers.add([x, layers.Conv2D(width, 1, strides=2, padding="same")(previous)])
    x = layers.SeparableConv2D(1024, 3, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(layers.BatchNormalization()(x)))
    model = keras.Model(inputs, layers.Dense(1)(layers.Dropout(0.25)(x)))
    model.compile(keras.optimizers.Adam(3e-4), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(train, epochs=25, verbose=2)
    seconds = processor()
    valid = read("validation", False)
    second = 1 / (1 + numpy.exp(-model.predict(valid, verbose=0)[:, 0]))
    return *score(numpy.stack([1 - second, second], 1), numpy.concatenate([y for _, y in valid])), seconds


def by_fastai():
    from fastai.vision import all as vision
    vision.set_seed(0, True)
    block = vision.DataBlock(
        (vision.ImageBlock, vision.CategoryBlock), get_items=vision.get_image_files, get_y=vision.parent_label,
        splitter=vision.GrandparentSplitter("train", "validation"), item_tfms=vision.Resize(256),
        batch_tfms=[
            *vision.aug_transforms(size=128, min_scale=0.75), vision.Normalize.from_stats(*vision.imagenet_stats)])
    batches = block.dataloaders(drawn, bs=64, num_workers=0)
    learner = vision.Learner(batches, vision.xresnet50(n_out=len(classes)), loss_func=vision.LabelSmoothingCrossEntropy())
    with learner.no_bar():
        # Validation after each epoch would take longer than training.
        whole = learner.dls.loaders[1]
        learner.dls.loaders[1] = learner.dls.test_dl(whole.items[:64], with_labels=True)
        learner.fit_one_cycle(20, 3e-3)
        seconds = processor()
        learner.dls.loaders[1] = whole
        probabilities, labels = learner.tta()
    return *score(probabilities, labels), seconds


for kind in kinds:
    begin, start = time.time(), processor()
    accuracy, loss, end = {"pelage": by_pelage, "keras": by_keras, "fastai": by_fastai}[kind]()
    print(f"{kind}: accuracy {100 * accuracy:.2f} %, log loss {loss:.4f}, {end - start:.0f} s of processor time to train, "
          f"{time.time() - begin:.0f} s in all", flush=True)
