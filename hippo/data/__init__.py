"""Datasets: where they come from, and one file for each."""
