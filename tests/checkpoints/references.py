"""Checkpoints in every form that a reference can name, for tests that read them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1


def save_plain(directory: Path, steps: tuple[int, ...] = (1, 2), *, write_meta_graph: Any = None, **saver: Any) -> None:
    """Saves the variables of ``tests.helpers.Line`` with a plain Saver, the step number in ``w``.

    Args:
        directory: Directory that is made.
        steps: Numbers of the checkpoints.
        write_meta_graph: Numbers whose graph is written; None for all.
        saver: Arguments of the Saver.
    """
    directory.mkdir(parents=True)
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        step = v1.get_variable("global_step", [], tf.int64, trainable=False, use_resource=False)
        w = v1.get_variable("w", [2, 1], use_resource=False)
        b = v1.get_variable("b", [1], initializer=v1.zeros_initializer(), use_resource=False)
        tf.add(tf.matmul(x, w), b, name="op")
        session.run(v1.global_variables_initializer())
        writer = v1.train.Saver(**saver)
        for number in steps:
            session.run([step.assign(number), w.assign([[number], [0.0]])])
            wanted = write_meta_graph is None or number in write_meta_graph
            writer.save(session, str(directory / "model.ckpt"), number, write_meta_graph=wanted)


def make_tree(root: Path, trained: Path) -> Path:
    """Makes a tree with a checkpoint in each form.

    ``outputs/linear/{older,run}`` are runs, as ``trained`` is one; ``outputs/linear/new`` and ``outputs/other/new``
    have no checkpoint yet. ``one_file`` and ``no_graph`` are in the format of TensorFlow before 0.12, ``plain``
    is in that of today, with one graph. ``two`` holds runs of two names.
    """
    for copy in ("outputs/linear/run", "outputs/linear/older", "two/linear/run", "two/digits/run"):
        shutil.copytree(trained, root / copy)
    for name in ("outputs/linear/new", "outputs/other/new"):
        (root / name / "checkpoints").mkdir(parents=True)
        (root / name / "run.json").write_text(json.dumps({"started": "2099-01-01T00:00:00+00:00"}))
    older = root / "outputs/linear/older/run.json"
    older.write_text(json.dumps({**json.loads(older.read_text()), "started": "2020-01-01T00:00:00+00:00"}))
    (root / "outputs/linear/older/checkpoints/model-4.index").unlink()
    save_plain(root / "one_file", write_version=v1.train.SaverDef.V1)
    save_plain(root / "no_graph", write_meta_graph=(), write_version=v1.train.SaverDef.V1)
    save_plain(root / "plain", write_meta_graph=(1,))
    return root
