from trainer.training.train import train_job as train_job
