"""The public names of the framework; what is not here is private and may move."""

from trainer.api.fit import fit as fit
from trainer.api.result import Result as Result
from trainer.callback import Callback as Callback
from trainer.callback import Context as Context
from trainer.data.arrays import Arrays as Arrays
from trainer.errors import CallbackError as CallbackError
from trainer.errors import CheckpointError as CheckpointError
from trainer.errors import DamagedError as DamagedError
from trainer.errors import Interrupted as Interrupted
from trainer.errors import NonFiniteError as NonFiniteError
from trainer.errors import ReadBackError as ReadBackError
from trainer.errors import RequestError as RequestError
from trainer.errors import TrainerError as TrainerError
from trainer.export.keras_weights import load_into as load_into
from trainer.graph.optimizers.optimizer_parts import OptimizerPart as OptimizerPart
from trainer.graph.optimizers.optimizer_parts import Optimizers as Optimizers
from trainer.model import Model as Model
from trainer.predict.backends.dispatch import open_predictor as open_predictor
from trainer.predict.predictor import Predictor as Predictor
from trainer.schedule import Schedule as Schedule
from trainer.trunks.trunk import Trunk as Trunk
from trainer.warm_start import WarmStart as WarmStart

__version__: str
