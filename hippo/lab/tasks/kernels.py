"""Basis kernels of S4 systems with an exact or another low-rank term, compared with the basis under the measure."""

from hippo.config import Options
from hippo.lab.plan.kernel_options import BasisKernelsOptions
from hippo.lab.plan.task import Column, Task, find_among

MODELS: dict[str, type[Options]] = {"basis_kernels": BasisKernelsOptions}


def run(trial, dataset, recorder) -> dict:
    """Compare the kernels; return the outcome."""
    from hippo.lab.analysis import kernel_comparison

    return kernel_comparison.run(trial, dataset, recorder)


TASK = Task(
    find_model=find_among(MODELS),
    run=run,
    trained=False,
    columns=(
        Column("distance", "distance from p ω", 1, ".4f"),
        Column("sampled_distance", "sampled", 1, ".4f"),
        Column("slow_distance", "for cos t", 1, ".4f"),
        Column("gram_distance", "Gram matrix", 1, ".4f"),
        Column("late_energy", "after age 2, %", 100, ".1f"),
        Column("growth", "largest Re λ", 1, ".3f"),
    ),
    score="distance",
    selection="distance",
    higher_is_better=False,
)
