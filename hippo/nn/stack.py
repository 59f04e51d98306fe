"""Stacks of layers with residual connections, normalization and dropout, over any backbone."""

from typing import Any

from torch import Tensor, nn

from hippo.config import ConfigError
from hippo.nn.backbone import sum_counters
from hippo.nn.normalization import BatchNorm, LayerNorm, SequenceDropout
from hippo.nn.options import ModelOptions
from hippo.nn.pooling import last, true_steps


def build_backbone(options: ModelOptions, input_size: int, encoded: bool) -> Any:
    """Build the backbone that options describe.

    Parameters
    ----------
    options : ModelOptions
        Hyperparameters of the layer and of the stack.
    input_size : int
        Channels of the inputs.
    encoded : bool
        True if the inputs come from an encoder.

    Returns
    -------
    torch.nn.Module
        The layer itself (`options.backbone`) if `options.is_plain`, or if the options build the stack themselves;
        otherwise a `Stack`.

    Raises
    ------
    ConfigError
        If layer normalization would act on one channel.
    """
    if options.is_plain or options.builds_stack:
        return options.backbone(input_size)
    return Stack(options, input_size, encoded)


class Stack(nn.Module):
    """Layers one after another, each in a `Block`; after the last one a norm if the blocks normalize their inputs.

    Inputs that do not come from an encoder are not normalized: layer normalization of one channel would remove it.

    Parameters
    ----------
    options : ModelOptions
        Hyperparameters; `options.layer` builds each layer.
    input_size : int
        Channels of the inputs.
    encoded : bool
        True if the inputs come from an encoder.
    """

    def __init__(self, options: ModelOptions, input_size: int, encoded: bool):
        super().__init__()
        self.blocks = nn.ModuleList()
        for position in range(options.layers):
            block = Block(options, input_size, raw_inputs=position == 0 and not encoded)
            self.blocks.append(block)
            input_size = block.output_size
        self.output_size = input_size
        self.norm = build_norm(options.norm, input_size) if options.prenorm else None

    def forward(
        self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None, sequence: bool = False
    ) -> Tensor:
        """Compute the outputs of the last layer.

        Parameters
        ----------
        inputs, times, lengths, sequence
            As in `hippo.nn.backbone.Backbone`. Every layer gets the same timestamps and lengths.

        Returns
        -------
        Tensor, shape (batch, output_size), or (batch, length, output_size) if `sequence`
        """
        inside = None if lengths is None else true_steps(lengths, inputs.shape[1])  # (B, L)
        outputs = inputs  # (B, L, C)
        for block in self.blocks:
            outputs = block(outputs, times, lengths, inside)  # (B, L, H)
        if self.norm is not None:
            outputs = self.norm(outputs, inside)
        return outputs if sequence else last(outputs, lengths)

    def counters(self) -> dict[str, int]:
        """Return the sums of the counts of all layers."""
        return sum_counters(self.blocks)


class Block(nn.Module):
    """One layer with its surroundings: (norm) -> layer -> dropout -> (+ inputs) -> (norm).

    The norm is before the layer if `prenorm`, else at the end. The residual connection adds the inputs as they are if
    they have as many channels as the layer's outputs, and otherwise their image under a learned linear map without
    bias.

    Parameters
    ----------
    options : ModelOptions
        Hyperparameters.
    input_size : int
        Channels of the inputs.
    raw_inputs : bool
        True if the inputs are those of the model. They are not normalized, and a missing value (NaN), which some cells
        accept, adds nothing to the residual connection.
    """

    def __init__(self, options: ModelOptions, input_size: int, raw_inputs: bool):
        super().__init__()
        layer: Any = options.layer(input_size)
        self.layer = layer
        self.output_size: int = layer.output_size
        self.norm_before = build_norm(options.norm, input_size) if options.prenorm and not raw_inputs else None
        self.dropout = SequenceDropout(options.layer_dropout, options.tie_dropout)
        self.residual = options.residual
        same = input_size == self.output_size
        self.shortcut = nn.Linear(input_size, self.output_size, bias=False) if self.residual and not same else None
        self.norm_after = None if options.prenorm else build_norm(options.norm, self.output_size)
        self.raw_inputs = raw_inputs

    def forward(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None, inside: Tensor | None) -> Tensor:
        """Compute the outputs at all steps.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, input_size)
            Inputs.
        times, lengths : Tensor or None
            As in `hippo.nn.backbone.Backbone`.
        inside : Tensor of bool, shape (batch, length), or None
            True at the true steps that `lengths` describe.

        Returns
        -------
        Tensor, shape (batch, length, output_size)
        """
        normalized = inputs if self.norm_before is None else self.norm_before(inputs, inside)
        outputs = self.dropout(self.layer(normalized, times=times, lengths=lengths, sequence=True))  # (B, L, H)
        if self.residual:
            if self.raw_inputs:
                inputs = inputs.where(~inputs.isnan(), 0)
            outputs = outputs + (inputs if self.shortcut is None else self.shortcut(inputs))
        return outputs if self.norm_after is None else self.norm_after(outputs, inside)

    def counters(self) -> dict[str, int]:
        """Return the counts of the layer."""
        return sum_counters([self.layer])


def build_norm(norm: str | None, channels: int) -> nn.Module | None:
    """Build the normalization called `norm` ("layer", "batch" or None) over sequences of `channels` channels.

    Raises
    ------
    ConfigError
        For layer normalization of one channel, whose output does not depend on its input.
    """
    if norm == "layer" and channels == 1:
        raise ConfigError("norm = 'layer' over 1 channel removes its input: use more channels, or norm = 'batch'")
    if norm is None:
        return None
    return LayerNorm(channels) if norm == "layer" else BatchNorm(channels)
