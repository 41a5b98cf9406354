"""A training-loop framework for TensorFlow in graph mode; importing it imports nothing heavy."""

__version__ = "0.1.0"
