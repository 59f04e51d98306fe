"""Normalization and dropout of the layers of a stack, for sequences with padding."""

from torch import Tensor, nn
from torch.nn.functional import dropout


class LayerNorm(nn.LayerNorm):
    """Layer normalization over the channels of each step."""

    def forward(self, inputs: Tensor, inside: Tensor | None = None) -> Tensor:
        """Normalize inputs (batch, length, channels); `inside` is not used, since steps do not mix."""
        return super().forward(inputs)


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization of each channel over the samples and true steps of a batch.

    Padding enters neither the batch statistics nor the running statistics. In training mode the outputs of a sample
    depend on the other samples of the batch, and at each step on later steps.
    """

    def forward(self, inputs: Tensor, inside: Tensor | None = None) -> Tensor:
        """Normalize the true steps.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, channels)
            Inputs.
        inside : Tensor of bool, shape (batch, length), optional
            True at true steps; None if no sample is padded.

        Returns
        -------
        Tensor, shape (batch, length, channels)
            Normalized inputs; zero in the padding.
        """
        if inside is None:
            return super().forward(inputs.flatten(0, 1)).view_as(inputs)  # over (B L, C)
        outputs = inputs.new_zeros(inputs.shape)
        outputs[inside] = super().forward(inputs[inside])  # over (true steps, C)
        return outputs


class SequenceDropout(nn.Module):
    """Dropout over sequences.

    Parameters
    ----------
    rate : float
        Probability that a unit is set to zero.
    tied : bool, default False
        Set the same units to zero at all steps of a sequence.
    """

    def __init__(self, rate: float, tied: bool = False):
        super().__init__()
        self.rate, self.tied = rate, tied

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs (batch, length, channels) with units set to zero and the others divided by 1 - rate."""
        if self.tied:
            mask = dropout(inputs.new_ones(len(inputs), 1, inputs.shape[2]), self.rate, self.training)  # (B, 1, C)
            return inputs * mask
        return dropout(inputs, self.rate, self.training)
