"""Training that reaches its aim."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests.helpers import Line, run
from trainer.errors import TrainerError


def test_training_finds_the_plane(tmp_path) -> None:
    assert run(tmp_path / "run", {}, epochs=60).metrics["loss"] < 1e-2


class Worded(Line):
    """Model with a vocabulary that is not there."""

    def __init__(self) -> None:
        super().__init__()
        words = tf.lookup.TextFileInitializer("/no/vocabulary.txt", tf.string, 0, tf.int64, 1)
        self.table = tf.lookup.StaticHashTable(words, 0)


class Huge(Line):
    """Model with a variable that no machine holds."""

    def __init__(self) -> None:
        super().__init__()
        tf.compat.v1.get_variable("big", [1 << 20, 1 << 24], trainable=False)


@pytest.mark.parametrize(("model", "cause"), [(Worded, "'/no/vocabulary.txt' of the look-up table"), (Huge, "free")])
def test_a_run_that_cannot_be_initialised_leaves_nothing(tmp_path, model, cause) -> None:
    with pytest.raises(TrainerError, match=cause) as caught:
        run(tmp_path / "run", make_model=model)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()
