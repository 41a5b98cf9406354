"""Checkpoints: records, retention, pins and the store of files (no TensorFlow); saving, inspecting, averaging."""
