"""Checkpoints: records, retention, the store of files (no TensorFlow), saving and restoring."""
