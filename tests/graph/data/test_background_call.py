"""Calls in another thread."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
import tensorflow as tf

from trainer.errors import Interrupted
from trainer.graph.data.background_call import closing_in_time, in_background
from trainer.training.signals import Signals

v1 = tf.compat.v1


def test_an_error_of_the_call_is_raised_here() -> None:
    with pytest.raises(KeyError, match="name"):
        in_background(lambda: {}["name"])


def test_a_call_without_end_is_given_up() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError, match="not ended after 0 s"):
        in_background(never.wait, limit_secs=0.2)


def test_a_signal_is_noticed_during_a_call_into_tensorflow() -> None:
    """The session is closed meanwhile, which ends the call."""
    with tf.Graph().as_default(), Signals() as signals, pytest.raises(Interrupted):
        element = v1.data.make_one_shot_iterator(tf.data.Dataset.range(2).repeat().filter(lambda i: i > 5)).get_next()
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        with closing_in_time(v1.Session()) as session, signals.at_once():
            in_background(lambda: session.run(element))


def test_the_close_of_a_session_does_not_wait_for_python_code() -> None:
    began = time.monotonic()
    woken = threading.Event()
    with tf.Graph().as_default():
        slow = tf.numpy_function(lambda: float(woken.wait(60)), [], tf.float64)
        with pytest.raises(TimeoutError), closing_in_time(v1.Session()) as session:
            in_background(lambda: session.run(slow), limit_secs=0.2)
    assert time.monotonic() - began < 20
    woken.set()
