"""The import of TensorFlow, without its start-up noise, and the settings of its sessions."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.checks import check_bool, check_int, check_optional_int
from trainer.errors import RequestError, TrainerError
from trainer.timing import timed

OLDEST = {"tensorflow": (2, 16), "keras": (3, 10)}
"""Oldest versions that this trainer works with, as in ``pyproject.toml``; pip does not see a vendor's build."""

FIRST_QUIET_XLA = (2, 21)
"""First TensorFlow whose XLA obeys the log level; earlier ones log its first use at any level."""


@dataclass(frozen=True)
class SessionSettings:
    """Settings of all sessions of a process; TensorFlow has its threads and devices once.

    Args:
        soft_placement: Whether an op that is pinned to a device which this machine lacks runs on another one.
        memory_growth: Whether GPU memory is taken as it is needed, instead of all of it at the start.
        intra_op_threads: Threads that one op may use, or None for one a core. Other counts may add in another
            order, and so change the last bits of a result.
        inter_op_threads: Number of ops that may run at the same time, or None for one a core.
        visible_devices: Indices of the GPUs to use, or None for all; () for none.

    Raises:
        TypeError, ValueError: A value is of the wrong kind, or out of range.

    Example:
        >>> SessionSettings(visible_devices=[0]).visible_devices
        (0,)
    """

    soft_placement: bool = True
    memory_growth: bool = False
    intra_op_threads: int | None = None
    inter_op_threads: int | None = None
    visible_devices: Sequence[int] | None = None

    def __post_init__(self) -> None:
        check_bool("session.soft_placement", self.soft_placement)
        check_bool("session.memory_growth", self.memory_growth)
        check_optional_int("session.intra_op_threads", self.intra_op_threads, minimum=1)
        check_optional_int("session.inter_op_threads", self.inter_op_threads, minimum=1)
        if self.visible_devices is not None:
            if isinstance(self.visible_devices, str | int):
                raise TypeError(
                    f"session.visible_devices ({self.visible_devices!r}) must be a list of GPU numbers, such as [0]"
                )
            for index in self.visible_devices:
                check_int("session.visible_devices", index, minimum=0)
            object.__setattr__(self, "visible_devices", tuple(self.visible_devices))


def import_tensorflow(settings: SessionSettings | None = None) -> None:
    """Imports TensorFlow and Keras and opens the devices, showing only what is of use.

    Args:
        settings: Settings of all sessions of the process; None for the defaults.

    Raises:
        RequestError: Keras is set to another backend, TensorFlow cannot be imported or is too old, or the settings
            name a device that is not there.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise RequestError(f"KERAS_BACKEND is {backend!r}; this trainer needs tensorflow: unset KERAS_BACKEND")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with timed("importing TensorFlow and Keras"), stderr_kept_back():
        try:
            import tensorflow as tf
        except ImportError as error:
            raise RequestError(f"TensorFlow cannot be imported ({error}); pip install tensorflow") from error
        import keras  # imported here, where its noise is kept back too

        check_not_too_old({"tensorflow": tf.__version__, "keras": keras.__version__})
        _configure(tf, settings or SessionSettings())
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            # A number that is drawn: a constant is computed before XLA sees it.
            logs_xla = major_minor(tf.__version__) < FIRST_QUIET_XLA
            session.run(tf.function(lambda: tf.random.uniform([]), jit_compile=logs_xla)())
    # Graph mode is deprecated in TensorFlow's words, and it is what this trainer is for.
    tf.get_logger().setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*(deprecated|compat.v1).*", module=r"(tensorflow|keras)\..*")


def ensure_tensorflow() -> None:
    """Imports TensorFlow with the default settings, unless this process has it with settings of its own."""
    if "tensorflow" not in sys.modules:
        import_tensorflow()


def _configure(tf: Any, settings: SessionSettings) -> None:
    """Sets TensorFlow's own defaults, which hold for every session that is given no config, those of Keras included."""
    tf.config.set_soft_device_placement(settings.soft_placement)
    gpus = tf.config.list_physical_devices("GPU")
    if missing := [index for index in settings.visible_devices or () if index >= len(gpus)]:
        raise RequestError(
            f"session.visible_devices names the GPU {missing[0]}, and this machine has "
            f"{len(gpus) or 'none'}{': 0' if len(gpus) == 1 else f': 0 to {len(gpus) - 1}' if gpus else ''}"
        )
    try:
        for threads, setter in (
            (settings.intra_op_threads, tf.config.threading.set_intra_op_parallelism_threads),
            (settings.inter_op_threads, tf.config.threading.set_inter_op_parallelism_threads),
        ):
            if threads is not None:
                setter(threads)
        if settings.visible_devices is not None:
            gpus = [gpus[index] for index in settings.visible_devices]
            tf.config.set_visible_devices(gpus, "GPU")
        for gpu in gpus if settings.memory_growth else ():
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise RequestError(
            f"the settings under session cannot be changed any more ({error}): a module of yours has used TensorFlow "
            "before; make tensors inside the functions and classes that the config names"
        ) from error


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
            if isinstance(error, Exception) and not isinstance(error, ValueError | TypeError | TrainerError):
                kept.seek(0)
                with contextlib.suppress(OSError):
                    os.write(saved, kept.read())
            raise
        finally:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
