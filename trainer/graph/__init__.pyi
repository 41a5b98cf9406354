from trainer.graph.averages import chosen_averages as chosen_averages
from trainer.graph.background_call import calls_left as calls_left
from trainer.graph.background_call import in_background as in_background
from trainer.graph.evaluation import Evaluation as Evaluation
from trainer.graph.evaluation import make_evaluations as make_evaluations
from trainer.graph.evaluation import prefix_of as prefix_of
from trainer.graph.learning_rates import rate_of_step as rate_of_step
from trainer.graph.optimizers import exclude_from_weight_decay as exclude_from_weight_decay
