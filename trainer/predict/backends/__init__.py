"""TensorFlow sessions behind predictors, one module for each format, and ``open_predictor`` for all formats."""
