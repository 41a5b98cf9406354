from trainer.training.preparation import prepare as prepare
from trainer.training.train import train_job as train_job
