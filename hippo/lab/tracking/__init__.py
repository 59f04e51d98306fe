"""The MLflow store and the runs of trials and sweeps in it."""
