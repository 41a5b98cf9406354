"""Ops, variables and objects of a graph: found, named, replaced and copied."""
