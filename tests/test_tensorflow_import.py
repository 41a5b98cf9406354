"""TensorFlow and Keras: those that work, silently; those that do not, by name."""

from __future__ import annotations

import re

import pytest

from tests.processes import ROOT, python
from trainer.errors import RequestError
from trainer.tensorflow_import import OLDEST, check_not_too_old


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
