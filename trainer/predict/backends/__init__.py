"""TensorFlow sessions behind predictors: a format each."""
