"""Every path of a run, opened as a predictor, and what cannot be opened."""

from __future__ import annotations

import numpy as np
import pytest

from tests.readers import expected
from trainer.errors import RequestError
from trainer.predict.backends.dispatch import open_predictor
from trainer.predict.backends.saved_model import open_saved_model

CHECKPOINTS = (".", "checkpoints", "checkpoints/model-3", "checkpoints/model-3.meta", "checkpoints/model-3.index")
TAGGED = ("export/saved_model", "export/saved_model/3", "export/saved_model/3/saved_model.pb")
X = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)


@pytest.mark.parametrize("place", [*CHECKPOINTS, "export/frozen/model.pb", *TAGGED])
def test_every_path_opens_the_same_model(small_run, place) -> None:
    tags = ["serve", "gpu"] if place in TAGGED else None
    with open_predictor(small_run / place, tags=tags) as predictor:
        assert str(predictor).endswith(": x float32 [?, 2] -> op float32 [?, 1]>")
        for x in (X, X[:1], X[:0], np.repeat(X, 1000, axis=0)):
            assert predictor(x=x)["op"] == pytest.approx(expected(small_run, 3, x), rel=1e-5)


@pytest.mark.parametrize(
    ("place", "options", "message"),
    [
        (".", {"outputs": ["opp"]}, r"has no node 'opp'; did you mean op\?"),
        (".", {"outputs": ["op:1"]}, "'op:1' of .* is not a tensor: the node has 1 outputs"),
        (".", {"outputs": ["train_step"]}, "the node has 0 outputs"),
        (".", {"tags": ["serve"]}, "are for a SavedModel"),
        ("export/frozen/model.pb", {"outputs": ["opp"]}, r"did you mean op\?"),
        ("export/saved_model/3", {"tags": ["fast"]}, "no graph tagged fast; there are: gpu serve"),
        (
            "export/saved_model/3",
            {"tags": ["serve", "gpu"], "signature": "x"},
            "has no 'x'; there are: serving_default",
        ),
        ("export/saved_model/3", {"tags": ["serve", "gpu"], "outputs": ["opp"]}, r"did you mean op\?"),
        ("export", {}, r"looked for .* found frozen, saved_model"),
        ("nowhere", {}, r"there is no file, directory or checkpoint .*nowhere; .* has: .*checkpoints"),
        ("checkpoints/model.meta", {}, "a graph without weights: there is no model.index beside it"),
        ("run.json", {}, "is not a GraphDef, or is damaged"),
    ],
)
def test_what_cannot_be_opened(small_run, place, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        open_predictor(small_run / place, **options)


def test_names_as_a_string_are_refused(small_run) -> None:
    with pytest.raises(TypeError, match=r"such as \[op\]"):
        open_predictor(small_run, outputs="op")
    with pytest.raises(TypeError, match=r"such as \[gpu\]"):
        open_saved_model(small_run / "export/saved_model/3", "gpu")


def test_an_empty_directory_says_so(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"holds no checkpoint \(looked for .*; it is empty"):
        open_predictor(tmp_path)
