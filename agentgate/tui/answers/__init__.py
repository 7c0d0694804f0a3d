"""Answers that hold longer than once: the sheet, what its keys do, and the list of those that stand."""
