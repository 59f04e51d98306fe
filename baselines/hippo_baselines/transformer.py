"""A plain Transformer encoder: PyTorch's layers, with sinusoidal positions.

Its hyperparameters are `TransformerOptions` in `options.py`.
"""

import math

import torch
from torch import Tensor, nn

from hippo.nn.pooling import last, true_steps


class TransformerBackbone(nn.Module):
    """`torch.nn.TransformerEncoder` as the backbone of a model.

    Parameters
    ----------
    input_size : int
        Channels of the inputs. If they are not `hidden_size`, a linear map comes first.
    hidden_size : int
        Channels of every layer; a multiple of `heads`.
    layers : int
        Number of layers.
    heads : int
        Attention heads.
    feedforward_size : int
        Units of the hidden layer of each feed-forward network.
    dropout : float
        Fraction of units set to zero, of the attention weights as well.
    norm_first : bool
        Normalize before attention and feed-forward network, and at the end; if false, after each of them.
    causal : bool
        Each step attends to itself and earlier steps only.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        layers: int,
        heads: int,
        feedforward_size: int,
        dropout: float,
        norm_first: bool,
        causal: bool,
    ):
        super().__init__()
        self.output_size, self.causal = hidden_size, causal
        self.entry = None if input_size == hidden_size else nn.Linear(input_size, hidden_size)
        layer = nn.TransformerEncoderLayer(
            hidden_size, heads, feedforward_size, dropout, "gelu", batch_first=True, norm_first=norm_first
        )
        norm = nn.LayerNorm(hidden_size) if norm_first else None
        self.encoder = nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)
        for parameter in self.encoder.parameters():  # the layers are copies of one, with equal initial values
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None, sequence: bool = False
    ) -> Tensor:
        """Compute the outputs of the last layer.

        Parameters
        ----------
        inputs, times, lengths, sequence
            As in `hippo.nn.backbone.Backbone`. Timestamps are not used: a model adds them to its inputs as one more
            channel.

        Returns
        -------
        Tensor, shape (batch, output_size), or (batch, length, output_size) if `sequence`
        """
        inputs = inputs if self.entry is None else self.entry(inputs)  # (B, L, H)
        length = inputs.shape[1]
        inputs = inputs + sinusoids(length, inputs.shape[2]).to(inputs)
        padding = None if lengths is None else ~true_steps(lengths, length)  # (B, L)
        mask = None
        if self.causal:
            mask = torch.ones(length, length, dtype=torch.bool, device=inputs.device).triu(1)  # True: not attended to
        outputs = self.encoder(inputs, mask, padding)  # (B, L, H)
        return outputs if sequence else last(outputs, lengths)


def sinusoids(length: int, channels: int) -> Tensor:
    """Return the encoding of positions: sines in even channels, cosines in odd ones, of wavelengths 2π to 10000 · 2π.

    Parameters
    ----------
    length : int
        Number of positions.
    channels : int
        Channels of the encoding.

    Returns
    -------
    Tensor, shape (length, channels), float64

    References
    ----------
    Vaswani et al. 2017, section 3.5.

    Examples
    --------
    >>> sinusoids(3, 2)[:, 0].tolist() == [math.sin(position) for position in range(3)]
    True
    """
    wave = torch.arange(0, channels, 2, dtype=torch.float64) * (-math.log(10_000) / channels)
    angles = torch.arange(length, dtype=torch.float64).unsqueeze(1) * wave.exp()  # (L, channels / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :channels]  # (L, channels)
