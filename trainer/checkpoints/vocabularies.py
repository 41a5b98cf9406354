"""Vocabulary files of a run's look-up tables, compared with what they were when the run began; no TensorFlow."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from trainer.checkpoints.catalog import run_of
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.errors import RequestError
from trainer.files import sha256_of


def vocabulary_paths(checkpoint: StoredCheckpoint, graph_def: Any) -> set[str]:
    """Returns the names of constants that are paths of vocabulary files of the checkpoint's run, unchanged since then.

    Args:
        checkpoint: Checkpoint, of a run or not.
        graph_def: GraphDef of its ``.meta``, or a part of it.
    """
    run = run_of(checkpoint)
    known = {table["file"]: table.get("sha256") for table in (run.info().tables if run else ()) if table.get("file")}
    texts = {node.name: node.attr["value"].tensor.string_val for node in graph_def.node if node.op == "Const"}
    paths = {name: value[0].decode(errors="replace") for name, value in texts.items() if len(value) == 1}
    intact = {file for file, sha256 in known.items() if Path(file).is_file() and sha256_of(Path(file)) == sha256}
    return {name for name, path in paths.items() if path in intact}


def check_vocabularies(checkpoint: StoredCheckpoint, tables: Collection[str]) -> None:
    """Refuses a checkpoint whose graph would fill a table from a vocabulary file that is gone or has changed.

    Args:
        checkpoint: Checkpoint, of a run or not.
        tables: Names of the tables that are needed.

    Raises:
        RequestError: A file is not what it was.
    """
    run = run_of(checkpoint) if tables else None
    for table in run.info().tables if run else ():
        if table.get("table") not in tables or not table.get("file"):
            continue
        file = Path(table["file"])
        if not file.is_file() or sha256_of(file) != table.get("sha256"):
            what = "has changed" if file.is_file() else "is gone"
            raise RequestError(
                f"the vocabulary file {file} of the look-up table {table['table']!r} {what} since the run of "
                f"{checkpoint.prefix} began; put it back, or use an export of that run"
            )
