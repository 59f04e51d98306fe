"""An S4 layer as the backbone of a model."""

from torch import Tensor, nn

from hippo.nn.ssm.layer import S4
from hippo.operators.checks import check_positive


class S4Backbone(nn.Module):
    """An S4 layer behind the interface of `hippo.nn.backbone.Backbone`.

    Parameters
    ----------
    input_size : int
        Channels of the inputs. If the layer has another number of channels, a linear map comes first.
    layer : S4
        The layer.

    Attributes
    ----------
    rate : float
        Time between inputs relative to training (`set_rate`); 1 by default.
    """

    def __init__(self, input_size: int, layer: S4):
        super().__init__()
        self.layer = layer
        self.entry = None if input_size == layer.hidden_size else nn.Linear(input_size, layer.hidden_size)
        self.output_size: int = layer.hidden_size
        self.rate = 1.0

    def forward(
        self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None, sequence: bool = False
    ) -> Tensor:
        """Compute the outputs of the layer.

        Parameters
        ----------
        inputs, times, lengths, sequence
            As in `hippo.nn.backbone.Backbone`. The layer does not use timestamps: a model adds them to its inputs as
            one more channel.

        Returns
        -------
        Tensor, shape (batch, output_size), or (batch, length, output_size) if `sequence`
        """
        if not sequence:
            return self.layer.last(inputs, lengths, self.rate, self.entry)  # (B, H)
        inputs = inputs if self.entry is None else self.entry(inputs)  # (B, L, H)
        return self.layer(inputs, lengths, rate=self.rate)  # (B, L, H)


def set_rate(model: nn.Module, rate: float) -> None:
    """Set the sampling rate of every S4 layer of a model.

    Parameters
    ----------
    model : torch.nn.Module
        A model with S4 layers.
    rate : float
        Time between inputs relative to training, for example 2 for every second sample.

    Raises
    ------
    ValueError
        If the rate is not positive and finite, or the model has no S4 layer.
    TypeError
        If the rate is not a number.
    """
    rate = check_positive("rate", rate)
    layers = [module for module in model.modules() if isinstance(module, S4Backbone)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no S4 layer, whose sampling rate could be set")
    for layer in layers:
        layer.rate = rate
