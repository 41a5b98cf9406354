"""Signatures of the meta graph."""

from __future__ import annotations

import tensorflow as tf

v1 = tf.compat.v1


def test_the_meta_says_what_to_feed_and_fetch(trained) -> None:
    meta = v1.MetaGraphDef.FromString((trained / "checkpoints/model-4.meta").read_bytes())
    serving, evaluation = meta.signature_def["serving_default"], meta.signature_def["eval"]
    assert {name: info.name for name, info in serving.inputs.items()} == {"x": "x:0"}
    assert {name: info.name for name, info in serving.outputs.items()} == {"op": "op:0"}
    assert (sorted(evaluation.inputs), sorted(evaluation.outputs)) == (["x", "y"], ["loss"])
