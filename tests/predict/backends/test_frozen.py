"""Frozen graphs opened as predictors."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tensorflow as tf

from trainer.errors import DamagedError, RequestError
from trainer.predict.backends.dispatch import open_predictor
from trainer.predict.backends.frozen import open_frozen

v1 = tf.compat.v1
X = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)


def test_damage_in_a_frozen_graph(small_run, tmp_path) -> None:
    for name in ("model.pb", "model.json"):
        shutil.copy(small_run / "export/frozen" / name, tmp_path)
    content = (tmp_path / "model.pb").read_bytes()
    (tmp_path / "model.pb").write_bytes(content[:-9] + b"?" + content[-8:])
    with pytest.raises(DamagedError, match="differs from its manifest"):
        open_predictor(tmp_path / "model.pb")


def test_a_graph_that_is_not_frozen(small_run, tmp_path) -> None:
    meta = v1.MetaGraphDef.FromString((small_run / "checkpoints/model.meta").read_bytes())
    (tmp_path / "graph.pb").write_bytes(meta.graph_def.SerializeToString())
    with pytest.raises(RequestError, match=r"is not frozen: it has the variable 'b'"):
        open_frozen(tmp_path / "graph.pb", ["op"])


def test_a_frozen_graph_without_a_manifest_ends_where_nobody_reads_on(small_run, tmp_path) -> None:
    shutil.copy(small_run / "export/frozen/model.pb", tmp_path)
    with open_frozen(tmp_path / "model.pb") as predictor:
        assert list(predictor(x=X)) == ["op"]
