"""Contents of a trial folder: checkpoints, provenance, outcome."""
