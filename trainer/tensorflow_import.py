"""The import of TensorFlow, without its start-up noise."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping

from trainer.errors import RequestError, TrainerError
from trainer.timing import timed

OLDEST = {"tensorflow": (2, 16), "keras": (3, 10)}
"""Oldest versions that this trainer works with, as in ``pyproject.toml``; pip does not see a vendor's build."""

FIRST_QUIET_XLA = (2, 20)
"""First TensorFlow whose XLA obeys the log level; earlier ones log its first use at any level."""


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras and opens the devices, showing only what is of use.

    Raises:
        RequestError: Keras is set to another backend, or TensorFlow cannot be imported or is too old.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise RequestError(f"KERAS_BACKEND is {backend!r}; this trainer needs tensorflow: unset KERAS_BACKEND")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with timed("import TensorFlow and Keras"), stderr_kept_back():
        try:
            import tensorflow as tf
        except ImportError as error:
            raise RequestError(f"TensorFlow cannot be imported ({error}); pip install tensorflow") from error
        import keras  # imported here, where its noise is kept back too

        check_not_too_old({"tensorflow": tf.__version__, "keras": keras.__version__})
        tf.config.list_physical_devices()
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            # A number that is drawn: a constant is computed before XLA sees it.
            logs_xla = major_minor(tf.__version__) < FIRST_QUIET_XLA
            session.run(tf.function(lambda: tf.random.uniform([]), jit_compile=logs_xla)())
    # Graph mode is deprecated in TensorFlow's words, and it is what this trainer is for.
    tf.get_logger().setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*(deprecated|compat.v1).*", module=r"(tensorflow|keras)\..*")


def check_not_too_old(versions: Mapping[str, str]) -> None:
    """Checks the versions of TensorFlow and Keras.

    Args:
        versions: Version by the name of the package.

    Raises:
        RequestError: One is older than the oldest that this trainer works with.
    """
    for name, oldest in OLDEST.items():
        if major_minor(versions[name]) < oldest:
            needed = ".".join(map(str, oldest))
            remedy = f"pip install '{name}>={needed}'"
            raise RequestError(f"{name} {versions[name]} is too old: this trainer needs {needed} or newer; {remedy}")


def major_minor(version: str) -> tuple[int, int]:
    """Returns the first two numbers of a version.

    Example:
        >>> major_minor("2.16.2"), major_minor("2.22.0-dev20261101")
        ((2, 16), (2, 22))
    """
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


@contextlib.contextmanager
def stderr_kept_back() -> Iterator[None]:
    """Holds back what is written to file descriptor 2; shows it only if the block raises an unexpected error.

    The first lines come from C++ before any log level counts, so Python's own redirection misses them.
    """
    with contextlib.suppress(OSError):  # its reader may be gone
        sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, ValueError | TypeError | TrainerError):
                kept.seek(0)
                with contextlib.suppress(OSError):
                    os.write(saved, kept.read())
            raise
        finally:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
