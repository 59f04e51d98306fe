"""Long Range Arena: one file for each task's dataset, and the generators of two of them."""
