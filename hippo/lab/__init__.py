"""The laboratory: what one trial is, how it runs, how it is tracked, and what becomes of its numbers."""
