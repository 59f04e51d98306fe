"""The S4 layer.

Letters in shape comments: B samples, L steps, H features.
"""

from collections.abc import Collection, Sequence
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from hippo.nn.cells.padding import check_lengths
from hippo.nn.engine.tracing import NotScriptable, call_directly, is_traced, leaves_graph, runs_directly
from hippo.nn.normalization import SequenceDropout
from hippo.nn.pooling import true_steps
from hippo.nn.ssm import compiled_convolution, compiled_scan, compiled_step, recurrence
from hippo.nn.ssm.convolution import convolve
from hippo.nn.ssm.gated_linear import GatedLinear
from hippo.nn.ssm.inputs import check_finite, check_inputs, check_memory, check_response, check_state
from hippo.nn.ssm.last_output import last_output
from hippo.nn.ssm.settings import is_number
from hippo.nn.ssm.snapshot import Snapshot
from hippo.nn.ssm.system import StateSpace
from hippo.operators.checks import check_integer


class S4(NotScriptable, nn.Module):
    """A layer that convolves each channel with the response of its own linear system, then mixes the channels.

    outputs = GLU(W dropout(GELU(K * u + D u)) + w). Sequences that begin in a state, and single steps, are computed by
    the recurrence x' = Abar x + Bbar u, which gives the same outputs as the convolution.

    Parameters
    ----------
    hidden_size : int
        Channels of the inputs and of the outputs.
    state_size : int, default 64
        Size of the state of each channel; even.
    measure : str, default "legs"
        System that A and B begin with: "legs", "legt", "fout", "lagt", "diag_legs", "diag_inv", "diag_lin",
        "diag_real", or a mixture such as "legs+fout".
    dt_min, dt_max : float, default 0.001 and 0.1
        Range of the initial step sizes, log-uniform. 1 / dt_min should be near the longest dependency, in steps.
    n_ssm : int, optional
        Copies of A and B. Default: one of each system of the mixture.
    discretization : {"bilinear", "zoh"}, default "bilinear"
        "zoh" for diagonal systems only.
    bidirectional : bool, default False
        Add the convolution of later inputs with a second response. Such a layer has no recurrent form.
    activation : {"gelu"} or None, default "gelu"
        Activation after the convolution; None: none, so that with a linear output the layer is linear.
    dropout : float, default 0.0
        Fraction of units set to zero after the activation.
    tie_dropout : bool, default False
        Set the same units to zero at all steps of a sequence.
    output : {"glu", "linear"} or None, default "glu"
        Map of the channels: linear with a gate, linear, or None, which also leaves out activation and dropout.
    frozen : collection of {"A", "B", "C", "D", "step"}, default ()
        Parts that are not trained.
    learning_rate_A, learning_rate_B, learning_rate_step : float or None, default 0.001
        Learning rates of the parts, without weight decay; None: the global one.
    device, dtype
        As in the modules of PyTorch; dtype float32 or float64.

    Raises
    ------
    ValueError
        If a setting cannot be used. The message names it.
    TypeError
        If a size or a step size has the wrong type, or `frozen` is not a collection of names.

    References
    ----------
    Gu, Goel, Ré, "Efficiently Modeling Long Sequences with Structured State Spaces", arXiv 2111.00396.
    Gu, Johnson, Timalsina, Rudra, Ré, "How to Train Your HiPPO", arXiv 2206.12037.

    Examples
    --------
    >>> import torch
    >>> layer = S4(hidden_size=16, state_size=8).eval()
    >>> inputs = torch.randn(4, 100, 16)
    >>> outputs = layer(inputs)
    >>> outputs.shape
    torch.Size([4, 100, 16])

    A stream in chunks, and step by step:

    >>> first, state = layer(inputs[:, :70], return_state=True)
    >>> second, state = layer(inputs[:, 70:], state=state, return_state=True)
    >>> torch.allclose(torch.cat([first, second], 1), outputs, atol=1e-5)
    True
    >>> one, state = layer.step(inputs[:, 0], layer.initial_state(4))
    >>> torch.allclose(one, outputs[:, 0], atol=1e-5)
    True
    """

    def __init__(
        self,
        hidden_size: int,
        state_size: int = 64,
        measure: str = "legs",
        *,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        n_ssm: int | None = None,
        discretization: str = "bilinear",
        bidirectional: bool = False,
        activation: str | None = "gelu",
        dropout: float = 0.0,
        tie_dropout: bool = False,
        output: str | None = "glu",
        frozen: Collection[str] = (),
        learning_rate_A: float | None = 0.001,
        learning_rate_B: float | None = 0.001,
        learning_rate_step: float | None = 0.001,
        device=None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        if dtype not in (None, torch.float32, torch.float64):
            raise ValueError(f"dtype = {dtype}: expected torch.float32 or torch.float64")
        if not is_number(dropout, below=1):
            raise ValueError(f"dropout = {dropout!r}: expected a number from 0 to below 1")
        if activation not in ("gelu", None):
            raise ValueError(f"activation = {activation!r}: expected 'gelu' or None")
        if output not in ("glu", "linear", None):
            raise ValueError(f"output = {output!r}: expected 'glu', 'linear' or None")
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.system = StateSpace(
            hidden_size,
            state_size,
            measure,
            dt_min=dt_min,
            dt_max=dt_max,
            n_ssm=n_ssm,
            discretization=discretization,
            channels=2 if bidirectional else 1,
            frozen=frozen,
            learning_rate_A=learning_rate_A,
            learning_rate_B=learning_rate_B,
            learning_rate_step=learning_rate_step,
            **factory,
        )
        self.hidden_size = self.output_size = hidden_size
        self.bidirectional = bidirectional
        D = torch.randn(hidden_size, **factory)
        if "D" in frozen:
            self.register_buffer("D", D)
        else:
            self.D = nn.Parameter(D)
        self.activation = bool(activation and output)  # whether GELU follows the convolution
        self._step: compiled_step.CompiledStep | None = None
        self.dropout = SequenceDropout(dropout, tie_dropout) if dropout and output else nn.Identity()
        self.output: nn.Module = nn.Identity()
        if output == "linear":
            self.output = nn.Linear(hidden_size, hidden_size, **factory)
        elif output == "glu":
            self.output = GatedLinear(hidden_size, **factory)

    @overload
    def forward(
        self, inputs: Tensor, lengths=..., state=..., return_state: Literal[False] = False, rate=...
    ) -> Tensor: ...

    @overload
    def forward(
        self, inputs: Tensor, lengths=..., state=..., *, return_state: Literal[True], rate=...
    ) -> tuple[Tensor, Tensor]: ...

    def forward(
        self,
        inputs: Tensor,
        lengths: Tensor | Sequence[int] | None = None,
        state: Tensor | None = None,
        return_state: bool = False,
        rate: float = 1.0,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Compute the outputs at all steps.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, hidden_size)
            Inputs.
        lengths : Tensor or sequence of int, shape (batch,), optional
            True lengths of samples that are padded at their end. The padding is read as zeros.
        state : Tensor of complex, shape (batch, hidden_size, state_size / 2), optional
            State after the inputs before these. Default: zeros.
        return_state : bool, default False
            Also return the state after each sample's last true input, from which the next chunk resumes.
        rate : float, default 1.0
            Time between inputs relative to training, for example 2 for every second sample.

        Returns
        -------
        outputs : Tensor, shape (batch, length, hidden_size)
        state : Tensor of complex, shape (batch, hidden_size, state_size / 2)
            Only with `return_state`.

        Raises
        ------
        ValueError
            If a shape or type is wrong, an input or the state is not finite, `rate` is not positive, or the layer is
            bidirectional and a state is wanted.
        TypeError
            If the inputs are not a dense tensor, or `rate` is not a number.
        MemoryError
            If the computation needs more than the memory of this machine.
        Diverged
            If a parameter of the system is not finite.
        """
        if leaves_graph(self, inputs):
            return call_directly(self.forward, inputs, lengths, state, return_state, rate)
        inputs = check_inputs(inputs, ("batch", "length", self.hidden_size), self.D.dtype)
        check_memory(inputs)
        if lengths is not None:
            lengths = check_lengths(lengths, inputs, least=0)
            inputs = inputs.where(true_steps(lengths, inputs.shape[1]).unsqueeze(2), 0)
        check_finite(inputs)
        if state is None and not return_state:
            with torch.autocast(inputs.device.type, enabled=False):  # transforms and responses need float32
                system, log_step = compiled_convolution.discretize(self.system, inputs, rate)
                outputs = convolve(inputs, system, self.D, self.activation, log_step)
            return self._mix(outputs)
        with torch.autocast(inputs.device.type, enabled=False):
            outputs, after = self._scan(inputs, lengths, state, rate)
        outputs = self._mix(outputs)
        return (outputs, after) if return_state else outputs

    def _scan(self, inputs: Tensor, lengths: Tensor | None, state: Tensor | None, rate: float) -> tuple[Tensor, Tensor]:
        """Activated outputs of the recurrence (B, L, H), and the last state."""
        system = self.system.discretize(rate)
        self._check_one_direction("a state")
        state = self._state(inputs, state)
        if lengths is None and compiled_scan.serves(inputs, state, system, self.D):
            outputs, state = compiled_scan.scan(inputs, state, system, self.D)
        else:
            outputs, state = recurrence.scan(inputs, state, system, self.D, lengths)
        return self._activate(outputs), state

    def last(
        self, inputs: Tensor, lengths: Tensor | None = None, rate: float = 1.0, entry: nn.Linear | None = None
    ) -> Tensor:
        """Compute the output at the last true step alone, without the convolution.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, hidden_size), or (batch, length, entry.in_features) with `entry`
            Inputs.
        lengths, rate
            As in `forward`; each length is at least 1.
        entry : torch.nn.Linear, optional
            Map of the inputs to the channels of the layer, which then is not computed at every step.

        Returns
        -------
        Tensor, shape (batch, hidden_size)

        Raises
        ------
        ValueError, TypeError, MemoryError, Diverged
            As in `forward`.
        """
        if leaves_graph(self, inputs):
            return call_directly(self.last, inputs, lengths, rate, entry)
        channels = self.hidden_size if entry is None else entry.in_features
        inputs = check_inputs(inputs, ("batch", "length", channels), self.D.dtype)
        check_response(self.hidden_size, inputs.shape[1], inputs)
        if lengths is not None:
            lengths = check_lengths(lengths, inputs)
            inputs = inputs.where(true_steps(lengths, inputs.shape[1]).unsqueeze(2), 0)
        check_finite(inputs)
        with torch.autocast(inputs.device.type, enabled=False):
            system, log_step = compiled_convolution.discretize(self.system, inputs, rate)
            outputs = last_output(inputs, system, self.D, lengths, entry, log_step)  # (B, H)
        return self._mix(self._activate(outputs.unsqueeze(1))).squeeze(1)

    def step(self, inputs: Tensor, state: Tensor, rate: float = 1.0) -> tuple[Tensor, Tensor]:
        """Compute one step. Its cost does not depend on how many inputs there were before.

        Under `torch.no_grad()` in eval mode the discrete system is computed once, for the first step, and again after
        a change of a parameter. PyTorch does not count changes through `.data` or NumPy: they are seen after `train()`
        or `eval()`. Where the compiled step is kept for the next inputs, the state is not checked for NaN and infinity,
        which would take a sixth of the time of a step; they then appear in the outputs.

        Parameters
        ----------
        inputs : Tensor, shape (batch, hidden_size)
            Inputs of the step.
        state : Tensor of complex, shape (batch, hidden_size, state_size / 2)
            State before the step: `initial_state`, or what the last step returned.
        rate : float, default 1.0
            As in `forward`.

        Returns
        -------
        outputs : Tensor, shape (batch, hidden_size)
        state : Tensor of complex, shape (batch, hidden_size, state_size / 2)

        Raises
        ------
        ValueError
            If a shape or type is wrong, an input or the state is not finite, `rate` is not positive, or the layer is
            bidirectional.
        TypeError, Diverged
            As in `forward`.
        """
        if runs_directly():
            step = self._step  # another thread may replace it
            if step is not None and step.is_of(self, rate) and step.fits(inputs, state):
                result = step(inputs, state)
                if result is not None:
                    return result
        return self._any_step(inputs, state, rate)

    def _any_step(self, inputs: Tensor, state: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """One step with all checks. It prepares the compiled step for the next inputs."""
        if leaves_graph(self, inputs):
            return call_directly(self.step, inputs, state, rate)
        self._check_one_direction("step")
        given, inputs = inputs, check_inputs(inputs, ("batch", self.hidden_size), self.D.dtype)
        if inputs is not given:  # the step that is kept serves for inputs in the type of the parameters
            return self.step(inputs, state, rate)
        check_finite(inputs)
        is_kept = not (torch.is_grad_enabled() or is_traced())
        snapshot = Snapshot.of(compiled_step.parameters(self)) if is_kept else None  # before their values are read
        system, state = self.system.discretize(rate), self._state(inputs, state)
        if not compiled_scan.serves(inputs, state, system, self.D):
            with torch.autocast(inputs.device.type, enabled=False):
                outputs, state = recurrence.step(inputs, state, system, self.D)
            return self._mix(self._activate(outputs.unsqueeze(1))).squeeze(1), state
        if compiled_step.serves(self, inputs, system):
            self._step = step = compiled_step.CompiledStep(self, system, rate, snapshot)
            plain = [tensor.detach().resolve_conj().resolve_neg().contiguous() for tensor in (inputs, state)]
            result = step(*plain) if step.fits(*plain) else None
            if result is not None:
                return result
        outputs, state = compiled_scan.scan(inputs.unsqueeze(1), state, system, self.D)
        return self._mix(self._activate(outputs)).squeeze(1), state

    def initial_state(self, batch: int) -> Tensor:
        """Return the state before the first input.

        Parameters
        ----------
        batch : int
            Number of samples.

        Returns
        -------
        Tensor of complex, shape (batch, hidden_size, state_size / 2)
            Zeros.

        Raises
        ------
        ValueError, TypeError
            If the number is negative or not an integer, or the layer is bidirectional.
        """
        self._check_one_direction("a state")
        return self._zeros(batch if is_traced() else check_integer("batch", batch, least=0))

    def _zeros(self, batch: int) -> Tensor:
        """A state of zeros."""
        shape = (batch, self.hidden_size, self.system.state_size // 2)
        return torch.zeros(shape, dtype=self.D.dtype.to_complex(), device=self.D.device)

    def _state(self, inputs: Tensor, state: Tensor | None) -> Tensor:
        """The state that was given, after a check of its shape, type and numbers, or zeros."""
        if state is None:
            return self._zeros(len(inputs))
        check_state(state, (len(inputs), self.hidden_size, self.system.state_size // 2), self.D.dtype.to_complex())
        check_finite(state)
        return state

    def _activate(self, outputs: Tensor) -> Tensor:
        """Activation of the outputs of the recurrence (B, L, H)."""
        return gelu(outputs) if self.activation else outputs

    def _mix(self, outputs: Tensor) -> Tensor:
        """Dropout and output map of the activated outputs (B, L, H)."""
        return self.output(self.dropout(outputs))

    def train(self, mode: bool = True) -> "S4":
        """Set training mode, and forget the step that eval mode keeps."""
        self._step = None
        return super().train(mode)

    def _check_one_direction(self, what: str) -> None:
        if self.bidirectional:
            raise ValueError(
                f"a bidirectional layer has no {what.removeprefix('a ')}: its outputs depend on later inputs; pass "
                "whole sequences to forward, or use bidirectional=False"
            )
