"""Steps per second on data that streams from disk, against a fused graph by hand, Keras, and the pipeline alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case, loss_of, net
from benchmarks.processes import Figures, in_a_process, medians

BATCH = 64
FEATURES = {"records": 64, "own": 64, "rows": 20}
"""Numbers in an example, by the kind of the stream."""

EXAMPLES = {"records": 100_000, "own": 100_000, "rows": 400_000, "pictures": 2000}
SHUFFLE_BUFFER = 1000
SIZE = (96, 96)
"""Height and width to which pictures are resized."""


def write(kind: str, folder: Path) -> None:
    """Writes the files of a stream: TFRecord files, CSV files, or folders of JPEG files."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    count = EXAMPLES[kind]
    labels = rng.integers(0, 10, count)
    if kind == "pictures":
        for index in range(count):
            picture = rng.integers(0, 255, (24, 24, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
            path = folder / f"class{labels[index]}" / f"{index}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(tf.io.encode_jpeg(picture).numpy())
        return
    x = rng.normal(size=(count, FEATURES[kind])).astype(np.float32)
    for part in range(4):
        mine = slice(part, None, 4)
        if kind == "rows":
            header = ",".join([*(f"c{k}" for k in range(x.shape[1])), "label"])
            table = np.column_stack([x[mine], labels[mine]])
            np.savetxt(folder / f"{part}.csv", table, "%.6g", delimiter=",", header=header, comments="")
            continue
        with tf.io.TFRecordWriter(str(folder / f"{part}.tfrecord")) as writer:
            for values, label in zip(x[mine], labels[mine], strict=True):
                feature = {
                    "x": tf.train.Feature(float_list=tf.train.FloatList(value=values)),
                    "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def own_examples(folder: Path) -> Any:
    """Returns the examples of TFRecord files as a person's own function makes them: parsed one by one."""
    import tensorflow as tf

    features = {"x": tf.io.FixedLenFeature([64], tf.float32), "y": tf.io.FixedLenFeature([], tf.int64)}

    def parse(record: Any) -> Any:
        read = tf.io.parse_single_example(record, features)
        return {"x": read["x"] * 2.0 - 1.0}, {"y": read["y"]}

    return tf.data.TFRecordDataset(sorted(str(each) for each in folder.iterdir())).map(parse)


def by_hand(kind: str, folder: Path) -> Any:
    """Returns the batches that someone who knows ``tf.data`` would write: parsed together, in parallel."""
    import tensorflow as tf

    if kind == "pictures":
        return _pictures_by_hand(folder)
    if kind == "own":
        examples = own_examples(folder).shuffle(SHUFFLE_BUFFER, seed=0)
        return examples.batch(BATCH, drop_remainder=True).repeat().prefetch(2)
    files = sorted(str(each) for each in folder.iterdir())
    if kind == "rows":
        types = [tf.float32] * FEATURES[kind] + [tf.int32]
        rows = tf.data.experimental.CsvDataset(files, types, header=True).shuffle(SHUFFLE_BUFFER, seed=0)
        batches = rows.batch(BATCH, drop_remainder=True)
        return batches.map(lambda *columns: ({"x": tf.stack(columns[:-1], 1)}, {"y": columns[-1]})).repeat().prefetch(2)
    features = {"x": tf.io.FixedLenFeature([64], tf.float32), "y": tf.io.FixedLenFeature([], tf.int64)}

    def parse(records: Any) -> Any:
        read = tf.io.parse_example(records, features)
        return {"x": read["x"]}, {"y": read["y"]}

    records = tf.data.TFRecordDataset(files).shuffle(SHUFFLE_BUFFER, seed=0).batch(BATCH, drop_remainder=True)
    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE).repeat().prefetch(2)


def _pictures_by_hand(folder: Path) -> Any:
    import tensorflow as tf

    files = sorted(str(each) for each in folder.glob("*/*.jpg"))
    labels = [int(Path(each).parent.name.removeprefix("class")) for each in files]

    def read(path: Any, label: Any) -> Any:
        picture = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return {"image": tf.image.resize(picture, SIZE, antialias=True) / 255.0}, {"label": label}

    names = tf.data.Dataset.from_tensor_slices((files, labels)).shuffle(SHUFFLE_BUFFER, seed=0)
    pictures = names.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    return pictures.batch(BATCH, drop_remainder=True).repeat().prefetch(2)


def case_of(kind: str) -> Case:
    """Returns the net that is trained on a stream."""
    shape = (*SIZE, 3) if kind == "pictures" else (FEATURES[kind],)
    return Case(BATCH, EXAMPLES[kind], shape, 10, units=() if kind == "pictures" else (128,))


class Net:
    """Dense net of a case, under this trainer's model contract."""

    def __init__(self, kind: str) -> None:
        import keras

        self.case = case_of(kind)
        self.net = (
            net(self.case)
            if kind != "pictures"
            else keras.Sequential(
                [keras.layers.Input(self.case.shape), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
            )
        )

    def __call__(self, inputs: Any, training: bool) -> Any:
        """Returns the outputs: ``op``."""
        (x,) = inputs.values()
        return {"op": self.net(x, training=training)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        """Returns the mean loss of a batch."""
        (y,) = labels.values()
        return loss_of(self.case, outputs["op"], y)


def measure_streams(kind: str, contender: str, secs: float) -> Figures:
    """Returns the steps per second of one contender on files of its own.

    Args:
        kind: ``records``, ``own``, ``rows`` or ``pictures``.
        contender: ``trainer``, ``by hand``, ``keras`` or ``pipeline``.
        secs: Seconds to measure.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        folder.mkdir()
        write(kind, folder)
        measure = {"trainer": _trainer, "by hand": _by_hand, "keras": _keras, "pipeline": _pipeline}[contender]
        return {f"{kind}: {contender}, steps/s": measure(kind, folder, secs)}


def _trainer(kind: str, folder: Path, secs: float) -> float:
    import functools

    import keras

    import trainer
    from trainer.data.csv_stream import csv_stream
    from trainer.data.images import Images
    from trainer.data.streamed import Streamed
    from trainer.data.tfrecord import tfrecord

    make: Callable[..., Any] | None = None
    if kind == "records":
        features = {"x": {"shape": [64]}}, {"y": {"shape": [], "dtype": "int64"}}
        make = functools.partial(tfrecord, f"{folder}/*.tfrecord", *features)
    if kind == "own":
        make = functools.partial(own_examples, folder)
    if kind == "rows":
        make = functools.partial(csv_stream, f"{folder}/*.csv", {"x": [f"c{k}" for k in range(20)]}, {"y": ["label"]})

    class Classes(Net):
        def loss(self, outputs: Any, labels: Any) -> Any:
            import tensorflow as tf

            (y,) = labels.values()
            return loss_of(self.case, outputs["op"], tf.cast(tf.reshape(y, [-1]), tf.int32))

    def source() -> Any:
        if make is None:
            return Images(str(folder), SIZE, batch_size=BATCH, shuffle_buffer=SHUFFLE_BUFFER, validation=0.0)
        return Streamed(make, BATCH, SHUFFLE_BUFFER)

    began, epochs = time.perf_counter(), 1
    rates: list[float] = []
    while not rates or time.perf_counter() - began < secs:
        result = trainer.fit(
            lambda: Classes(kind),
            source(),
            keras.optimizers.SGD(0.01),
            epochs=epochs + 2,
            directory=folder.parent / f"run{epochs}",
            verbose=False,
        )
        rates += [each["steps_per_sec"] for each in result.metrics[1:]]
        epochs += 2
    return float(np.median(rates))


def _by_hand(kind: str, folder: Path, secs: float) -> float:
    import keras
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default():
        iterator = v1.data.make_initializable_iterator(by_hand(kind, folder))
        model = Net(kind)
        (x_name,) = iterator.element_spec[0]
        optimizer = keras.optimizers.SGD(0.01)
        model({x_name: tf.zeros([BATCH, *model.case.shape])}, training=True)
        variables = model.net.trainable_variables
        optimizer.build(variables)

        def one(i: Any, total: Any) -> Any:
            inputs, labels = iterator.get_next()
            loss = model.loss(model(inputs, training=True), labels)
            optimizer.apply(tf.gradients(loss, [each.value for each in variables]), variables)
            return i + 1, total + loss

        steps = min(1000, EXAMPLES[kind] // BATCH)
        loop = tf.function(lambda: tf.while_loop(lambda i, _: i < steps, one, [0, 0.0], parallel_iterations=1))
        end = loop()
        with v1.Session() as session:
            session.run([v1.global_variables_initializer(), iterator.initializer])
            session.run(end)
            began, done = time.perf_counter(), 0
            while time.perf_counter() - began < secs:
                session.run(end)
                done += steps
            return done / (time.perf_counter() - began)


def _keras(kind: str, folder: Path, secs: float) -> float:
    import keras

    model = Net(kind).net
    model.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = by_hand(kind, folder).map(lambda inputs, labels: (*inputs.values(), *labels.values()))
    steps = min(500, EXAMPLES[kind] // BATCH)
    model.fit(data, steps_per_epoch=steps, epochs=1, verbose=0)
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < secs:
        model.fit(data, steps_per_epoch=steps, epochs=1, verbose=0)
        done += steps
    return done / (time.perf_counter() - began)


def _pipeline(kind: str, folder: Path, secs: float) -> float:
    batches = iter(by_hand(kind, folder))
    for _ in range(50):
        next(batches)
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < secs:
        next(batches)
        done += 1
    return done / (time.perf_counter() - began)


def compare_streams(rounds: int, secs: float) -> Figures:
    """Returns the medians of all contenders, and the ratios of this trainer to the others."""
    figures: Figures = {}
    for kind in EXAMPLES:
        contenders = ("trainer", "by hand", "keras", "pipeline")
        measured = [
            {
                name: rate
                for contender in contenders
                for name, rate in in_a_process("streams", kind=kind, contender=contender, secs=secs).items()
            }
            for _ in range(rounds)
        ]
        figures |= medians(measured)
        ours = figures[f"{kind}: trainer, steps/s"]
        for contender in contenders[1:]:
            figures[f"{kind}: trainer / {contender}"] = ours / figures[f"{kind}: {contender}, steps/s"]
    return figures
