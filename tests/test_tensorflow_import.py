"""TensorFlow and Keras: those that work, silently; those that do not, by name; the settings of the sessions."""

from __future__ import annotations

import json
import re

import pytest

from tests.processes import ROOT, python
from trainer.errors import RequestError
from trainer.tensorflow_import import OLDEST, SessionSettings, check_not_too_old

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


@pytest.mark.parametrize(
    "versions",
    [
        {"tensorflow": "2.16.0", "keras": "3.10.0"},
        {"tensorflow": "2.16.0rc1", "keras": "3.10.0"},
        {"tensorflow": "2.22.0-dev20261101", "keras": "3.15.1.dev2026"},
        {"tensorflow": "3.0.0", "keras": "4.0"},
        {"tensorflow": "2.17.0+nv24.8", "keras": "3.12.4"},
    ],
)
def test_a_version_that_works(versions) -> None:
    check_not_too_old(versions)


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({"tensorflow": "2.15.1", "keras": "2.15.0"}, "tensorflow 2.15.1 is too old: this trainer needs 2.16 or newer"),
        ({"tensorflow": "2.9.0", "keras": "3.12.4"}, "tensorflow 2.9.0 is too old"),
        ({"tensorflow": "2.16.2", "keras": "3.3.3"}, r"keras 3.3.3 is too old.*pip install 'keras>=3.10'"),
    ],
)
def test_a_version_that_is_too_old_is_named(versions, words) -> None:
    with pytest.raises(RequestError, match=words):
        check_not_too_old(versions)


@pytest.mark.parametrize("file", ["pyproject.toml", "requirements-base.txt"])
def test_the_oldest_versions_are_those_that_pip_is_told(file) -> None:
    told = dict(re.findall(r'^ *"?(tensorflow|keras)>=(\d+\.\d+)', (ROOT / file).read_text(), re.MULTILINE))
    oldest = {name: f"{major}.{minor}" for name, (major, minor) in OLDEST.items()}
    assert told == {name: version for name, version in oldest.items() if name in told}
    assert "keras" in told


def test_the_first_use_of_tensorflow_and_of_xla_is_silent(tmp_path) -> None:
    done = python("-c", USES_XLA, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3.0\n", "")


USES_XLA = """
from trainer.tensorflow_import import import_tensorflow
import_tensorflow()
import tensorflow as tf
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    fed = tf.compat.v1.placeholder(tf.float32, [])
    print(session.run(tf.function(lambda x: x + 1, jit_compile=True)(fed), {fed: 2.0}))
"""
