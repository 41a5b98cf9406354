"""The config: its schema, checks that need no TensorFlow, and answers to what is wrong with it."""
