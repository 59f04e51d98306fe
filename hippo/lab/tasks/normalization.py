"""The scale of the output of a new S4 layer against its number of states."""

from hippo.config import Options
from hippo.lab.plan.normalization_options import RandomReadoutOptions
from hippo.lab.plan.task import Column, Task, find_among

MODELS: dict[str, type[Options]] = {"random_readout": RandomReadoutOptions}
ORDERS = (16, 64, 256, 1024)
SAMPLED = 256  # states with which output is sampled as well


def run(trial, dataset, recorder) -> dict:
    """Compute the variances; return the outcome."""
    from hippo.lab.analysis import output_variance

    return output_variance.run(trial, dataset, recorder, ORDERS, SAMPLED)


TASK = Task(
    find_model=find_among(MODELS),
    run=run,
    trained=False,
    columns=(
        *(Column(f"variance_{order}", f"N = {order}", 1, ".3f") for order in ORDERS),
        Column("sampled_variance", f"N = {SAMPLED}, sampled", 1, ".3f"),
    ),
    score="deviation",
    selection="deviation",
    higher_is_better=False,
)
