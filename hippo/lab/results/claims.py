"""Claims of the papers, checked on the numbers of a table: they hold, fail, or are undecided for a stated reason."""

import math
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from hippo.lab.plan.experiment import Experiment
from hippo.lab.plan.schema import ClaimSpec
from hippo.lab.results.verdicts import interval
from hippo.lab.trials.status import Status

Verdict = Literal["holds", "fails", "undecided"]
# The first that any comparison has is the claim's.
CLAIM_VERDICTS: tuple[Verdict, ...] = ("fails", "undecided", "holds")


@dataclass(frozen=True)
class Comparison:
    """One number that a claim is about, in one variant.

    Parameters
    ----------
    variant : str
        The variant.
    against : str
        The other model; empty for a bound.
    value, low, high : float
        By how much, or how many times, the model is better; for a bound, its number. `low` and `high` are the 95 %
        t-interval of the mean over seeds, NaN for one seed.
    seeds : int
        Number of seeds that both models have finished.
    verdict : str
        holds, fails or undecided.
    reason : str
        Why it is undecided; else empty.
    """

    variant: str
    against: str
    value: float
    low: float
    high: float
    seeds: int
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Claim:
    """A claim with the comparisons that it consists of."""

    spec: ClaimSpec
    comparisons: tuple[Comparison, ...]

    @property
    def verdict(self) -> Verdict:
        """`fails` if any comparison fails, else `undecided` if any is, else `holds`."""
        return self.decisive.verdict

    @property
    def decisive(self) -> Comparison:
        """The comparison that the verdict rests on: among those with the verdict, the one with the least room."""
        for verdict in CLAIM_VERDICTS:
            if found := [one for one in self.comparisons if one.verdict == verdict]:
                return min(found, key=self._room)
        raise AssertionError("a claim has a comparison")

    @property
    def closest(self) -> Comparison | None:
        """The comparison with the least room of all that have a value; None if no comparison has one."""
        return min((one for one in self.comparisons if not math.isnan(one.value)), key=self._room, default=None)

    def _room(self, one: Comparison) -> float:
        """Distance from the bound to the value, on the side that holds; a comparison without a value comes first."""
        room = one.value - self.spec.bound
        room = -room if self.spec.at_most is not None else room
        return -math.inf if math.isnan(room) else room


def check_claims(experiment: Experiment, outcomes: pd.DataFrame) -> tuple[Claim, ...]:
    """Check every claim of an experiment file.

    Parameters
    ----------
    experiment : Experiment
        The experiment at one scale.
    outcomes : DataFrame
        Outcomes of its trials (`collect_outcomes`).

    Returns
    -------
    tuple of Claim
        In the order of the file. A comparison holds if the 95 % interval of its mean over seeds is beyond the bound,
        and fails if the interval does not reach it. Two models are compared seed by seed, since trials of one seed
        share their data. A bound on the number of one trained model is undecided at a reduced scale.
    """
    return tuple(Claim(spec, tuple(_compare(experiment, outcomes, spec))) for spec in experiment.spec.claims)


def _compare(experiment: Experiment, outcomes: pd.DataFrame, spec: ClaimSpec) -> list[Comparison]:
    """Every comparison of a claim: for each variant, against each model or the bound."""
    whole = experiment.unreduced or experiment
    variants = spec.variants or list(whole.spec.variants)
    pairs = [(variant, other) for variant in variants for other in spec.better_than or [""]]
    return [_decide(experiment, outcomes, spec, *pair) for pair in pairs]


def _decide(experiment: Experiment, outcomes: pd.DataFrame, spec: ClaimSpec, variant: str, other: str) -> Comparison:
    """Decide one comparison."""
    trials = outcomes[(outcomes["variant"] == variant) & outcomes["model"].isin((spec.model, other))]
    own = trials[trials["status"] == Status.FINISHED]
    scores = {model: _scores(experiment, own, model, spec) for model in (spec.model, other) if model}
    if reason := _obstacle(experiment, trials, spec, scores):
        return Comparison(variant, other, math.nan, math.nan, math.nan, 0, "undecided", reason)
    values = _values(experiment, spec, scores)
    mean, (low, high) = values.mean(), interval(values)
    if spec.times:  # the mean of ratios is that of their logarithms
        mean, low, high = math.exp(mean), math.exp(low), math.exp(high)
    verdict, reason = _verdict(spec, mean, low, high, len(values))
    if own["substitute"].eq(True).any():
        verdict, reason = "undecided", "synthetic substitute data"
    if not other and experiment.task.trained and experiment.is_reduced(variant, spec.model):
        verdict, reason = "undecided", "the training is smaller than the paper's"
    return Comparison(variant, other, float(mean), low, high, len(values), verdict, reason)


def _obstacle(experiment: Experiment, trials: pd.DataFrame, spec: ClaimSpec, scores: dict[str, pd.Series]) -> str:
    """Why nothing can be compared; empty if it can."""
    if diverged := int(trials["status"].eq(Status.DIVERGED).sum()):
        return f"{diverged} of {len(trials)} trials diverged"
    if missing := [model for model, score in scores.items() if score.empty]:
        return f"no result of {' and '.join(_label(experiment, model) for model in missing)}"
    for model, score in scores.items():
        if not score.map(math.isfinite).all():
            return f"a number of {_label(experiment, model)} is infinite"
        if spec.times and not score.gt(0).all():
            return f"an error of {_label(experiment, model)} is not positive, and has no ratio"
    return ""


def _scores(experiment: Experiment, finished: pd.DataFrame, model: str, spec: ClaimSpec) -> pd.Series:
    """The numbers of one model by seed, in the units of the table."""
    metric = spec.metric or experiment.task.score
    own = finished[finished["model"] == model].set_index("seed")
    found = own[metric].dropna() if metric in own else pd.Series(dtype=float)
    return found.astype(float) * experiment.task.column(metric).factor


def _values(experiment: Experiment, spec: ClaimSpec, scores: dict[str, pd.Series]) -> pd.Series:
    """What is averaged over the seeds: differences, logarithms of ratios, or the numbers themselves."""
    first, *others = scores.values()
    if not others:
        return first
    own, other = first.align(others[0], join="inner")
    if spec.times:
        return (other / own).map(math.log)
    return own - other if experiment.task.prefers_high(spec.metric or experiment.task.score) else other - own


def _verdict(spec: ClaimSpec, mean: float, low: float, high: float, seeds: int) -> tuple[Verdict, str]:
    """Verdict of a comparison, and the reason of an undecided one."""
    if seeds < spec.seeds:
        return "undecided", "no seed that both have finished" if not seeds else f"{seeds} of {spec.seeds} seeds"
    if seeds == 1:
        low = high = mean
    bound = spec.bound
    if spec.at_most is not None:
        low, high, bound = -high, -low, -bound
    if spec.better_than and bound == spec.equality:  # equal numbers are not better
        bound = math.nextafter(bound, math.inf)
    if low >= bound:
        return "holds", ""
    if high < bound:
        return "fails", ""
    return "undecided", f"the interval over {seeds} seeds contains the bound"


def _label(experiment: Experiment, model: str) -> str:
    """Name of a model in the table; a scale may have removed it."""
    return (experiment.unreduced or experiment).spec.models[model].label
