"""Base class of cells that the engine unrolls.

Letters in shape comments: B samples, L steps of a sequence, C input channels, H hidden units.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import pad

from hippo.kernels import product_precision
from hippo.nn.cells.cell import Cell
from hippo.nn.cells.times import refuse_gradient, step_ratios_of, stream_ratios
from hippo.nn.engine.graph import Graphed
from hippo.nn.engine.options import EngineOptions
from hippo.nn.engine.recurrence import Recurrence
from hippo.nn.engine.tracing import is_exported, is_traced, refuse_jit
from hippo.nn.engine.unroll import unroll


class UnrolledCell(Cell):
    """A cell whose sequences run in the engine.

    A subclass defines `weights` and `recurrence`, the fast form, and `step` (with `start` where the state is more than
    a hidden state), the reference form. The two share no code.

    Attributes
    ----------
    engine : EngineOptions
        Precision and checkpointing; defaults unless a model sets it.
    """

    engine = EngineOptions()

    def weights(self) -> tuple[Tensor, ...]:
        """Return the weights in the order in which the recurrence takes them.

        Biases are the last column of the weights of the input (`with_bias`).
        """
        raise NotImplementedError(f"{type(self).__name__} does not define weights()")

    def recurrence(self, step_ratios: Tensor | None) -> Callable[..., Recurrence]:
        """Return the recurrence of this cell, a class or a `functools.partial` of one.

        Parameters
        ----------
        step_ratios : Tensor, shape (batch, length), or None
            Δt/t of every step if there are timestamps.

        Returns
        -------
        callable
            `(hidden_size, compute, *weights) -> Recurrence`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define recurrence(step_ratios)")

    @property
    def timed(self) -> bool:
        """Whether the recurrence depends on the index of a step or on its step ratio. The state then ends with a time.

        False unless a subclass overrides it.
        """
        return False

    def _leaves_graph(self, inputs: Tensor, state: Sequence[Tensor] | None = None) -> bool:
        """Whether `torch.compile` reads a call with gradients: the operator runs each sequence twice for them."""
        if not torch.compiler.is_compiling() or is_exported() or not torch.is_grad_enabled():
            return False
        return any(tensor.requires_grad for tensor in (inputs, *(state or ()), *self.parameters()))

    def _check_shapes(self, inputs: Tensor, times: Tensor | None) -> None:
        super()._check_shapes(inputs, times)
        if times is not None:
            refuse_gradient(times)

    def hidden_states(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None, every_step: bool) -> Tensor:
        """Run the engine; arguments and result as in `Cell.hidden_states`.

        Raises
        ------
        ValueError
            If inputs and weights are not both float32 or both float64.
        """
        step_ratios = None if times is None else step_ratios_of(times, lengths)  # (B, L)
        return self.unroll(inputs, step_ratios, every_step)[0]

    def initial_state(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the state with which `run` begins, that of `start`: the engine's states, and a time if `timed`."""
        return self.start(inputs)

    def resume(
        self, inputs: Tensor, state: tuple[Tensor, ...], times: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the engine from a state; arguments and result as in `Cell.resume`."""
        if not self.timed:
            hidden, *after = self.unroll(inputs, None, True, state)
            return hidden, tuple(after)
        own, time = state[:-1], state[-1]
        if is_traced():  # the values of `time` are unknown
            step_ratios, end = stream_ratios(time, times, inputs.shape[1])
            hidden, *after = self.unroll(inputs, step_ratios, True, own, time=time)
            return hidden, (*after, end)
        unseen = time < 0
        if unseen.any() and not unseen.all():
            return self._resume_apart(inputs, state, times, unseen)
        seen = len(time) > 0 and not bool(unseen[0])
        if times is None and bool((time == time[:1]).all()) and bool((time == time.round()).all()):
            first = int(time[0]) + 1 if seen else 0
            hidden, *after = self.unroll(inputs, None, True, own, first)
            return hidden, (*after, time + inputs.shape[1])
        step_ratios, end = stream_ratios(time, times, inputs.shape[1])  # (B, L)
        if seen:  # no step of these is the first one, which has index 0
            hidden, *after = self.unroll(inputs, pad(step_ratios, (1, 0)), True, own, 1)
        else:
            hidden, *after = self.unroll(inputs, step_ratios, True, own)
        return hidden, (*after, end)

    def _resume_apart(self, inputs, state, times, unseen) -> tuple[Tensor, tuple[Tensor, ...]]:
        """`resume` for a batch in which only some samples had an input before."""
        groups = [mask.nonzero().squeeze(1) for mask in (unseen, ~unseen)]
        results = [
            self.resume(inputs[group], tuple(entry[group] for entry in state), None if times is None else times[group])
            for group in groups
        ]
        back = torch.cat(groups).argsort()
        (one, one_state), (other, other_state) = results
        entries = zip(one_state, other_state, strict=True)
        return torch.cat([one, other])[back], tuple(torch.cat(pair)[back] for pair in entries)

    def unroll(
        self,
        inputs: Tensor,
        step_ratios: Tensor | None,
        every_step: bool,
        state: Sequence[Tensor] = (),
        first: int = 0,
        time: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Run the engine.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, channels)
            Inputs.
        step_ratios : Tensor, shape (batch, length), or None
            Δt/t of every step if there are timestamps; with `first` 1, of one more step before.
        every_step : bool
            Return the hidden state of every step.
        state : sequence of Tensor, optional
            States of the recurrence before the inputs. Without it they are zero.
        first : int, default 0
            Index of the first input in its sequence.
        time : Tensor, shape (batch,), optional
            Time of the last input before these, instead of `first` in a traced program (`is_traced`).

        Returns
        -------
        hidden : Tensor, shape (batch, length, hidden), or (batch, hidden)
        *state : Tensor
            States after the last input; none without `state`.

        Raises
        ------
        ValueError
            If inputs and weights are not both float32 or both float64.
        """
        if torch.is_autocast_enabled(inputs.device.type):  # the engine has its own mixed precision
            with torch.autocast(inputs.device.type, enabled=False):
                return self.unroll(inputs.to(self.weights()[0].dtype), step_ratios, every_step, state, first, time)
        refuse_jit(type(self).__name__)
        weights = self.weights()
        check_dtypes(inputs, weights[0])
        ones = torch.ones_like(inputs[:, :, :1])  # the input of the biases
        inputs = torch.cat([inputs, ones], dim=2).transpose(0, 1).contiguous()  # (L, B, C + 1)
        if is_traced():
            hidden, *state = self._traced(inputs, weights, step_ratios, every_step, state, time)
        else:
            hidden, *state = self._direct(inputs, weights, step_ratios, every_step, state, first)
        return (hidden.transpose(0, 1) if every_step else hidden, *state)  # (B, L, H) or (B, H)

    def _direct(self, inputs, weights, step_ratios, every_step, state, first) -> tuple[Tensor, ...]:
        """Call the engine for inputs (L, B, C + 1)."""
        # float32 on a CPU without bfloat16 units, where bfloat16 products would be slower than float32.
        precision = product_precision(self.engine.precision, inputs.device)
        compute = torch.bfloat16 if precision == "bfloat16" else inputs.dtype
        make = partial(self.recurrence(step_ratios), self.hidden_size, compute)
        checkpoint = self.engine.checkpoint
        if inputs.is_cuda and step_ratios is None and not checkpoint and first == 0:
            arguments = inputs, *state, *weights
            return Graphed.apply(self, make, every_step, torch.is_grad_enabled(), len(state), *arguments)
        return unroll(make, inputs, weights, every_step, checkpoint, state, first)

    def _traced(self, inputs, weights, step_ratios, every_step, state, time) -> Sequence[Tensor]:
        """Call the engine's operator for inputs (L, B, C + 1)."""
        from hippo.nn.engine import operators

        engine = self.engine
        recurrence = operators.describe(self)
        settings = recurrence, self.hidden_size, engine.precision, every_step, engine.checkpoint
        return operators.unroll_traced(inputs, state, weights, step_ratios, time, *settings)


def check_dtypes(inputs: Tensor, weight: Tensor) -> None:
    """Raise ValueError unless inputs and a weight are both float32 or both float64."""
    if inputs.dtype in (torch.float32, torch.float64) and inputs.dtype == weight.dtype:
        return
    message = f"inputs are {inputs.dtype}, the weights {weight.dtype}; expected both float32 or both float64"
    if torch.float16 in (inputs.dtype, weight.dtype) or torch.bfloat16 in (inputs.dtype, weight.dtype):
        message += (
            ". For products in bfloat16 keep the weights in float32 and set engine.precision to bfloat16 "
            '(engine={"precision": "bfloat16"}), or call the model under torch.autocast'
        )
    raise ValueError(message)


def with_bias(weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Append a bias to a weight, as the weight of a last input that is 1.

    Parameters
    ----------
    weight : Tensor, shape (rows, columns)
    bias : Tensor, shape (rows,), optional
        Zero if not given.

    Returns
    -------
    Tensor, shape (rows, columns + 1)
    """
    column = weight.new_zeros(len(weight)) if bias is None else bias
    return torch.cat([weight, column.unsqueeze(1)], dim=1)
