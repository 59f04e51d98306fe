"""Collected outcomes of an experiment, their statistics and verdicts."""
