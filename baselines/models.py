"""The baselines' hyperparameters. Free of torch: the workflow validates them while it parses its DAG."""

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from hippo.classifiers import ClassifierConfig
from hippo.nn.models import ModelConfig

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin
    from torch import nn


class GRU(ModelConfig):
    """Gated recurrent unit (Cho et al. 2014)."""

    def cell(self, input_size: int) -> "nn.Module":
        """A `GRUCell`."""
        from baselines.gru import GRUCell

        return GRUCell(input_size, self.hidden_size)


class LSTM(ModelConfig):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with a forget gate)."""

    def cell(self, input_size: int) -> "nn.Module":
        """An `LSTMCell`."""
        from baselines.lstm import LSTMCell

        return LSTMCell(input_size, self.hidden_size)


class MGU(ModelConfig):
    """Minimal gated unit (Zhou et al. 2016)."""

    def cell(self, input_size: int) -> "nn.Module":
        """An `MGUCell`."""
        from baselines.mgu import MGUCell

        return MGUCell(input_size, self.hidden_size)


class RNN(ModelConfig):
    """Plain recurrent network with tanh (Elman 1990)."""

    def cell(self, input_size: int) -> "nn.Module":
        """An `RNNCell`."""
        from baselines.rnn import RNNCell

        return RNNCell(input_size, self.hidden_size)


class ExpRNN(ModelConfig):
    """Orthogonal recurrent matrix by the exponential map (Lezcano-Casado & Martínez-Rubio 2019)."""

    def cell(self, input_size: int) -> "nn.Module":
        """An `ExpRNNCell`."""
        from baselines.exprnn import ExpRNNCell

        return ExpRNNCell(input_size, self.hidden_size)


class MiniRocket(ClassifierConfig):
    """MiniRocket features and a ridge classifier on them (Dempster, Schmidt, Webb 2021)."""

    kernels: PositiveInt = Field(10_000, description="Features, rounded down to a multiple of 84.")

    def classifier(self, seed: int, timestamps: bool) -> "ClassifierMixin":
        """A pipeline of `MiniRocketFeatures` and `RidgeClassifierCV`."""
        from baselines.minirocket import MiniRocketFeatures
        from hippo.estimators import ridge

        return ridge(MiniRocketFeatures(self.kernels, seed))
