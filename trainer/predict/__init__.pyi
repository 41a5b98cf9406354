from trainer.predict.backends.dispatch import open_predictor as open_predictor
