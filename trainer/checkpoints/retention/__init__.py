"""Retention of checkpoints: policy, rotation, pins, pruning."""
