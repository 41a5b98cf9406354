"""What the writer puts into a checkpoint and reads back."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests.helpers import run, variables
from trainer.checkpoints.writing.writer import LARGE_BYTES, read_every_tensor

DATA = "model-1.data-00000-of-00001"


@pytest.mark.parametrize("floats", [10, LARGE_BYTES])
def test_reading_back_finds_a_flipped_bit_in_small_and_large_tensors(tmp_path, floats) -> None:
    prefix = str(tmp_path / "model-1")
    names = ["first", "second"]
    values = [tf.ones([floats]), tf.constant(["a word", "another"])]
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=["", ""], tensors=values)
    read_every_tensor(prefix)
    with (tmp_path / DATA).open("r+b") as file:
        file.seek(2 * floats)
        file.write(b"\xff")
    with pytest.raises(tf.errors.OpError, match=r"[Cc]hecksum"):
        read_every_tensor(prefix)


def test_variables_of_a_checkpoint_are_the_models_and_the_optimizers(tmp_path) -> None:
    run(tmp_path / "run", epochs=1)
    names = set(variables(tmp_path / "run/checkpoints/model-1"))
    assert {"w", "b", "global_step"} <= names
    assert len([name for name in names if "momentum" in name or "velocity" in name]) == 4
    assert not [name for name in names if "training_data" in name]
