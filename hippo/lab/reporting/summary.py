"""Summary at the top of the report: what was run, how it compares with the papers, and the best model of each table."""

import math
from collections import Counter
from dataclasses import dataclass

import pandas as pd

from hippo.lab.reporting.notes import uses_substitute
from hippo.lab.reporting.sections import format_number
from hippo.lab.results.results import Results
from hippo.lab.results.verdicts import VERDICTS

SCALE_MEANINGS = {
    "smoke": "Smoke scale: tiny data and models, to check that everything runs. The numbers have no meaning.",
    "quick": "Quick scale: less data, smaller models and fewer epochs than in the papers. The values and "
    "the order of the models may differ.",
    "hour": "Hour scale: longer training than at the quick scale, far less than in the papers.",
    "paper": "Paper scale: the published settings, nothing reduced.",
}
SIGNS = {"reproduced": "✓", "agrees": "✓", "above": "↑", "below": "↓"}
MEANINGS = {
    "reproduced": "reproduced: within the tolerance",
    "above": "above the paper's value by more than the tolerance",
    "below": "below the paper's value by more than the tolerance",
    "scale too small": "not judged: the scale is smaller than the paper's",
    "synthetic substitute data": "not judged: made from synthetic substitute data",
    "no tolerance": "not judged: no tolerance is stated",
}


@dataclass(frozen=True)
class Headline:
    """Best model of one table, for the first variant that has a number.

    Parameters
    ----------
    name, title, variant : str
        The experiment, and the labels of table and variant.
    column : str
        Label of the score.
    model, score : str
        Our best model and its score; "—" without a number.
    paper_model, paper_score : str
        The paper's best model of the same variant and score; empty if it prints none.
    """

    name: str
    title: str
    variant: str
    column: str
    model: str
    score: str
    paper_model: str
    paper_score: str


@dataclass(frozen=True)
class Summary:
    """Summary of a report.

    Parameters
    ----------
    scale : str
        What the scale means, in sentences.
    trials : str
        Number of trials by status.
    substitutes : tuple of str
        Titles of tables that were made from a synthetic substitute for real recordings.
    compared : int
        Numbers that a paper prints too.
    verdicts : tuple of (verdict, sign, count, meaning)
        The most informative first.
    headlines : tuple of Headline
        One per table.
    """

    scale: str
    trials: str
    substitutes: tuple[str, ...]
    compared: int
    verdicts: tuple[tuple[str, str, int, str], ...]
    headlines: tuple[Headline, ...]


def in_order(found: list[Results]) -> list[Results]:
    """Return results in the order of the positions that their files state, then by name."""
    return sorted(found, key=place_of)


def place_of(results: Results) -> tuple[float, str]:
    """Return the key by which results are in the order of their positions; without one, they are last, by name."""
    position = results.experiment.spec.position
    return math.inf if position is None else position, results.experiment.name


def summarize(tables: list[Results], outcomes: pd.DataFrame, scale: str) -> Summary:
    """Return the summary of a report.

    Parameters
    ----------
    tables : list of Results
        Results of the experiments that end in a table.
    outcomes : DataFrame
        Outcomes of all trials of the report, those of sweeps included.
    scale : str
        Their scale.
    """
    statuses = ", ".join(f"{n} {status}" for status, n in outcomes["status"].value_counts().items())
    verdicts = Counter(verdict for results in tables for verdict in _judged(results)["verdict"])
    ordered = sorted(verdicts, key=lambda v: (VERDICTS.index(v) if v in VERDICTS else len(VERDICTS), v))
    return Summary(
        scale=SCALE_MEANINGS[scale],
        trials=f"{len(outcomes)} trials: {statuses}",
        substitutes=tuple(r.experiment.spec.title for r in tables if uses_substitute(r.outcomes)),
        compared=sum(verdicts.values()),
        verdicts=tuple((v, SIGNS.get(v, "–"), verdicts[v], _meaning(v)) for v in ordered),
        headlines=tuple(_headline(results) for results in tables),
    )


def _meaning(verdict: str) -> str:
    """What a verdict says, in words."""
    if verdict.endswith(" seeds"):
        return "not judged: seeds are missing"
    return MEANINGS.get(verdict, f"not judged: some trials are {verdict}")


def _judged(results: Results) -> pd.DataFrame:
    """Numbers that the paper prints too."""
    paper = results.experiment.spec.paper
    if paper is not None and paper.heading != "paper":
        return results.cells.iloc[:0]
    return results.cells[results.cells["paper"].notna()]


def _headline(results: Results) -> Headline:
    """The headline of one table."""
    experiment, task = results.experiment, results.experiment.task
    column = task.column(task.score)
    scores = results.cells[results.cells["metric"] == task.score]
    with_number = set(scores.loc[scores["mean"].notna(), "variant"])
    variants = list(experiment.spec.variants)
    variant = next((v for v in variants if v in with_number), variants[0])
    own = scores[scores["variant"] == variant]

    def best(key: str) -> pd.Series | None:
        known = own.dropna(subset=[key])
        return None if known.empty else known.loc[known[key].idxmax() if task.higher_is_better else known[key].idxmin()]

    labels = {model: spec.label for model, spec in experiment.spec.models.items()}
    ours, theirs = best("mean"), best("paper") if len(_judged(results)) else None
    return Headline(
        name=experiment.name,
        title=experiment.spec.title,
        variant=experiment.spec.variants[variant].label,
        column=column.label,
        model="—" if ours is None else labels[ours["model"]],
        score="—" if ours is None else format_number(ours, column, None).ours,
        paper_model="" if theirs is None else labels[theirs["model"]],
        paper_score="" if theirs is None else f"{theirs['paper']:,}",
    )
