"""Attention net for lines of text: words in, a word out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from trainer.checks import check_int, check_names
from trainer.errors import RequestError
from trainer.model import Tensors

v1 = tf.compat.v1

UNKNOWN = 64
"""Number of rows that words outside the vocabulary share."""


class TextClassifier:
    """Model that answers a line of text with one of some words.

    Words are looked up in a table, their vectors attend to each other once, and a mean of them by a learnt weight
    gives the logits. A second table turns the greatest one into the answer.

    Args:
        vocabulary: Words, or the path of a file with a word a line, which a SavedModel copies as an asset.
        answers: Words to answer with, the classes.
        size: Length of the vectors of words.
        max_words: Maximum number of words of a line that are read.

    Raises:
        TypeError, ValueError: A number is not a positive whole number, or a list is empty.
        RequestError: There is no such file.

    Example:
        >>> with tf.Graph().as_default():
        ...     model = TextClassifier(["a", "file", "point"], ["tarfile", "turtle"], size=4)
        ...     outputs = model({"line": tf.constant(["Draw a point.", "Open a file"])}, training=False)
        ...     outputs["guess"].dtype.name, outputs["logits"].shape.as_list()
        ('string', [2, 2])
    """

    def __init__(
        self, vocabulary: Sequence[str] | str, answers: Sequence[str], size: int = 32, max_words: int = 20
    ) -> None:
        size = check_int("model.size", size, minimum=1)
        self._max_words = check_int("model.max_words", max_words, minimum=1)
        answers = _not_empty("model.answers", answers)
        entries, count = _numbered(vocabulary)
        self._ids = tf.lookup.StaticVocabularyTable(entries, UNKNOWN)
        numbers = tf.range(len(answers), dtype=tf.int64)
        self._number_of = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(answers, numbers), -1)
        self._answer_of = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(numbers, answers), "")
        near_zero = v1.random_normal_initializer(stddev=0.1)
        self._words = v1.get_variable("words", [count + UNKNOWN, size], initializer=near_zero)
        self._places = v1.get_variable("places", [max_words, size], initializer=near_zero)
        self._attention = v1.get_variable("attention", [size, 3 * size])
        self._weight = v1.get_variable("weight", [size, 1])
        self._kernel = v1.get_variable("kernel", [size, len(answers)])
        self._bias = v1.get_variable("bias", [len(answers)], initializer=v1.zeros_initializer())

    def __call__(self, inputs: Tensors, training: bool) -> Tensors:
        """Returns ``logits`` and ``probabilities`` [batch, answers] and ``guess`` [batch] of ``line`` [batch]."""
        del training
        words, there = self._split(inputs["line"])
        vectors = tf.gather(self._words, self._ids.lookup(words)) + self._places[: tf.shape(words)[1]]
        queries, keys, values = tf.split(vectors @ self._attention, 3, axis=-1)
        scores = tf.matmul(queries, keys, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(keys)[-1], tf.float32))
        vectors += tf.nn.softmax(_masked(scores, there[:, None, :])) @ values
        weights = tf.nn.softmax(_masked((tf.nn.tanh(vectors) @ self._weight)[..., 0], there))
        logits = tf.reduce_sum(weights[..., None] * vectors, 1) @ self._kernel + self._bias
        guess = self._answer_of.lookup(tf.argmax(logits, axis=1))
        return {"logits": logits, "probabilities": tf.nn.softmax(logits), "guess": guess}

    def _split(self, lines: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the words [batch, words], padded, and which of them are there; a line has one at least."""
        plain = tf.strings.regex_replace(tf.strings.lower(lines), "[^a-z0-9_]+", " ")
        words = tf.strings.split(plain)[:, : self._max_words].to_tensor("")
        words = tf.cond(tf.shape(words)[1] > 0, lambda: words, lambda: tf.fill([tf.shape(lines)[0], 1], ""))
        return words, tf.not_equal(words, "")

    def loss(self, outputs: Tensors, labels: Tensors) -> tf.Tensor:
        """Returns the mean cross entropy of ``logits`` and the number of ``module``."""
        numbers = self._number_of.lookup(labels["module"])
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=numbers, logits=outputs["logits"]))

    def metrics(self, outputs: Tensors, labels: Tensors) -> Tensors:
        """Returns ``accuracy``: the share of lines with the right answer."""
        return {"accuracy": tf.reduce_mean(tf.cast(tf.equal(outputs["guess"], labels["module"]), tf.float32))}


def _masked(scores: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
    return tf.where(there, scores, -1e9)


def _not_empty(argument: str, words: Sequence[str]) -> list[str]:
    found = list(check_names(argument, words))
    if not found:
        raise ValueError(f"{argument} is empty; name one word at least")
    return found


def _numbered(vocabulary: Sequence[str] | str) -> tuple[tf.lookup.TextFileInitializer, int]:
    """Returns the entries of a table from words to their numbers, and the number of words."""
    if not isinstance(vocabulary, str):
        words = _not_empty("model.vocabulary", vocabulary)
        return tf.lookup.KeyValueTensorInitializer(words, tf.range(len(words), dtype=tf.int64)), len(words)
    try:
        count = len(Path(vocabulary).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"model.vocabulary: {vocabulary} cannot be read ({error})") from error
    column = tf.lookup.TextFileIndex
    file = tf.lookup.TextFileInitializer(vocabulary, tf.string, column.WHOLE_LINE, tf.int64, column.LINE_NUMBER)
    return file, count
