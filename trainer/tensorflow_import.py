"""The import of TensorFlow, without its start-up noise."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

from trainer.errors import RequestError, TrainerError
from trainer.timing import timed


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras and opens the devices, showing only what is of use.

    Raises:
        RequestError: Keras is set to another backend, or TensorFlow cannot be imported.
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
        import keras  # noqa: F401 - imported here, where its noise is kept back too

        tf.config.list_physical_devices()
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            # A number that is drawn: a constant is computed before XLA sees it.
            draw = tf.function(lambda: tf.random.uniform([]), jit_compile=_logs_first_use_of_xla(tf.__version__))
            session.run(draw())
    # Graph mode is deprecated in TensorFlow's words, and it is what this trainer is for.
    tf.get_logger().setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*(deprecated|compat.v1).*", module=r"(tensorflow|keras)\..*")


def _logs_first_use_of_xla(tensorflow: str) -> bool:
    """Returns whether XLA logs its first use at any log level, as it does up to TensorFlow 2.19.

    Example:
        >>> _logs_first_use_of_xla("2.18.1"), _logs_first_use_of_xla("2.21.0-dev20261101")
        (True, False)
    """
    major, minor = tensorflow.split(".")[:2]
    return (int(major), int(minor)) < (2, 20)


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
