"""Sources of batches; only ``tfrecord`` needs TensorFlow, and imports it when it is read."""
