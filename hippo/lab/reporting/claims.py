"""Claims of the papers as text: each with its verdict, and the comparison that the verdict rests on."""

import math

from hippo.lab.reporting.text import indent, wrap
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
    whole = (results.experiment.unreduced or results.experiment).spec
    places = [f"against {whole.models[one.against].label}"] if one.against else []
    places += [whole.variants[one.variant].label] if len(whole.variants) > 1 else []
    if one.reason and math.isnan(one.value):
        return f"{one.reason[:1].upper()}{one.reason[1:]}."
    closest = "Closest: " if len(claim.comparisons) > 1 else ""
    found = ", ".join([f"{closest}{describe_value(results, claim, one)}", *places])
    reason = f" {one.reason[:1].upper()}{one.reason[1:]}." if one.reason else ""
    return f"{found}. Claimed: {describe_bound(results, claim)}.{reason}"


def describe_value(results: Results, claim: Claim, one: Comparison) -> str:
    """Return the value of a comparison with its 95 % interval and its number of seeds."""
    form, unit = _form(results, claim)
    interval = "" if math.isnan(one.low) else f"{one.low:{form}} to {one.high:{form}}, "
    seeds = f"{one.seeds} seed{'s' if one.seeds > 1 else ''}"
    return f"{one.value:{form}}{unit} ({interval}{seeds})".replace("-", "−")


def describe_bound(results: Results, claim: Claim) -> str:
    """Return what a claim demands of the value."""
    form, unit = _form(results, claim)
    if claim.spec.better_than and not claim.spec.bound:
        return "more than 0"
    return f"at {'most' if claim.spec.at_most is not None else 'least'} {claim.spec.bound:{form}}{unit}"


def _form(results: Results, claim: Claim) -> tuple[str, str]:
    """Format and unit of the value of a claim."""
    task = results.experiment.task
    if claim.spec.times:
        return ".3g", " times"
    return task.column(claim.spec.metric or task.score).format, ""
