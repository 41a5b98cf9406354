"""Settings of the sessions of a process, read back from TensorFlow."""

from __future__ import annotations

import json

import pytest

from tests.processes import python
from trainer.tensorflow_import import SessionSettings

READ = """
import json, sys
from trainer.tensorflow_import import SessionSettings, import_tensorflow
import_tensorflow(SessionSettings(**json.loads(sys.argv[1])))
import tensorflow as tf
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    config = session._config
threads = config.intra_op_parallelism_threads, config.inter_op_parallelism_threads
print(json.dumps([config.allow_soft_placement, *threads]))
"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [True, 0, 0]),
        (
            {"soft_placement": False, "intra_op_threads": 1, "inter_op_threads": 3, "visible_devices": []},
            [False, 1, 3],
        ),
    ],
)
def test_every_session_of_the_process_has_them(tmp_path, settings, expected) -> None:
    done = python("-c", READ, json.dumps(settings), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


def test_a_gpu_that_is_not_there_is_refused(tmp_path) -> None:
    done = python("-c", READ, '{"visible_devices": [99]}', cwd=tmp_path)
    assert "RequestError: session.visible_devices names the GPU 99, and this machine has" in done.stderr


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"soft_placement": "yes"}, "session.soft_placement ('yes') must be true or false"),
        ({"intra_op_threads": 0}, "session.intra_op_threads (0) must be at least 1"),
        ({"inter_op_threads": 1.5}, "session.inter_op_threads (1.5) must be a whole number"),
        ({"visible_devices": 0}, "such as [0]"),
        ({"visible_devices": [-1]}, "session.visible_devices (-1) must be at least 0"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(settings, refused) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        SessionSettings(**settings)
    assert refused in str(caught.value)
