"""Cells of work: make what is new, keep what is finished, on any machine."""
