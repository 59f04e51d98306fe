"""The HiPPO models' hyperparameters. Free of torch: the workflow validates them while it parses its DAG."""

from typing import TYPE_CHECKING

from pydantic import PositiveInt

from hippo.config import Config

if TYPE_CHECKING:
    from torch import nn


class ModelConfig(Config):
    """Hyperparameters of one model; `cell` builds the recurrence that they describe."""

    hidden_size: PositiveInt = 256

    def cell(self, input_size: int) -> "nn.Module":
        """The recurrent cell for inputs of `input_size` channels."""
        raise NotImplementedError
