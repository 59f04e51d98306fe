"""Encoders: the first part of a model, which turns inputs into the channels that its backbone reads."""

from torch import Tensor, nn

from hippo.nn.engine.tracing import is_traced


class TokenEncoder(nn.Embedding):
    """Embedding of token ids, with the initial values of `torch.nn.Embedding`.

    Parameters
    ----------
    vocabulary : int
        Number of token ids.
    output_size : int
        Channels of the embedding.
    """

    def __init__(self, vocabulary: int, output_size: int):
        super().__init__(vocabulary, output_size)
        self.output_size = output_size

    def forward(self, inputs: Tensor) -> Tensor:
        """Embed token ids.

        Parameters
        ----------
        inputs : Tensor of any integer type, shape (batch, length)
            Token ids below the size of the vocabulary.

        Returns
        -------
        Tensor, shape (batch, length, output_size)

        Raises
        ------
        ValueError
            If a token id is out of range. Programs of `torch.export` and `torch.func` do not check it.
        """
        inputs = inputs.long()
        if inputs.numel() and not is_traced():
            low, high = (int(end) for end in inputs.aminmax())
            if not 0 <= low <= high < self.num_embeddings:
                raise ValueError(f"inputs span {low} to {high}; expected 0 to {self.num_embeddings - 1}")
        return super().forward(inputs)  # (B, L, E)


class LinearEncoder(nn.Linear):
    """Linear map of real channels at each step, with a bias and the initial values of `torch.nn.Linear`.

    Parameters
    ----------
    input_size : int
        Channels of the inputs.
    output_size : int
        Channels of the encoding.
    """

    def __init__(self, input_size: int, output_size: int):
        super().__init__(input_size, output_size)
        self.output_size = output_size

    def forward(self, inputs: Tensor) -> Tensor:
        """Map the channels.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, input_size)
            Inputs, in the dtype of the weights.

        Returns
        -------
        Tensor, shape (batch, length, output_size)

        Raises
        ------
        ValueError
            If inputs and weights differ in dtype, or an input is NaN: a missing channel would make all encoded
            channels NaN.
        """
        if inputs.dtype != self.weight.dtype:
            raise ValueError(f"inputs are {inputs.dtype}, the weights {self.weight.dtype}; expected the same type")
        if not is_traced() and bool(inputs.isnan().any()):
            raise ValueError(
                "inputs contain NaN, which a linear encoder cannot map: fill missing values, or leave "
                "embedding_size at null in a model that needs no encoder"
            )
        return super().forward(inputs)  # (B, L, E)


def build_encoder(input_size: int, vocabulary: int | None, output_size: int | None) -> nn.Module | None:
    """Build the encoder of a model.

    Parameters
    ----------
    input_size : int
        Channels of real-valued inputs, including timestamps that are read as a channel.
    vocabulary : int or None
        Number of token ids; None for real-valued inputs.
    output_size : int or None
        Channels of the encoding; None: no encoder.

    Returns
    -------
    TokenEncoder, LinearEncoder or None
    """
    if output_size is None:
        return None
    return LinearEncoder(input_size, output_size) if vocabulary is None else TokenEncoder(vocabulary, output_size)
