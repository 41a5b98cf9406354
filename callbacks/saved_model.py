"""The SavedModel at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trainer import export, graph
from trainer.callback import Callback, Context, Phase
from trainer.checks import check_bool, check_choice, check_names, check_optional_choice
from trainer.runs.versions import versions
from trainer.state import WEIGHTS
from trainer.timing import utc_now

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext

SERVE = "serve"
"""The tag that TensorFlow Serving and most loaders ask for."""


class SavedModel(Callback):
    """Writes ``export/saved_model/<number>/`` in TF Serving's layout, read back before it counts.

    Args:
        tags: Tags of the meta graph; ``serve`` is added.
        which: ``last`` for the variables at the end, ``best`` for those of the best checkpoint.
        state: State of a model whose inference changes variables, such as a stateful RNN: ``initial`` for an export
            that starts each call from their initial values, ``refuse`` to refuse such a model.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer keeps any.
        trust: Whether the export may do more than compute, such as read other files, if the model does.

    Raises:
        TypeError: The tags are a string, whose letters would become tags.
        ValueError: The value of which is not known.

    Example:
        >>> SavedModel(tags=["gpu"]).tags
        ('serve', 'gpu')
    """

    phase: ClassVar[Phase] = Phase.EXPORT
    may_be_cut = True
    writes = ("export/saved_model",)

    def __init__(
        self,
        *,
        tags: Sequence[str] = (),
        which: str = "last",
        weights: str | None = None,
        state: str = "initial",
        trust: bool = False,
    ) -> None:
        self.tags = tuple(dict.fromkeys([SERVE, *check_names("tags", tags)]))
        self._which = check_choice("which", which, ("last", "best"))
        self.needs_best_checkpoint = which == "best"
        self._weights = check_optional_choice("weights", weights, WEIGHTS)
        self._state = check_choice("state", state, ("initial", "refuse"))
        self._trust = check_bool("trust", trust)

    def on_build(self, build: GraphContext) -> None:
        """Extracts the inference part, which finds what cannot be exported."""
        export.check_state(self._state, build.inference)
        self._part = export.extract_inference(
            build.graph, build.inference.inputs, list(build.inference.outputs), self._trust
        )
        self._example = build.source.example
        self._averages = graph.chosen_averages(build.averages, self._weights)

    def on_train_end(self, context: Context) -> None:
        """Exports."""
        weights = export.weights_for(self._which, context, self._part, self._example, self._averages)
        target = context.run.saved_model / str(weights.number)
        metadata: dict[str, Any] = {**weights.metadata, "versions": versions(), "created": utc_now()}
        export.export_saved_model(
            target, self._part, weights.read_values, self._example, weights.expected, self.tags, metadata
        )
        context.run.add_export(target)
