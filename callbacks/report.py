"""A report at the end of a run: one HTML file and a PNG."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from trainer import graph, report
from trainer.callback import Callback, Context, Phase
from trainer.checks import check_bool, check_file_name, check_optional_choice, check_optional_int
from trainer.errors import TrainerError, describe
from trainer.files import format_size
from trainer.state import WEIGHTS

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext
    from trainer.report.labelled import Spec

log = logging.getLogger(__name__)


class Report(Callback):
    """Writes ``report.html`` and ``report.png`` into the run directory, however the run ends.

    A run that ends in good order is followed by one more pass over its validation part, for the confusion matrix and
    the worst examples; it is kept in ``report-data.npz``, from which ``graph-trainer report`` draws them again. Where
    the data has several validation parts, it is the first.

    Args:
        name: Name of the two files, without suffix.
        validation: Whether the pass over the validation part is made.
        max_examples: Maximum number of validation examples in it; None for all.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer keeps any.

    Raises:
        TypeError, ValueError: A value is out of range.

    Example:
        >>> Report(max_examples=10_000).phase.name
        'EXPORT'
    """

    phase: ClassVar[Phase] = Phase.EXPORT
    may_be_cut = True

    def __init__(
        self,
        *,
        name: str = "report",
        validation: bool = True,
        max_examples: int | None = None,
        weights: str | None = None,
    ) -> None:
        self._name = check_file_name("name", name)
        self._validation = check_bool("validation", validation)
        self._max_examples = check_optional_int("max_examples", max_examples, minimum=1)
        self._weights = check_optional_choice("weights", weights, WEIGHTS)
        self.writes = (f"{name}.html",)
        self._run: Path | None = None
        self._build: GraphContext | None = None

    def on_build(self, build: GraphContext) -> None:
        """Checks that the packages are installed, and finds the label and the output to compare."""
        report.check_extra()
        self._averages = graph.chosen_averages(build.averages, self._weights)
        self._build = build
        source = build.source
        weights = source.structure.weights({name: name for name in source.labels})
        labels = {name: spec for name, spec in source.labels.items() if name != weights}
        outputs = build.inference.outputs
        self._pairing, self._note = report.summary_for(_specs(source.inputs), _specs(labels), _specs(outputs))

    def on_train_begin(self, context: Context) -> None:
        """Notes the run directory, so that a run that fails has a report too."""
        self._run = context.run.path

    def on_train_end(self, context: Context) -> None:
        """Passes over the validation part."""
        if not self._validation or self._build is None:
            return
        summary = report.ValidationSummary(note=self._note or "the data has no validation part")
        if self._pairing is not None and self._build.source.validation:
            tally = report.Tally(self._pairing)
            with self._averages.in_place(context.session) if self._averages else contextlib.nullcontext():
                for batch in self._batches(context.session):
                    tally.add(*batch)
            summary = tally.summary(context.record.epoch)
        report.store_summary(context.run.path, summary)

    def _batches(self, session: Any) -> Iterator[tuple[Any, ...]]:
        """Yields labels, outputs and images of batches, until there are enough examples."""
        build, pairing = self._build, self._pairing
        if build is None or pairing is None:
            return
        part, examples = next(iter(build.source.validation.values())), 0
        for batch, outputs in graph.validation_outputs(build, part, [pairing.output], session):
            left = None if self._max_examples is None else self._max_examples - examples
            images = None if pairing.image is None else batch[pairing.image][:left]
            yield batch[pairing.label][:left], outputs[pairing.output][:left], images
            examples += len(batch[pairing.label])
            if left is not None and len(batch[pairing.label]) >= left:
                return

    def close(self) -> None:
        """Writes the report, when ``run.json`` says how the run ended; the run's end does not depend on it."""
        run, self._run, self._build = self._run, None, None
        if run is None:
            return
        target = run / f"{self._name}.html"
        try:
            report.write_report([run], target, datetime.now(timezone.utc), verify=False)
        except (TrainerError, OSError) as error:
            log.warning("no report: %s", describe(error))
        else:
            log.info("report: %s (%s)", target, format_size(target.stat().st_size))


def _specs(tensors: Any) -> dict[str, Spec]:
    """Returns names of dtypes, and shapes, of tensors or specs; one of an unknown rank has none."""
    return {
        name: (each.dtype.name, tuple(each.shape.as_list()))
        for name, each in tensors.items()
        if each.shape.rank is not None
    }
