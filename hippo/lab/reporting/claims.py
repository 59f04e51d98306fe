"""Claims of the papers as text: each with its verdict, and the comparison that the verdict rests on."""

import math
from pathlib import Path

from hippo.config import ConfigError
from hippo.files import write_text
from hippo.lab.plan.task import Column
from hippo.lab.reporting.text import indent, markdown_table, wrap
from hippo.lab.results.claims import Claim, Comparison
from hippo.lab.results.results import Results


def claim_notes(results: Results) -> list[str]:
    """Return one note per claim of an experiment, for a page."""
    return [
        f"**{claim.verdict}**: {claim.spec.sentence} ({claim.spec.source}) {describe(results, claim)}"
        for claim in results.claims
    ]


def format_claims(found: list[list[Results]]) -> str:
    """Return the claims of several experiments for a terminal: each with a line per scale.

    Parameters
    ----------
    found : list of list of Results
        For each experiment its results, one per scale.
    """
    blocks = []
    for scales in found:
        for number, claim in enumerate(scales[0].claims):
            lines = [wrap(f"{claim.spec.sentence} ({claim.spec.source}; {scales[0].experiment.name})")]
            for results in scales:
                own = results.claims[number]
                lines.append(indent(f"{results.experiment.scale}: {own.verdict}. {describe(results, own)}"))
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


MARKS = "<!-- claims: written by hippo claims --write -->", "<!-- end of claims -->"


def headline_table(found: list[list[Results]]) -> str:
    """Return the claims that have a headline as a Markdown table, with a column per scale.

    Parameters
    ----------
    found : list of list of Results
        As in `format_claims`.
    """
    lines = [
        [claim.spec.headline, *(brief(results, results.claims[number]) for results in scales)]
        for scales in found
        for number, claim in enumerate(scales[0].claims)
        if claim.spec.headline
    ]
    headers = ["claim", *(f"{results.experiment.scale} scale" for results in found[0])]
    return markdown_table(headers, lines, ["left"] * len(headers))


def write_headlines(found: list[list[Results]], page: Path) -> None:
    """Write the claims that have a headline between the marks of a Markdown page.

    Raises
    ------
    ConfigError
        If the page cannot be read, or lacks a mark.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{page}: cannot be read: {error.strerror}") from error
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (begin and end):
        raise ConfigError(f"{page}: lacks a mark; put the lines {MARKS[0]!r} and {MARKS[1]!r} where the table belongs")
    write_text(page, f"{before}{begin}\n{headline_table(found)}\n{end}{after}")


def brief(results: Results, claim: Claim) -> str:
    """Return a verdict with the value that it rests on, or what is known so far, without interval and reason."""
    one = claim.closest if math.isnan(claim.decisive.value) else claim.decisive
    form, unit = _form(results, claim)
    return f"{claim.verdict}: {one.value:{form}}{unit}".replace("-", "−") if one else claim.verdict


def describe(results: Results, claim: Claim) -> str:
    """Return the comparison that the verdict of a claim rests on, in sentences.

    Parameters
    ----------
    results : Results
        Results of the experiment.
    claim : Claim
        One of its claims.
    """
    one = claim.decisive
    if not math.isnan(one.value):
        return " ".join([_describe_comparison(results, claim, one), *_reason(one)])
    return " ".join([*_reason(one), *([_describe_comparison(results, claim, claim.closest)] if claim.closest else [])])


def _describe_comparison(results: Results, claim: Claim, one: Comparison) -> str:
    """A comparison that has a value, and what the claim demands of it."""
    spec = results.experiment.spec
    models, variants = ({**_unreduced(results, key), **getattr(spec, key)} for key in ("models", "variants"))
    places = [f"against {models[one.against].label}"] if one.against else []
    places += [variants[one.variant].label] if len(variants) > 1 else []
    compared = f"{'Closest, by' if len(claim.comparisons) > 1 else 'By'} {_metric(results, claim).label}: "
    found = ", ".join([f"{compared}{describe_value(results, claim, one)}", *places])
    return f"{found}. Claimed: {describe_bound(results, claim)}."


def _reason(one: Comparison) -> list[str]:
    """Why a comparison is undecided, as a sentence, if it is."""
    return [f"{one.reason[:1].upper()}{one.reason[1:]}."] if one.reason else []


def _unreduced(results: Results, key: str) -> dict:
    """The models or variants of an experiment before its scale removes any."""
    return getattr((results.experiment.unreduced or results.experiment).spec, key)


def describe_value(results: Results, claim: Claim, one: Comparison) -> str:
    """Return the value of a comparison with its 95 % interval and its number of seeds."""
    form, unit = _form(results, claim)
    interval = "" if math.isnan(one.low) else f"{one.low:{form}} to {one.high:{form}}, "
    seeds = f"{one.seeds} seed{'s' if one.seeds > 1 else ''}"
    return f"{one.value:{form}}{unit} ({interval}{seeds})".replace("-", "−")


def describe_bound(results: Results, claim: Claim) -> str:
    """Return what a claim demands of the value."""
    form, unit = _form(results, claim)
    if claim.spec.better_than and claim.spec.bound == claim.spec.equality:
        return f"more than {claim.spec.equality}{unit}"
    return f"at {'most' if claim.spec.at_most is not None else 'least'} {claim.spec.bound:{form}}{unit}"


def _form(results: Results, claim: Claim) -> tuple[str, str]:
    """Format and unit of the value of a claim."""
    if claim.spec.times:
        return ".3g", " times"
    return _metric(results, claim).format, ""


def _metric(results: Results, claim: Claim) -> Column:
    """Column of the metric that a claim compares."""
    task = results.experiment.task
    return task.column(claim.spec.metric or task.score)
