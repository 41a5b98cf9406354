"""Config: schema, checks that need no TensorFlow, and explanations of mistakes."""
