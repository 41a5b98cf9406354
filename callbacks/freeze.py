"""The frozen one-file ``.pb`` at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trainer import export, graph, trunks
from trainer.callback import Callback, Context, Phase
from trainer.checks import check_bool, check_choice, check_file_name, check_names, check_optional_choice
from trainer.runs.versions import versions
from trainer.state import WEIGHTS
from trainer.timing import utc_now

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext


class Freeze(Callback):
    """Writes graph and weights as one ``.pb`` with a manifest, read back before it counts.

    Output names are checked before the first step.

    Args:
        outputs: Names of nodes (``op`` or ``op:0``); None for the model's outputs.
        which: ``last`` for the variables at the end, ``best`` for those of the best checkpoint.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer keeps any.
        name: Name of the file, without ``.pb``.
        state: State of a model whose inference changes variables, such as a stateful RNN: ``initial`` for a file
            that starts each call from their initial values, ``refuse`` to refuse such a model.
        trust: Whether the file may do more than compute, such as read other files, if the model does.

    Raises:
        TypeError, ValueError: A value is out of range.

    Example:
        >>> Freeze(outputs=["op"], which="last").phase.name
        'EXPORT'
    """

    phase: ClassVar[Phase] = Phase.EXPORT
    may_be_cut = True

    def __init__(
        self,
        *,
        outputs: Sequence[str] | None = None,
        which: str = "last",
        weights: str | None = None,
        name: str = "model",
        state: str = "initial",
        trust: bool = False,
    ) -> None:
        self._outputs = None if outputs is None else check_names("outputs", outputs)
        self._which = check_choice("which", which, ("last", "best"))
        self.needs_best_checkpoint = which == "best"
        self._weights = check_optional_choice("weights", weights, WEIGHTS)
        self._name = check_file_name("name", name)
        self.writes = (f"export/frozen/{name}.pb",)
        self._state = check_choice("state", state, ("initial", "refuse"))
        self._trust = check_bool("trust", trust)

    def on_build(self, build: GraphContext) -> None:
        """Extracts the inference part, which finds wrong names and what cannot be frozen."""
        inference = build.inference
        export.check_state(self._state, inference)
        names = list(inference.outputs) if self._outputs is None else self._outputs
        nodes = export.check_outputs(names, build.graph, list(inference.outputs))
        self._part = export.extract_inference(build.graph, {**inference.inputs, **inference.labels}, nodes, self._trust)
        try:
            export.check_fits_a_pb(self._part)
        except ValueError as error:
            raise ValueError(f"{error}, and leave this callback out") from error
        export.tell_of_tables(self._part.tables)
        self._example = build.source.example
        self._averages = graph.chosen_averages(build.averages, self._weights)
        self._check = trunks.check_of_trunks(build.model, self._example)

    def on_train_end(self, context: Context) -> None:
        """Freezes."""
        weights = export.weights_for(self._which, context, self._part, self._example, self._averages)
        metadata: dict[str, Any] = {**weights.metadata, "versions": versions(), "created": utc_now()}
        target = context.run.frozen / f"{self._name}.pb"
        export.export_frozen(
            target, self._part, weights.read_values, self._example, weights.expected, metadata, self._check
        )
        context.run.add_export(target)
