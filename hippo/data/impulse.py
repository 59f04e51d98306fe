"""Impulse: the input whose responses are the kernels of a system."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from hippo.data.dataset import Dataset, Part
from hippo.data.generated_dataset import GeneratedDataset
from hippo.operators.structured import WINDOW


class Impulse(GeneratedDataset):
    """One impulse of area 1, followed by zeros. The only part, "test", has inputs (1, length, 1), float32.

    Attributes
    ----------
    length : int, default 2000
        Number of steps.
    interval : float, default 0.002
        Step, in the unit of time of the systems that read the impulse.
    """

    task: ClassVar[str] = "kernels"
    test_options: ClassVar[dict[str, Any]] = {"length": 80, "interval": 0.05}

    length: Annotated[int, Field(ge=2)] = 2000
    interval: PositiveFloat = Field(2e-3, description="step, in the unit of time of the systems")

    @model_validator(mode="after")
    def _check_oldest(self):
        if self.oldest <= WINDOW:
            raise ValueError(
                f"length = {self.length} steps of interval = {self.interval} end at the age {self.oldest:g}; "
                f"expected more than {WINDOW:g}, the window of S4-LegT and S4-FouT"
            )
        return self

    @property
    def oldest(self) -> float:
        """Age of the impulse after the last step."""
        return self.length * self.interval

    def build(self, sources=None) -> Dataset:
        """Generate the dataset. `sources` is not used."""
        inputs = np.zeros((1, self.length, 1), np.float32)
        inputs[0, 0] = 1 / self.interval
        source = f"impulse, {self.length} steps of {self.interval:g}"
        return Dataset({"test": Part(inputs)}, classes=None, source=source)
