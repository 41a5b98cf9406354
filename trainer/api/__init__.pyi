from trainer.api.data import describe_data as describe_data
from trainer.api.data import source_of as source_of
from trainer.api.given import given_model as given_model
from trainer.api.optimizers import describe_optimizer as describe_optimizer
from trainer.api.optimizers import maker_of_optimizer as maker_of_optimizer
