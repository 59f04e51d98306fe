"""Decoders: the last part of a model, which turns pooled outputs into answers."""

import torch
from torch import Tensor, nn


class PairDecoder(nn.Module):
    """One answer for two sequences a and b: a network of one hidden layer over [a, b, a - b, a * b].

    Parameters
    ----------
    input_size : int
        Channels of each sequence, and units of the hidden layer.
    output_size : int
        Numbers per answer.

    References
    ----------
    Tay et al., "Long Range Arena", ICLR 2021, for the task of matching two documents. The head is the one that S4 was
    published with (Gu, Goel, Ré 2022).
    """

    def __init__(self, input_size: int, output_size: int):
        super().__init__()
        self.hidden = nn.Linear(4 * input_size, input_size)
        self.output = nn.Linear(input_size, output_size)

    def forward(self, pooled: Tensor) -> Tensor:
        """Compute the answers.

        Parameters
        ----------
        pooled : Tensor, shape (2 * batch, input_size)
            The two sequences of the first sample, then those of the second, and so on.

        Returns
        -------
        Tensor, shape (batch, output_size)
        """
        first, second = pooled.unflatten(0, (-1, 2)).unbind(1)  # (B, H) each
        pairs = torch.cat([first, second, first - second, first * second], dim=1)  # (B, 4 H)
        return self.output(nn.functional.gelu(self.hidden(pairs)))
