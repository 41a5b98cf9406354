from trainer.predict.dispatch import open_predictor as open_predictor
