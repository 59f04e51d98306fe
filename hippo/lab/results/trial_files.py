"""Files of one trial that figures plot: its history and its reconstructed signal."""

from pathlib import Path

import pandas as pd


def read_history(folder: Path) -> pd.DataFrame | None:
    """Read history.csv of a trial: one line per epoch, with the column `epoch`. None if the trial has no history."""
    path = folder / "history.csv"
    return pd.read_csv(path) if path.exists() else None


def read_reconstruction(folder: Path) -> pd.DataFrame | None:
    """Read reconstruction.csv of a trial: columns `sample`, `signal`, `reconstructed`. None without such a file."""
    path = folder / "reconstruction.csv"
    return pd.read_csv(path) if path.exists() else None
