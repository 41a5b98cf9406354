"""Kinds of ops: the one list of each; no TensorFlow."""

from __future__ import annotations

import re

REQUIRED_PLACEHOLDERS = ("Placeholder", "PlaceholderV2")
"""Inputs that must be fed; ``PlaceholderV2`` is of 2016 and does the same."""

OPTIONAL_PLACEHOLDER = "PlaceholderWithDefault"
"""An input with a value of its own."""

PLACEHOLDERS = (*REQUIRED_PLACEHOLDERS, OPTIONAL_PLACEHOLDER)

RESOURCE_VARIABLE = "VarHandleOp"
VARIABLE_OPS = (RESOURCE_VARIABLE, "VariableV2", "Variable")
"""Resource variables, and the reference variables of old graphs."""

SOURCE_OP = re.compile(r"Iterator|Dataset|Queue|Reader")
"""Ops that give data of their own accord: what depends on them cannot be fed."""

TRAINING_OP = re.compile(
    rf"{SOURCE_OP.pattern}|PyFunc|^Assign|^Resource(Sparse)?Apply|^(Sparse)?Apply|^Scatter|^ResourceScatter|^Save|^Restore"
)
"""Ops with no place in an inference graph: input pipelines, calls into Python, updates of variables, file access."""

LOOKUP_TABLE_OP = re.compile(r"HashTable|LookupTable")

TABLE_INITIALIZER_OP = re.compile(r"^(InitializeTable|LookupTableImport)")
"""Ops that fill a look-up table, which is their first input."""

NO_OUTPUT_OP = re.compile(r"^(Const|NoOp|Assert|Print|Placeholder.*|.*Summary.*|Var.*|.*Variable.*|.*HashTable.*)$")
"""Ops that give nothing a prediction is made for."""

SAVER_SCOPE = re.compile(r"save(_\d+)?/")
"""The scope of a Saver's ops; a placeholder there takes the name of a file."""

TRAINING_SCOPE = re.compile(r"gradients|save|train|report_uninitialized")
"""Beginnings of the names of ops that training and saving add to a graph."""
