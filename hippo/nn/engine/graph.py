"""The time loop on a GPU as CUDA graphs: recorded once per shape, replayed with one launch per direction.

A step consists of about a dozen small kernels. Launching them one by one from Python takes longer than running them.
"""

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from hippo.nn.engine.first_derivative import first_derivative_only
from hippo.nn.engine.recurrence import Recurrence
from hippo.nn.engine.unroll import in_shapes_of

GRAPHS_KEPT = 2  # per cell: one shape for training and one for evaluation; each holds a tape

# Cell -> key of shapes and settings -> recorded graphs that are not in use.
spare_graphs: WeakKeyDictionary[nn.Module, dict[tuple, "GraphedRecurrence"]] = WeakKeyDictionary()
_lock = Lock()  # of spare_graphs, which the threads of a process share


class GraphedRecurrence:
    """A recurrence over its own fixed buffers: inputs are copied in, a graph is replayed, results are copied out.

    Parameters
    ----------
    make : callable
        `make(*weights)` returns the recurrence.
    arguments : tuple of Tensor
        (inputs, *initial, *weights) define shape, dtype and device of the buffers; inputs (length, batch, channels),
        initial states as in `unroll`.
    sequence : bool
        Return the hidden state of every step, not only that of the last.
    adjoint : bool
        Record the backward pass too.
    states : int, default 0
        Number of states that are given and returned: all of the recurrence, or none, which then begin at zero.
    """

    def __init__(
        self,
        make: Callable[..., Recurrence],
        arguments: tuple[Tensor, ...],
        sequence: bool,
        adjoint: bool,
        states: int = 0,
    ):
        self.make, self.sequence, self.states = make, sequence, states
        self.arguments = [tensor.detach().clone() for tensor in arguments]
        inputs, initial, weights = self._split()
        recurrence, (steps, batch, _) = make(*weights), inputs.shape
        layout = recurrence.layout(steps, batch)
        self.tape = {n: inputs.new_empty(shape, dtype=dtype) for n, (shape, dtype) in layout.items()}
        leading = (steps, batch) if sequence else (batch,)
        self.grad = inputs.new_zeros(*leading, recurrence.hidden_size)  # (L, B, H) or (B, H)
        self.grad_final = [torch.zeros_like(state) for state in initial]
        self.replay = record([self._forward, self._backward] if adjoint else [self._forward])

    def forward(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        """Return the hidden state (B, H), or that of every step (L, B, H), and the states after the last step."""
        for own, value in zip(self.arguments, arguments, strict=True):
            own.copy_(value)
        self.replay[0]()
        return self.hidden.clone(), *(state.clone() for state in self.final)

    def backward(self, grad: Tensor, *grad_final: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of the arguments. Overwrites the tape: call once per `forward`."""
        self.grad.copy_(grad)
        for own, value in zip(self.grad_final, grad_final, strict=True):
            own.copy_(value)
        self.replay[1]()
        return tuple(gradient.clone() for gradient in self.gradients)

    def _split(self) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Inputs, initial states and weights."""
        return self.arguments[0], self.arguments[1 : 1 + self.states], self.arguments[1 + self.states :]

    def _forward(self) -> None:
        inputs, initial, weights = self._split()
        self.recurrence = self.make(*weights)
        self.recurrence.start(inputs.shape[1], initial)
        self.recurrence.forward(inputs, self.tape, 0)
        hidden = self.recurrence.hidden() if self.sequence else self.recurrence.state["h"]
        self.hidden = hidden.to(inputs.dtype, copy=True)
        self.final = in_shapes_of(initial, self.recurrence.state)

    def _backward(self) -> None:
        inputs, recurrence = self.arguments[0], self.recurrence
        recurrence.start_adjoint(inputs.shape[1], self.grad_final)
        if not self.sequence:
            recurrence.grad["h"].add_(self.grad)
        recurrence.backward(inputs, self.grad if self.sequence else None, self.tape, 0)
        gradients = recurrence.gradients(inputs)
        initial = in_shapes_of(self.grad_final, recurrence.grad)
        self.gradients = (recurrence.input_gradient(inputs), *initial, *gradients)


def record(runs: list[Callable[[], None]]) -> list[Callable[[], None]]:
    """Record each of `runs` as a CUDA graph.

    Parameters
    ----------
    runs : list of callable
        Functions without arguments that launch kernels. Each runs once on a side stream before it is recorded, so that
        libraries can initialize. Recording does not execute the kernels.

    Returns
    -------
    list of callable
        Replays of the graphs; call them in the order of `runs`.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for run in runs:
            run()
    torch.cuda.current_stream().wait_stream(side)
    pool, replays = torch.cuda.graph_pool_handle(), []
    for run in runs:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            run()
        replays.append(graph.replay)
    return replays


class Graphed(torch.autograd.Function):
    """The autograd node of `unroll`, computed by CUDA graphs that belong to the cell `owner`."""

    @staticmethod
    def forward(ctx, owner, make, sequence, grad_enabled, states, *arguments):
        """Run the forward graph; keep the graphs for the backward pass if there will be one."""
        adjoint = grad_enabled and any(ctx.needs_input_grad)
        ctx.owner, ctx.settings = owner, _Settings(make, sequence, adjoint, states)
        ctx.save_for_backward(*arguments)
        ctx.graphed = _acquire(owner, ctx.settings, arguments)
        results = ctx.graphed.forward(*arguments)
        if not adjoint:
            _release(owner, ctx.settings, arguments, ctx.graphed)
        return results

    @staticmethod
    @first_derivative_only
    def backward(ctx, *grads):
        """Run the backward graph. It overwrites the tape: a second backward pass runs the forward graph again first."""
        arguments = ctx.saved_tensors
        graphed, ctx.graphed = ctx.graphed, None
        if graphed is None:
            graphed = _acquire(ctx.owner, ctx.settings, arguments)
            graphed.forward(*arguments)
        gradients = graphed.backward(*grads)
        _release(ctx.owner, ctx.settings, arguments, graphed)
        return *(None,) * 5, *gradients


class _Settings(NamedTuple):
    """What recorded graphs depend on, besides the types and shapes of their arguments."""

    make: partial[Recurrence]
    sequence: bool
    adjoint: bool
    states: int


def _key(settings: _Settings, arguments) -> tuple:
    """Return everything that recorded graphs depend on; `make` is a new object in every call."""
    make, *rest = settings
    shapes = tuple(tensor.shape for tensor in arguments)
    return make.func, make.args, *rest, arguments[0].dtype, arguments[0].device, shapes


def _acquire(owner, settings: _Settings, arguments) -> GraphedRecurrence:
    """Return graphs of `owner` for these settings and shapes that are not in use; record them if there are none."""
    with _lock:
        graphed = spare_graphs.setdefault(owner, {}).pop(_key(settings, arguments), None)
    make, sequence, adjoint, states = settings
    return graphed or GraphedRecurrence(make, arguments, sequence, adjoint, states)


def _release(owner, settings: _Settings, arguments, graphed) -> None:
    """Keep the graphs for the next `_acquire`, and drop those beyond `GRAPHS_KEPT`."""
    with _lock:
        kept = spare_graphs.setdefault(owner, {})
        kept[_key(settings, arguments)] = graphed
        while len(kept) > GRAPHS_KEPT:
            del kept[next(iter(kept))]
