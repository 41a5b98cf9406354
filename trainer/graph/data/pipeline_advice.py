"""Remedies for a data pipeline that keeps training waiting, by the types of its ops."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from trainer.graph.data.batching import BATCHES
from trainer.graphdef.traverse import needed_functions, reads_of, upstream

FOR_EACH_EXAMPLE = (
    (
        {"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"},
        "call Python once for a batch and not for each example (a generator may yield batches: batched=true)",
    ),
    (
        {"ParseSingleExample", "ParseExample", "ParseExampleV2", "DecodeCSV"},
        "parse after batching (tf.io.parse_example and tf.io.decode_csv take whole batches)",
    ),
)
"""Types of ops that are slow before the examples are put into batches, and what to do about them."""

IN_SEQUENCE = {"MapDataset"}
IN_PARALLEL = "map with num_parallel_calls=tf.data.AUTOTUNE"
CACHE = "cache() what fits into memory"
ALWAYS = "keep the data in memory"


def remedies_for(graph: Any) -> list[str]:
    """Returns what could make the data pipelines of a graph faster, the most useful first."""
    graph_def = graph.as_graph_def()
    reads = reads_of(graph_def)

    def types_before(ends: set[str]) -> set[str]:
        needed = set(upstream(reads, [node.name for node in graph_def.node if node.op in ends]))
        nodes = [node for node in graph_def.node if node.name in needed]
        functions = needed_functions(graph_def.library, nodes)
        return {node.op for node in [*nodes, *(each for function in functions for each in function.node_def)]}

    return remedies(types_before({"MakeIterator"}), types_before(set(BATCHES)))


def remedies(op_types: Collection[str], of_examples: Collection[str]) -> list[str]:
    """Returns what could make a pipeline faster, the most useful first.

    Args:
        op_types: Types of its ops, those in its functions included.
        of_examples: Types of those that run before the examples are put into batches.

    Example:
        >>> remedies({"ParallelMapDatasetV2", "DecodeCSV", "BatchDatasetV2", "CacheDatasetV2"}, {"DecodeCSV"})[0][:20]
        'parse after batching'
    """
    found = [text for types, text in FOR_EACH_EXAMPLE if types & set(of_examples)]
    found += [IN_PARALLEL] if IN_SEQUENCE & set(op_types) else []
    is_cached = any(each.startswith("CacheDataset") for each in op_types)
    return [*found, *([] if is_cached else [CACHE]), ALWAYS]
