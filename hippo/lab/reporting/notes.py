"""Notes under tables and sweeps: what a reader should know about the numbers, in sentences."""

from collections.abc import Iterator
from importlib.metadata import version
from textwrap import shorten

import pandas as pd

from hippo.data.availability import missing_files
from hippo.data.errors import DataError
from hippo.lab.plan.sweep_points import format_value
from hippo.lab.results.results import Results
from hippo.lab.results.significance import FEWEST_PAIRS, friedman, least_p, mean_ranks, pairwise, rank_agreement
from hippo.lab.results.sweeps import Choice
from hippo.lab.trials.status import Status

# Facts in which all trials of a page should agree: column of the outcomes → (name in the plural, axis within which the
# trials should agree; None for the whole page).
SAME = {
    "version": ("versions of hippo-lab", None),
    "kernels": ("kernels", None),
    "device": ("devices", None),
    "precision": ("precisions of one model", "model"),
    "digest": ("prepared datasets of one variant", "variant"),
}
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW"}
LONGEST_REASON = 300  # characters


def page_title(results: Results) -> str:
    """Return the title of a page: title of the experiment, scale and data."""
    experiment = results.experiment
    return f"{experiment.spec.title} · {experiment.scale} scale · {describe_data(results.outcomes)}"


def describe_data(outcomes: pd.DataFrame) -> str:
    """Return the sources of the data, with a warning in capitals if it is a synthetic substitute."""
    if "source" not in outcomes:
        return "no finished trial"
    sources = "; ".join(sorted(outcomes["source"].dropna().unique()))
    if uses_substitute(outcomes):
        return f"SYNTHETIC SUBSTITUTE DATA, not the real recordings: {sources}"
    return f"data: {sources}"


def uses_substitute(outcomes: pd.DataFrame) -> bool:
    """Return whether any trial used a synthetic substitute for real recordings."""
    return "substitute" in outcomes and bool(outcomes["substitute"].eq(True).any())


def table_notes(results: Results) -> list[str]:
    """Return all notes of a table."""
    return [
        *essential_notes(results),
        *_choice_notes(results),
        *_rank_notes(results),
        *_agreement_notes(results),
        *_trial_notes(results.outcomes, names_missing=False),
        *_precision_notes(results),
        _commit_note(results.outcomes),
    ]


def essential_notes(results: Results) -> list[str]:
    """Return the notes that belong to the numbers wherever they are printed."""
    return [
        *_seed_notes(results.outcomes),
        *_paper_notes(results),
        *_setting_notes(results),
        *_data_notes(results),
        *_version_notes(results.outcomes),
    ]


def sweep_notes(results: Results) -> list[str]:
    """Return all notes of a sweep."""
    experiment, curve = results.experiment, results.curve
    part = " on the validation part; the test part plays no role" if experiment.task.trained else ""
    notes = [f"In bold: the value with the best {experiment.task.selection}{part}."]
    chosen = curve.groupby(["variant", "label"], sort=False)["chosen"].any()
    names = [f"{variant}, {label}" for (variant, label), found in chosen.items() if not found]
    if names:
        notes.append(f"No value is chosen where a trial is missing or all trials diverged: {'; '.join(names)}.")
    ends = _grid_ends(experiment.spec.sweep.values)
    at_end = curve.loc[curve["chosen"] & curve["value"].isin(ends), "label"].unique()
    if len(at_end):
        notes.append(f"Chosen at the end of the grid: {', '.join(at_end)}. Values beyond it have not been tried.")
    trial_notes = _trial_notes(results.outcomes, names_missing=True)
    return [*notes, *trial_notes, *_version_notes(results.outcomes), _commit_note(results.outcomes)]


def describe_choice(choice: Choice) -> str:
    """Return what a sweep says about the value of a setting: empty if it agrees or is incomplete."""
    if choice.agrees:
        return ""
    return f"the sweep chooses {', '.join(map(format_value, choice.chosen))}"


def is_numeric(values: list) -> bool:
    """Return whether all values of a grid are numbers, none of them a boolean."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _grid_ends(values: list) -> set:
    """First and last value of a grid of sorted numbers; empty for any other grid."""
    is_sorted = is_numeric(values) and values in (sorted(values), sorted(values, reverse=True))
    return {values[0], values[-1]} if is_sorted else set()


def _seed_notes(outcomes: pd.DataFrame) -> Iterator[str]:
    """What is printed for several seeds."""
    if outcomes["seed"].nunique() > 1:
        yield "Mean ± standard deviation over n seeds."


def _paper_notes(results: Results) -> Iterator[str]:
    """Source and tolerances of the paper's values."""
    if paper := results.experiment.spec.paper:
        yield f"{paper.heading.capitalize()}: {paper.source}. {paper.note}".strip()
        stated = [
            f"{value if isinstance(value, str) else f'{value:g}'} ({results.experiment.task.column(metric).label})"
            for metric, value in paper.tolerance.items()
        ]
        if stated:
            is_papers = paper.heading == "paper"
            theirs = "the paper's value" if is_papers else f"the value under “{paper.heading}”"
            yield f"{'Reproduced' if is_papers else 'Agrees'}: within {' or '.join(stated)} of {theirs}."


def _setting_notes(results: Results) -> Iterator[str]:
    """Training options, and whether the scale reduces them."""
    experiment = results.experiment
    if experiment.task.trained:
        training = experiment.spec.training
        optimizer = f"{OPTIMIZERS[training.optimizer]} at {training.learning_rate:g}"
        varied = any(variant.training for variant in experiment.spec.variants.values())
        entries = "variant or model" if varied else "model"
        yield f"Epochs: {training.epochs}, batch {training.batch_size}, {optimizer} unless overridden per {entries}."
    if any(
        experiment.is_reduced(variant, model) for variant in experiment.spec.variants for model in experiment.models
    ):
        yield f"The {experiment.scale} scale is smaller than the paper's: values and order of models may differ."


def _data_notes(results: Results) -> Iterator[str]:
    """What the user must do for the data of variants that have no trial."""
    experiment, outcomes = results.experiment, results.outcomes
    for name, variant in experiment.spec.variants.items():
        if outcomes.loc[outcomes["variant"] == name, "status"].eq(Status.MISSING).all():
            try:
                advice = missing_files(experiment.datasets[name])
            except DataError as error:
                advice = str(error)
            if advice:
                command = f"hippo fetch {experiment.dataset_names[name]}"
                yield f"{variant.label}: data not available: {advice} ({command})."


def _choice_notes(results: Results) -> Iterator[str]:
    """Settings that a sweep has chosen, one note per sweep and setting."""
    groups: dict[tuple[str, str], list[Choice]] = {}
    for choice in results.choices:
        groups.setdefault((choice.key, choice.sweep), []).append(choice)
    for (key, sweep), choices in groups.items():
        incomplete = "" if any(choice.chosen for choice in choices) else ", which is not made at this scale"
        values = []
        for choice in choices:
            label = results.experiment.spec.models[choice.model].label
            but = describe_choice(choice)
            values.append(f"{label} {format_value(choice.value)}{f' (but {but})' if but else ''}")
        yield f"{key} as chosen by {sweep}{incomplete}: {', '.join(values)}."


def _rank_notes(results: Results) -> Iterator[str]:
    """Mean ranks, and which models differ."""
    experiment, table = results.experiment, results.scores
    if len(table) < 2 or table.shape[1] < 2:
        return
    labels = {model: spec.label for model, spec in experiment.spec.models.items()}
    ranks = mean_ranks(table, experiment.task.higher_is_better).items()
    ranked = ", ".join(f"{labels[model]} {rank:.3g}" for model, rank in ranks)
    score = experiment.task.column(experiment.task.score).label
    yield f"Mean rank by {score} over {len(table)} pairs of variant and seed: {ranked}."
    if without := [label for model, label in labels.items() if model not in table]:
        yield f"Not ranked, with a number in fewer than half of the pairs: {', '.join(without)}."
    if dropped := results.outcomes[["variant", "seed"]].drop_duplicates().shape[0] - len(table):
        yield f"Pairs of variant and seed that are left out because a ranked model has no number: {dropped}."
    if len(table) < FEWEST_PAIRS:
        yield f"{len(table)} pairs of variant and seed are too few for a test of significance."
        return
    if table.shape[1] > 2:
        yield f"Friedman's test that all models are alike: p {friedman(table):.2g}."
    tests = pairwise(table)
    if least_p(len(table)) * len(tests) > 0.05:
        yield f"{len(table)} pairs are too few for Wilcoxon's test with Holm's correction to tell any two models apart."
        return
    different = tests[tests["p_holm"] < 0.05]
    names = [f"{labels[test.model]} and {labels[test.other]} (p {test.p_holm:.2g})" for test in different.itertuples()]
    found = "; ".join(names) or "no two models"
    yield f"Wilcoxon's signed-rank test with Holm's correction, 5 %, tells apart: {found}."


def _agreement_notes(results: Results) -> Iterator[str]:
    """How well the order of the models agrees with the paper's."""
    labels = {variant: spec.label for variant, spec in results.experiment.spec.variants.items()}
    found = rank_agreement(results.cells, results.experiment.task.score)
    if found and results.experiment.spec.paper.heading == "paper":
        taus = ", ".join(f"{labels[variant]} {tau:.2f} ({models} models)" for variant, tau, models in found)
        yield f"Agreement with the paper's order of the models, Kendall's tau (1: the same order): {taus}."


def _trial_notes(outcomes: pd.DataFrame, names_missing: bool) -> Iterator[str]:
    """How many trials did not finish, and why. A table counts the finished seeds, and need not name missing ones."""
    if outcomes["status"].eq(Status.MISSING).all():
        yield f"None of the {len(outcomes)} trials has been run."
        return
    unfinished = outcomes[outcomes["status"] != Status.FINISHED]
    counts: dict[str, list[str]] = {}
    for (variant, model), trials in unfinished.groupby(["variant", "model"], sort=False):
        if trials["status"].eq(Status.MISSING).all() and not names_missing:
            continue
        seeds = len(outcomes[(outcomes["variant"] == variant) & (outcomes["model"] == model)])
        reasons = ", ".join(f"{n} {status}" for status, n in trials["status"].value_counts().items())
        counts.setdefault(f"{seeds - len(trials)} of {seeds} ({reasons})", []).append(f"{variant}/{model}")
    for count, models in counts.items():
        yield f"{count}: {', '.join(models)}."
    if "reason" in outcomes:
        for (status, reason), trials in outcomes.groupby(["status", "reason"], sort=False):
            first, more = trials.iloc[0], f" and {len(trials) - 1} more" if len(trials) > 1 else ""
            name = f"{first['variant']}, {first['model']}, seed {first['seed']}{more}"
            yield f"{name}: {status}: {shorten(reason, LONGEST_REASON)}"


def _precision_notes(results: Results) -> Iterator[str]:
    """Models whose products were computed in another precision than the file asks for."""
    outcomes, found = results.outcomes, {}
    for model, spec in results.experiment.spec.models.items():
        asked = results.experiment.training[model].precision
        used = set(outcomes.loc[outcomes["model"] == model, "precision"].dropna()) if "precision" in outcomes else set()
        if asked == "bfloat16" and (others := used - {asked}):
            found[spec.label] = " and ".join(sorted(others))
    for label, used in found.items():
        yield (
            f"{label}: trials with products in {used}, although the file asks for bfloat16, which the processor or the "
            "model lacks."
        )


def _version_notes(outcomes: pd.DataFrame) -> Iterator[str]:
    """Facts in which trials differ but should agree, and a version that is not the installed one."""
    for key, (plural, axis) in SAME.items():
        groups = [trials for _, trials in outcomes.groupby(axis)] if axis else [outcomes]
        found = [sorted(trials[key].dropna().unique()) for trials in groups if key in trials]
        if mixed := [values for values in found if len(values) > 1]:
            yield f"MIXED: trials of several {plural}: {', '.join(str(value)[:12] for value in mixed[0])}."
    made = sorted(outcomes["version"].dropna().unique()) if "version" in outcomes else []
    if made and made != [version("hippo-lab")]:
        yield f"Made by hippo-lab {', '.join(made)}; the installed version is {version('hippo-lab')}."


def _commit_note(outcomes: pd.DataFrame) -> str:
    """Commits of the source tree at which the trials were made."""
    commits = set(outcomes["commit"].dropna()) if "commit" in outcomes else set()
    for earlier in outcomes["earlier_commits"].dropna() if "earlier_commits" in outcomes else ():
        commits |= set(earlier)
    short = [commit if len(commit) < 40 else commit[:12] + commit[40:] for commit in sorted(commits)]  # with -dirty
    return f"Commit {', '.join(short) or 'unknown'}."
