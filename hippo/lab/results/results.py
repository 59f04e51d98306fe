"""Results: everything that the trials of one experiment left, collected once. Formatters receive it."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hippo.lab.plan.experiment import Experiment
from hippo.lab.results.claims import Claim, check_claims
from hippo.lab.results.outcomes import collect_outcomes
from hippo.lab.results.progress import Progress, read_progress
from hippo.lab.results.significance import collect_scores
from hippo.lab.results.sweeps import Choice, collect_choices, collect_curve
from hippo.lab.results.trial_files import read_history, read_reconstruction
from hippo.lab.results.verdicts import collect_cells
from hippo.lab.trials.status import Status


@dataclass(frozen=True)
class Results:
    """Results of one experiment at one scale.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    trials : Path
        Folder of all trials of the scale, from which the results were collected.
    outcomes : DataFrame
        One line per trial: axes, status, numbers (`outcomes.collect_outcomes`).
    cells : DataFrame
        One line per variant, model and metric: mean, deviation, the paper's value, verdict (`verdicts.collect_cells`).
    scores : DataFrame
        One line per pair of variant and seed, one column per model (`significance.collect_scores`).
    curve : DataFrame
        One line per variant, model and value of a sweep (`sweeps.collect_curve`); empty without a sweep.
    choices : tuple of Choice
        Settings that the experiment file says a sweep has chosen.
    claims : tuple of Claim
        Claims of the experiment file with their verdicts (`claims.check_claims`).
    """

    experiment: Experiment
    trials: Path
    outcomes: pd.DataFrame
    cells: pd.DataFrame
    scores: pd.DataFrame
    curve: pd.DataFrame
    choices: tuple[Choice, ...]
    claims: tuple[Claim, ...]

    def select(self, variant: str, model: str) -> pd.DataFrame:
        """Return the outcomes of all seeds of one variant and model."""
        return self.outcomes[(self.outcomes["variant"] == variant) & (self.outcomes["model"] == model)]

    def cell(self, variant: str, model: str, metric: str) -> pd.Series:
        """Return the statistics of one number."""
        cells = self.cells
        own = (cells["variant"] == variant) & (cells["model"] == model) & (cells["metric"] == metric)
        return cells[own].iloc[0]

    def histories(self, variant: str, model: str) -> list[pd.DataFrame]:
        """Read the histories of the seeds that finished or diverged: one line per epoch, with the column `epoch`."""
        own = self.select(variant, model)  # histories of other states may be of other settings
        folders = own.loc[own["status"].isin((Status.FINISHED, Status.DIVERGED)), "folder"]
        found = [read_history(self.trials / folder) for folder in folders]
        return [history for history in found if history is not None]

    def reconstruction(self, folder: str) -> pd.DataFrame | None:
        """Read the reconstructed signal of a trial (`folder` of its outcome); None if there is none."""
        return read_reconstruction(self.trials / folder)

    def progress(self) -> list[Progress | None]:
        """Read the progress of every trial, in the order of the outcomes; None for a trial that was not started."""
        statuses = self.outcomes["status"].fillna(Status.DAMAGED)
        pairs = zip(self.experiment.trials(), statuses, strict=True)
        return [read_progress(trial, self.trials / trial.name, status) for trial, status in pairs]


def collect_results(experiment: Experiment, trials: Path) -> Results:
    """Collect the results of an experiment from the folders of its trials.

    Parameters
    ----------
    experiment : Experiment
        The experiment at one scale.
    trials : Path
        Folder of all trials of that scale, for example results/quick/trials.

    Raises
    ------
    ConfigError
        If a sweep that the experiment file names has no file.
    """
    outcomes = collect_outcomes(experiment, trials)
    return Results(
        experiment=experiment,
        trials=trials,
        outcomes=outcomes,
        cells=collect_cells(experiment, outcomes),
        scores=collect_scores(experiment, outcomes),
        curve=collect_curve(experiment, outcomes) if experiment.spec.sweep else pd.DataFrame(),
        choices=collect_choices(experiment, trials),
        claims=check_claims(experiment, outcomes),
    )
