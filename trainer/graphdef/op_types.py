"""Kinds of ops, one list of each; no TensorFlow."""

from __future__ import annotations

import re

REQUIRED_PLACEHOLDERS = ("Placeholder", "PlaceholderV2")
"""Inputs that must be fed; ``PlaceholderV2`` (2016) is equivalent."""

OPTIONAL_PLACEHOLDER = "PlaceholderWithDefault"
"""Input with a default value."""

PLACEHOLDERS = (*REQUIRED_PLACEHOLDERS, OPTIONAL_PLACEHOLDER)

RESOURCE_VARIABLE = "VarHandleOp"
VARIABLE_OPS = (RESOURCE_VARIABLE, "VariableV2", "Variable")
"""Resource variables, and the reference variables of old graphs."""

SOURCE_OP = re.compile(
    r"Iterator|Dataset|Queue|Reader|^Optional(Get|Has)Value|^(OrderedMap|Map)?(Unstage|Stage$)|^RecordInput|^Barrier"
)
"""Ops that read data themselves; nodes that depend on them cannot be fed."""

TRAINING_OP = re.compile(
    rf"{SOURCE_OP.pattern}|PyFunc|^Assign|^Resource(Sparse)?Apply|^(Sparse)?Apply|^Scatter|^ResourceScatter|^Save|^Restore"
)
"""Ops with no place in an inference graph: input pipelines, calls into Python, updates of variables, file access."""

TABLE_OP = re.compile(r"HashTable(OfTensors)?(V2)?$")
"""Ops that make a look-up table."""

ANONYMOUS_TABLE_OP = re.compile(r"^Anonymous.*HashTable")
"""Ops that make a look-up table which no other call into the graph finds again."""

TABLE_INITIALIZER_OP = re.compile(r"^(InitializeTable|LookupTableImport)")
"""Ops that fill a look-up table; the table is their first input."""

TABLE_FILE_OP = re.compile(r"^InitializeTableFromTextFile")
"""Ops that fill a look-up table from a vocabulary file, whose path is their second input."""

TABLE_CHANGING_OP = re.compile(r"^LookupTable(Import|Insert|Remove)")
"""Ops that change the entries of a look-up table."""

INITIALIZER = "init_all_tables"
"""Name of the op that fills the tables of an export, the one of ``tf.compat.v1.tables_initializer``."""

RESTORE_OP = re.compile(r"^Restore(V2|Slice)?$")
"""Ops that read a checkpoint."""

NO_OUTPUT_OP = re.compile(
    r"^(Const|NoOp|Assert|Print(V2)?|Placeholder.*|.*Summary.*|Var.*|.*Variable.*|.*HashTable.*|(Write|Save|Delete|Close).*"
    r"|.*(Enqueue|Close)(Many)?(V2)?|InitializeTable.*|LookupTable(Import|Insert|Remove).*)$"
)
"""Ops whose values are not predictions."""

OUTPUT_COUNTS = {"TopK": 2, "TopKV2": 2, "Unique": 2, "UniqueV2": 2, "UniqueWithCounts": 3, "UniqueWithCountsV2": 3}
OUTPUT_COUNTS |= {"ListDiff": 2, "MaxPoolWithArgmax": 2, "Qr": 2, "SelfAdjointEigV2": 2, "Svd": 3, "Eig": 2, "Lu": 2}
OUTPUT_COUNTS |= {"NonMaxSuppressionV4": 2, "NonMaxSuppressionV5": 3, "CombinedNonMaxSuppression": 4}
OUTPUT_COUNTS |= {"CTCGreedyDecoder": 4, "LookupTableExportV2": 2, "LookupTableExport": 2}
"""Number of outputs of ops that have several results."""

OUTPUT_LISTS = {"Split": "num_split", "SplitV": "num_split", "Unpack": "num", "IdentityN": "T", "While": "T"}
OUTPUT_LISTS |= dict.fromkeys(("If", "StatelessIf", "Case", "StatelessCase"), "Tout") | {"StatelessWhile": "T"}
OUTPUT_LISTS |= dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall", "PyFunc"), "Tout")
"""Attributes that say how many outputs an op has."""

OLD_LOOP_OPS = ("Enter", "RefEnter")
"""Ops that begin a loop of TensorFlow 1."""

SAVER_SCOPE = re.compile(r"save(_\d+)?/")
"""Scope of a Saver's ops; a placeholder in it takes a file name."""

ROLLBACK_SCOPE = "rollback/"
"""Scope of the variables that this trainer's rollback uses."""

TRAINING_SCOPE = re.compile(r"gradients|save|train|report_uninitialized")
"""Prefixes of the names of ops that training and saving add to a graph."""
