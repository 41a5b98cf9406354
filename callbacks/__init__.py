"""The callbacks that come with the trainer, one a file; importing them imports no TensorFlow."""
