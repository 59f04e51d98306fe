"""The time loop on a GPU as CUDA graphs: recorded once per shape, replayed with one launch each way.

A step is a dozen small kernels, and launching them one by one from Python takes longer than they run.
"""

from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from hippo.nn.engine.recurrence import Recurrence

_KEPT = 2  # per cell: a training and an evaluation shape; each holds a tape
_spare: WeakKeyDictionary[nn.Module, dict[tuple, "GraphedRecurrence"]] = WeakKeyDictionary()


class GraphedRecurrence:
    """A recurrence over buffers of its own: values are copied in, a graph is replayed, results copied out."""

    def __init__(self, make: Callable[..., Recurrence], inputs: Tensor, weights, sequence: bool, adjoint: bool):
        self.make, self.sequence = make, sequence
        self.given = [tensor.detach().clone() for tensor in (inputs, *weights)]
        recurrence, (steps, batch, _) = make(*self.given[1:]), inputs.shape
        layout = recurrence.layout(steps, batch)
        self.tape = {n: inputs.new_empty(shape, dtype=dtype) for n, (shape, dtype) in layout.items()}
        lead = (steps, batch) if sequence else (batch,)
        self.grad = inputs.new_zeros(*lead, recurrence.hidden_size)
        self.replay = record([self._forward, self._backward] if adjoint else [self._forward])

    def forward(self, *given: Tensor) -> Tensor:
        """Hidden state after the last step, or after every step, for (inputs, *weights)."""
        for own, value in zip(self.given, given, strict=True):
            own.copy_(value)
        self.replay[0]()
        return self.hidden.clone()

    def backward(self, grad: Tensor) -> tuple[Tensor, ...]:
        """Gradients of (inputs, *weights). Writes over the tape: once per forward pass."""
        self.grad.copy_(grad)
        self.replay[1]()
        return tuple(gradient.clone() for gradient in self.gradients)

    def _forward(self) -> None:
        inputs, *weights = self.given
        self.recurrence = self.make(*weights)
        self.recurrence.start(inputs.shape[1])
        self.recurrence.forward(inputs, self.tape, 0)
        hidden = self.recurrence.hidden() if self.sequence else self.recurrence.state["h"]
        self.hidden = hidden.to(inputs.dtype, copy=True)

    def _backward(self) -> None:
        inputs, recurrence = self.given[0], self.recurrence
        recurrence.start_adjoint(inputs.shape[1])
        if not self.sequence:
            recurrence.grad["h"].copy_(self.grad)
        recurrence.backward(inputs, self.grad if self.sequence else None, self.tape, 0)
        # Weight gradients first: some recurrences have them summed up on the way.
        weights = recurrence.gradients(inputs)
        self.gradients = (recurrence.input_gradient(inputs), *weights)


def record(runs: list[Callable[[], None]]) -> list[Callable[[], None]]:
    """Each of `runs` as a CUDA graph, to be replayed in the same order.

    All run once before, on a side stream, for libraries to set themselves up; nothing runs while it is recorded.
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
    """`unroll` by graphs; `owner` is the cell whose graphs they are."""

    @staticmethod
    def forward(ctx, owner, make, sequence, learning, *given):
        """Borrow the graphs of these shapes, and keep them while a backward pass may come."""
        ctx.of = owner, make, sequence, learning and any(ctx.needs_input_grad)
        ctx.save_for_backward(*given)
        ctx.graphed = _borrow(*ctx.of, given)
        hidden = ctx.graphed.forward(*given)
        if not ctx.of[-1]:
            _give_back(*ctx.of, given, ctx.graphed)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        """The adjoint writes over the tape, so a second backward pass runs forward again first."""
        given = ctx.saved_tensors
        graphed, ctx.graphed = ctx.graphed, None
        if graphed is None:
            graphed = _borrow(*ctx.of, given)
            graphed.forward(*given)
        gradients = graphed.backward(grad)
        _give_back(*ctx.of, given, graphed)
        return None, None, None, None, *gradients


def _key(sequence: bool, adjoint: bool, given) -> tuple:
    return sequence, adjoint, given[0].dtype, given[0].device, tuple(tensor.shape for tensor in given)


def _borrow(owner, make, sequence, adjoint, given) -> GraphedRecurrence:
    kept = _spare.setdefault(owner, {})
    graphed = kept.pop((make.func, make.args, *_key(sequence, adjoint, given)), None)
    return graphed or GraphedRecurrence(make, given[0], given[1:], sequence, adjoint)


def _give_back(owner, make, sequence, adjoint, given, graphed) -> None:
    kept = _spare.setdefault(owner, {})
    kept[make.func, make.args, *_key(sequence, adjoint, given)] = graphed
    while len(kept) > _KEPT:
        del kept[next(iter(kept))]
