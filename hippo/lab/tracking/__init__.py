"""The MLflow store and the tracked runs."""
