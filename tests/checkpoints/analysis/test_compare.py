"""Two checkpoints, compared variable by variable."""

from __future__ import annotations

import tensorflow as tf

from trainer.checkpoints.analysis.compare import compare


def test_diff_names_what_is_in_one_or_of_another_shape(tmp_path) -> None:
    for name, tensors in (("a", {"w": [1.0], "n": [1, 2]}), ("b", {"w": [1.0, 2.0], "m": [1]})):
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / name),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=[tf.constant(each) for each in tensors.values()],
        )
    found = {each.name: (str(each.a), str(each.b)) for each in compare(tmp_path / "a", tmp_path / "b").differences}
    assert found == {
        "m": ("None", "int32 [1]"),
        "n": ("int32 [2]", "None"),
        "w": ("float32 [1]", "float32 [2]"),
    }
