"""Experiment files, their schema and validation, and trial specifications."""
