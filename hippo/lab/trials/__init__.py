"""Contents of a trial folder: outcome, process, failure, checkpoints, provenance. Only `checkpoints` imports torch."""
