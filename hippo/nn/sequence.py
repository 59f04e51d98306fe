"""The model of every table: encoder -> backbone -> pooling -> decoder."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hippo.config import ConfigError
from hippo.nn.backbone import engine_options, set_engine, sum_counters
from hippo.nn.cells.padding import as_lengths, check_lengths
from hippo.nn.cells.times import intervals, refuse_gradient
from hippo.nn.decoders import PairDecoder
from hippo.nn.encoders import build_encoder
from hippo.nn.engine.options import EngineOptions
from hippo.nn.mixed_precision import uses_autocast
from hippo.nn.options import ModelOptions
from hippo.nn.pooling import pool, true_steps
from hippo.nn.stack import build_backbone
from hippo.nn.tensors import check_tensor


class SequenceModel(nn.Module):
    """A model that maps sequences to one answer per sequence, or to one answer per step.

    * `encoder`: embedding of tokens, linear map of real channels, or None.
    * `backbone`: a recurrent cell, or a stack of layers (`hippo.nn.stack`).
    * pooling: output at the last true step, or mean over the true steps; none with `return_sequence`.
    * `decoder`: linear map, after dropout; for two documents per sample a small network (`hippo.nn.decoders`).

    With the precision `auto`, a model that the engine does not run computes in mixed precision on a GPU.

    Parameters
    ----------
    options : ModelOptions
        Hyperparameters.
    input_size : int
        Channels of the inputs. Not used with a vocabulary.
    output_size : int
        Numbers per answer.
    vocabulary : int, optional
        Number of token ids; inputs are then integers below it. None: inputs are real-valued.
    timestamps : bool, default False
        Every call gives times. A backbone whose options do not declare `uses_times` reads them as one more channel:
        of the inputs if they are real-valued, of their embedding if they are tokens.
    return_sequence : bool, default False
        Return one answer per step.
    documents : {1, 2}, default 1
        Sequences per sample. With 2, the encoder and the backbone read each by itself, and the answer compares them.
    engine : EngineOptions, optional
        Precision and checkpointing of the cells that the engine runs.

    Raises
    ------
    ConfigError
        If the engine options are not the defaults and the engine does not run the model, or if options contradict
        each other.
    """

    def __init__(
        self,
        options: ModelOptions,
        input_size: int,
        output_size: int,
        *,
        vocabulary: int | None = None,
        timestamps: bool = False,
        return_sequence: bool = False,
        documents: int = 1,
        engine: EngineOptions | None = None,
    ):
        super().__init__()
        if documents not in (1, 2):
            raise ConfigError(f"documents = {documents}: expected 1 or 2 sequences per sample")
        if documents == 2 and return_sequence:
            raise ConfigError("documents = 2: there is one answer for two sequences, and none per step")
        default = type(options).model_fields["pooling"].default
        if return_sequence and options.pooling not in ("last", default):
            raise ConfigError(f"pooling = {options.pooling!r}: a model with one answer per step does not pool")
        self.options, self.engine = options, engine or EngineOptions()
        self.input_size, self.output_size, self.vocabulary = input_size, output_size, vocabulary
        self.timestamps, self.return_sequence, self.documents = timestamps, return_sequence, documents
        self.times_as_channel = timestamps and not options.uses_times
        self.pooling = options.pooling
        input_size += self.times_as_channel
        encoder_size = options.encoder_size(vocabulary)
        self.encoder = build_encoder(input_size, vocabulary, encoder_size)
        # timestamps are a channel of real inputs before they are encoded, and a channel beside embedded tokens
        channels = input_size if encoder_size is None else encoder_size
        if vocabulary is not None:
            channels += self.times_as_channel
        self.backbone = build_backbone(options, channels, encoded=self.encoder is not None)
        set_engine(self.backbone, self.engine, type(options).__name__.removesuffix("Options"))
        self.mixed_precision = self.engine.precision == "auto" and not engine_options(self.backbone)
        self.dropout = nn.Dropout(options.dropout) if options.dropout else nn.Identity()
        decoder = PairDecoder if documents == 2 else nn.Linear
        self.decoder = decoder(self.backbone.output_size, output_size)

    def forward(
        self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | Sequence[int] | None = None
    ) -> Tensor:
        """Compute the answers.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, input_size), or of integers (batch, length) with a vocabulary
            Input sequences. With two documents per sample, this and the following have a second axis of size 2.
        times : Tensor, shape (batch, length), optional
            Timestamps, not negative and not decreasing along each sample; required if the model has `timestamps`.
        lengths : Tensor of any integer type or sequence of int, shape (batch,), optional
            True lengths of samples that are padded at their end. Values in the padding are not used.

        Returns
        -------
        Tensor, shape (batch, output_size), or (batch, length, output_size) with `return_sequence`

        Raises
        ------
        ValueError
            If a shape, a type or a range is wrong.
        """
        if self.documents == 2:
            check_tensor("inputs", inputs)
            inputs = _flatten("inputs", inputs)
            times = None if times is None else _flatten("times", times)
            lengths = None if lengths is None else _flatten("lengths", as_lengths(lengths, inputs.device))
        self._check(inputs, times)
        if lengths is not None:
            lengths = check_lengths(lengths, inputs)
        if not (self.mixed_precision and uses_autocast(inputs.device)):
            return self._answer(inputs, times, lengths)
        with torch.autocast(inputs.device.type, torch.bfloat16):
            return self._answer(inputs, times, lengths).float()

    def _answer(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None) -> Tensor:
        """The answers to inputs that have been checked."""
        inside = None
        if lengths is not None:
            inside = true_steps(lengths, inputs.shape[1])  # (B, L)
        inputs = self._encode(inputs, times, lengths, inside)  # (B, L, C)
        times = None if self.times_as_channel else times
        every_step = self.return_sequence or self.pooling != "last"
        outputs = self.backbone(inputs, times=times, lengths=lengths, sequence=every_step)  # (B, L, H) or (B, H)
        if every_step and not self.return_sequence:
            outputs = pool(outputs, lengths, self.pooling)  # (B, H)
        return self.decoder(self.dropout(outputs))

    def counters(self) -> dict[str, int]:
        """Return what the backbone has counted since the last call, by name; the counts start again at 0."""
        return sum_counters([self.backbone])

    def _encode(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None, inside: Tensor | None) -> Tensor:
        """Channels (batch, length, channels) that the backbone reads. Padding is set to 0 first: it may be NaN."""
        if self.encoder is not None and self.vocabulary is not None:
            inputs = self.encoder(inputs if inside is None else inputs.where(inside, 0))  # (B, L, E)
        if self.times_as_channel and times is not None:
            intervals(times, lengths)  # raises for the times that backbones which use timestamps refuse
            inputs = torch.cat([inputs, times.to(inputs.dtype).unsqueeze(2)], dim=2)  # (B, L, C + 1)
        if inside is not None:
            inputs = inputs.where(inside.unsqueeze(2), 0)
        return self.encoder(inputs) if self.encoder is not None and self.vocabulary is None else inputs

    def _check(self, inputs: Tensor, times: Tensor | None) -> None:
        check_tensor("inputs", inputs)
        if times is not None:
            check_tensor("times", times)
        channels = () if self.vocabulary is not None else (self.input_size,)
        if inputs.shape[2:] != channels or inputs.ndim < 2 or inputs.shape[1] == 0:
            expected = ", ".join(["batch", "length", *map(str, channels)])
            raise ValueError(f"inputs have shape {tuple(inputs.shape)}; expected ({expected})")
        if self.vocabulary is not None and (inputs.is_floating_point() or inputs.dtype == torch.bool):
            raise ValueError(f"inputs are {inputs.dtype}; expected integers below {self.vocabulary}")
        if (times is not None) != self.timestamps:
            fault = "missing from a model with" if times is None else "given to a model without"
            raise ValueError(f"times {fault} timestamps; build_model(..., timestamps={times is not None})")
        if times is not None and times.shape != inputs.shape[:2]:
            raise ValueError(f"times have shape {tuple(times.shape)}; expected {tuple(inputs.shape[:2])}")
        if times is not None:
            refuse_gradient(times)


def _flatten(name: str, value: Tensor) -> Tensor:
    """Documents (batch, 2, ...) one after another: (2 batch, ...)."""
    if value.ndim < 2 or value.shape[1] != 2:
        raise ValueError(f"{name} have shape {tuple(value.shape)}; expected two documents per sample: (batch, 2, ...)")
    return value.flatten(0, 1)
