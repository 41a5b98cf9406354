"""Images in a folder for each class, decoded, resized, and divided into parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.evaluate import Evaluate
from tests.helpers import run
from trainer.data.images import Images, class_names, image_files
from trainer.errors import RequestError

v1 = tf.compat.v1


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of images of several sizes and formats, of one gray value each: dark and light."""
    folder = tmp_path_factory.mktemp("photos")
    for number, name in enumerate(["dark", "light"]):
        (folder / name).mkdir()
        for i in range(10):
            values = np.full([6 + i, 9, 3], 50 + 150 * number, np.uint8)
            encode = [tf.io.encode_png, tf.io.encode_jpeg][i % 2]
            (folder / name / f"{i}{['.png', '.JPG'][i % 2]}").write_bytes(encode(values).numpy())
    (folder / "dark" / "notes.txt").write_text("no image")
    return folder


def read(dataset: Any) -> list[Any]:
    with v1.Session(graph=tf.Graph()) as session, session.graph.as_default():
        batch = v1.data.make_one_shot_iterator(dataset().batch(100)).get_next()
        return session.run(batch)  # type: ignore[no-any-return]


def test_the_classes_are_the_folders(photos) -> None:
    files, numbers = image_files(str(photos))
    assert class_names(str(photos)) == Images(str(photos), batch_size=4).classes == ["dark", "light"]
    assert [Path(file).parent.name for file in files] == ["dark"] * 10 + ["light"] * 10
    assert numbers == [0] * 10 + [1] * 10
    assert set(image_files(str(photos), ["light", "dark"])[1][:10]) == {0}


def test_images_are_decoded_and_resized_in_an_order_that_mixes_the_classes(photos) -> None:
    inputs, labels = read(Images(str(photos), size=[4, 5], validation=0).dataset)
    assert inputs["image"].shape == (20, 4, 5, 3)
    expected = np.where(labels["label"], 200, 50) / 255
    np.testing.assert_allclose(
        inputs["image"], np.broadcast_to(expected[:, None, None, None], (20, 4, 5, 3)), atol=0.01
    )
    assert 0 < labels["label"][:10].sum() < 10


def test_a_share_divides_the_images(photos) -> None:
    data = Images(str(photos), validation=0.25)
    train, held_out = read(data.dataset), read(data.validation)
    assert (len(train[1]["label"]), len(held_out[1]["label"])) == (15, 5)
    assert train[1]["label"].sum() + held_out[1]["label"].sum() == 10


class Gray:
    """Model of the mean of an image."""

    def __init__(self) -> None:
        self.w = tf.Variable([1.0, 0.0], name="w")

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": tf.reduce_mean(inputs["image"], [1, 2, 3]) * self.w[0] + self.w[1]}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - tf.cast(labels["label"], tf.float32)))


def test_a_model_trains_on_a_folder(photos, tmp_path) -> None:
    data = Images(str(photos), batch_size=4)
    assert run(tmp_path / "run", {"e": Evaluate()}, data=data, make_model=Gray, epochs=30).metrics["val_loss"] < 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "nowhere"}, "there is no folder nowhere"),
        ({"path": "dark"}, "dark has no folders; it must have one for each class"),
        ({"classes": ["dusk"]}, "has no folder 'dusk'; "),
        ({"path": "empty"}, r"no images \(.bmp, .gif, .jpeg, .jpg, .png\)"),
        ({"size": [4]}, r"size \(\[4\]\) must be height and width"),
        ({"channels": 2}, r"channels \(2\) must be 1, 3 or 4"),
        ({"validation": 0.01}, r"validation \(0.01\) of 20 images leaves one part empty"),
    ],
)
def test_what_is_no_folder_of_images_is_refused(settings, message, photos, tmp_path, monkeypatch) -> None:
    (tmp_path / "empty" / "class").mkdir(parents=True)
    (tmp_path / "dark").symlink_to(photos / "dark")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=message):
        Images(**{"path": str(photos), **settings})
