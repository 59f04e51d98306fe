"""The time loop on a GPU as CUDA graphs: recorded once per shape, replayed with one launch per direction.

A step consists of about a dozen small kernels. Launching them one by one from Python takes longer than running them.
"""

from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from hippo.nn.engine.recurrence import Recurrence

GRAPHS_KEPT = 2  # per cell: one shape for training and one for evaluation; each holds a tape

# Cell -> key of shapes and settings -> recorded graphs that are not in use.
spare_graphs: WeakKeyDictionary[nn.Module, dict[tuple, "GraphedRecurrence"]] = WeakKeyDictionary()


class GraphedRecurrence:
    """A recurrence over its own fixed buffers: inputs are copied in, a graph is replayed, results are copied out.

    Parameters
    ----------
    make : callable
        `make(*weights)` returns the recurrence.
    inputs : Tensor, shape (length, batch, channels)
        Defines shape, dtype and device of the input buffer.
    weights : tuple of Tensor
        Define the buffers of the weights.
    sequence : bool
        Return the hidden state of every step, not only that of the last.
    adjoint : bool
        Record the backward pass too.
    """

    def __init__(
        self,
        make: Callable[..., Recurrence],
        inputs: Tensor,
        weights: tuple[Tensor, ...],
        sequence: bool,
        adjoint: bool,
    ):
        self.make, self.sequence = make, sequence
        self.arguments = [tensor.detach().clone() for tensor in (inputs, *weights)]
        recurrence, (steps, batch, _) = make(*self.arguments[1:]), inputs.shape
        layout = recurrence.layout(steps, batch)
        self.tape = {n: inputs.new_empty(shape, dtype=dtype) for n, (shape, dtype) in layout.items()}
        leading = (steps, batch) if sequence else (batch,)
        self.grad = inputs.new_zeros(*leading, recurrence.hidden_size)  # (L, B, H) or (B, H)
        self.replay = record([self._forward, self._backward] if adjoint else [self._forward])

    def forward(self, *arguments: Tensor) -> Tensor:
        """Return the hidden state (B, H), or that of every step (L, B, H), for arguments (inputs, *weights)."""
        for own, value in zip(self.arguments, arguments, strict=True):
            own.copy_(value)
        self.replay[0]()
        return self.hidden.clone()

    def backward(self, grad: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of (inputs, *weights). Overwrites the tape: call once per `forward`."""
        self.grad.copy_(grad)
        self.replay[1]()
        return tuple(gradient.clone() for gradient in self.gradients)

    def _forward(self) -> None:
        inputs, *weights = self.arguments
        self.recurrence = self.make(*weights)
        self.recurrence.start(inputs.shape[1])
        self.recurrence.forward(inputs, self.tape, 0)
        hidden = self.recurrence.hidden() if self.sequence else self.recurrence.state["h"]
        self.hidden = hidden.to(inputs.dtype, copy=True)

    def _backward(self) -> None:
        inputs, recurrence = self.arguments[0], self.recurrence
        recurrence.start_adjoint(inputs.shape[1])
        if not self.sequence:
            recurrence.grad["h"].copy_(self.grad)
        recurrence.backward(inputs, self.grad if self.sequence else None, self.tape, 0)
        gradients = recurrence.gradients(inputs)
        self.gradients = (recurrence.input_gradient(inputs), *gradients)


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
    def forward(ctx, owner, make, sequence, grad_enabled, *arguments):
        """Run the forward graph; keep the graphs for the backward pass if there will be one."""
        ctx.settings = owner, make, sequence, grad_enabled and any(ctx.needs_input_grad)
        ctx.save_for_backward(*arguments)
        ctx.graphed = _acquire(*ctx.settings, arguments)
        hidden = ctx.graphed.forward(*arguments)
        if not ctx.settings[-1]:
            _release(*ctx.settings, arguments, ctx.graphed)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        """Run the backward graph. It overwrites the tape: a second backward pass runs the forward graph again first."""
        arguments = ctx.saved_tensors
        graphed, ctx.graphed = ctx.graphed, None
        if graphed is None:
            graphed = _acquire(*ctx.settings, arguments)
            graphed.forward(*arguments)
        gradients = graphed.backward(grad)
        _release(*ctx.settings, arguments, graphed)
        return None, None, None, None, *gradients


def _key(make, sequence: bool, adjoint: bool, arguments) -> tuple:
    """Return everything that recorded graphs depend on."""
    shapes = tuple(tensor.shape for tensor in arguments)
    return make.func, make.args, sequence, adjoint, arguments[0].dtype, arguments[0].device, shapes


def _acquire(owner, make, sequence, adjoint, arguments) -> GraphedRecurrence:
    """Return graphs of `owner` for these settings and shapes that are not in use; record them if there are none."""
    kept = spare_graphs.setdefault(owner, {})
    graphed = kept.pop(_key(make, sequence, adjoint, arguments), None)
    return graphed or GraphedRecurrence(make, arguments[0], arguments[1:], sequence, adjoint)


def _release(owner, make, sequence, adjoint, arguments, graphed) -> None:
    """Keep the graphs for the next `_acquire`, and drop those beyond `GRAPHS_KEPT`."""
    kept = spare_graphs.setdefault(owner, {})
    kept[_key(make, sequence, adjoint, arguments)] = graphed
    while len(kept) > GRAPHS_KEPT:
        del kept[next(iter(kept))]
