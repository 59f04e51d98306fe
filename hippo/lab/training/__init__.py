"""Training of one trial."""
