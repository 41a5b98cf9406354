"""TensorFlow sessions behind predictors, a format each, and ``open_predictor`` for all of them."""
