"""Classification at one sampling rate, tested at half and at twice that rate as well, without further training."""

from dataclasses import replace

from hippo.lab.plan.task import Column
from hippo.lab.tasks import classification

TASK = replace(
    classification.TASK,
    columns=(
        *classification.TASK.columns,
        Column("half_rate_accuracy", "test at half the rate, %", 100),
        Column("double_rate_accuracy", "test at twice the rate, %", 100),
    ),
)
