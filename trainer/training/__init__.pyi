from trainer.training.layer_table import table_of_layers as table_of_layers
from trainer.training.preparation import prepare as prepare
from trainer.training.train import train_job as train_job
