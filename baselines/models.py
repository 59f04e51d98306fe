"""The baselines' hyperparameters. Free of torch: the workflow validates them while it parses its DAG."""

from typing import TYPE_CHECKING

from hippo.nn.models import ModelConfig

if TYPE_CHECKING:
    from torch import nn


class GRU(ModelConfig):
    """Gated recurrent unit (Cho et al. 2014)."""

    def cell(self, input_size: int) -> "nn.Module":
        """A `GRUCell`."""
        from baselines.rnn import GRUCell

        return GRUCell(input_size, self.hidden_size)


class LSTM(ModelConfig):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with a forget gate)."""

    def cell(self, input_size: int) -> "nn.Module":
        """An `LSTMCell`."""
        from baselines.rnn import LSTMCell

        return LSTMCell(input_size, self.hidden_size)
