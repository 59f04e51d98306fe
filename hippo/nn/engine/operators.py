"""The engine as operators of PyTorch, for programs that `torch.compile`, `torch.export` or `torch.func` reads.

Outside of such programs the engine is called directly: the dispatch of an operator is a considerable part of a short
call, and an operator keeps no tape for the backward pass, which therefore runs the sequence again. This module is
imported on first use.

Letters in shape comments are those of `hippo.nn.engine.recurrence`; L is the length of the sequence.
"""

import dataclasses
import inspect
import json
from collections.abc import Sequence
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from hippo.kernels import product_precision
from hippo.nn.engine.recurrence import Recurrence
from hippo.nn.engine.unroll import chunk_size, run_backward, run_forward

# -- recurrences as text ------------------------------------------------------------------------------------------


@torch.compiler.assume_constant_result
def describe(cell: Any) -> str:
    """Return the text from which `restore` makes the class of a cell's recurrence and its keywords.

    Parameters
    ----------
    cell : UnrolledCell
        Each keyword of its recurrence is a number, a text, None, a data class of such values, or an object with a
        method `settings()`, which returns its constructor's arguments.

    Returns
    -------
    str
        JSON.

    Raises
    ------
    TypeError
        If a keyword is something else.
    """
    make = partial(cell.recurrence(None))
    keywords = {key: value for key, value in make.keywords.items() if key != "step_ratios"}
    return json.dumps(_encoded(cast(type, make.func), keywords), sort_keys=True)


def _encoded(kind: type, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "class": f"{kind.__module__}:{kind.__qualname__}",
        "arguments": {key: _encode(value) for key, value in arguments.items()},
    }


def _encode(value: Any) -> Any:
    if value is None or isinstance(value, int | float | str):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return _encoded(type(value), {field.name: getattr(value, field.name) for field in fields})
    if hasattr(value, "settings"):
        return _encoded(type(value), value.settings())
    raise TypeError(
        f"{type(value).__name__} has no method settings(), which returns the arguments of its constructor: "
        "torch.compile and torch.export need it to store the recurrence of a cell"
    )


@lru_cache(maxsize=256)
def restore(description: str) -> tuple[type[Recurrence], dict[str, Any]]:
    """Return class and keywords of a recurrence from what `describe` returned, also in another process.

    Raises
    ------
    ValueError
        If the text names something else than a recurrence.
    """
    encoded = json.loads(description)
    kind = _find(encoded["class"])
    if not (isinstance(kind, type) and issubclass(kind, Recurrence)):
        raise ValueError(f"{encoded['class']} is not a recurrence: the exported program is not one of hippo")
    return kind, {key: _decode(value) for key, value in encoded["arguments"].items()}


def _find(path: str) -> Any:
    module, _, name = path.partition(":")
    found = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return _find(value["class"])(**{key: _decode(entry) for key, entry in value["arguments"].items()})


@lru_cache(maxsize=256)
def _takes_step_ratios(description: str) -> bool:
    return "step_ratios" in inspect.signature(restore(description)[0]).parameters


# -- operators ----------------------------------------------------------------------------------------------------


def _recurrence(
    inputs: Tensor,
    weights: Sequence[Tensor],
    step_ratios: Tensor | None,
    time: Tensor | None,
    description: str,
    hidden_size: int,
    precision: str,
) -> tuple[Recurrence, int]:
    """The recurrence, and the index of the first input in its sequence."""
    kind, keywords = restore(description)
    first = 0
    if time is not None and len(time) and bool((time >= 0).any()):
        if bool((time < 0).any()):
            raise ValueError("some samples of the batch had inputs before and some had none: run them apart")
        assert step_ratios is not None
        step_ratios, first = pad(step_ratios, (1, 0)), 1  # no step of these is the first one, which has index 0
    if _takes_step_ratios(description):
        keywords = {**keywords, "step_ratios": step_ratios}
    bfloat16 = product_precision(precision, inputs.device) == "bfloat16"
    return kind(hidden_size, torch.bfloat16 if bfloat16 else inputs.dtype, *weights, **keywords), first


@torch.library.custom_op("hippo::unroll", mutates_args=())
def unroll_operator(
    inputs: Tensor,
    initial: list[Tensor],
    weights: list[Tensor],
    step_ratios: Tensor | None,
    time: Tensor | None,
    description: str,
    hidden_size: int,
    precision: str,
    sequence: bool,
    checkpoint: bool,
) -> list[Tensor]:
    """Return [hidden, *final] of `hippo.nn.engine.unroll.unroll`.

    Parameters
    ----------
    inputs : Tensor, shape (length, batch, channels)
        Inputs.
    initial, weights : list of Tensor
        States before the inputs, and weights of the recurrence.
    step_ratios : Tensor, shape (batch, length), or None
        Step ratios if there are timestamps, or if `time` is given.
    time : Tensor, shape (batch,), or None
        Time of the last input before these; None or -1: there was none.
    description : str
        The recurrence (`describe`).
    hidden_size : int
        Hidden units.
    precision : str
        Precision of the products, as in `EngineOptions`.
    sequence, checkpoint : bool
        As in `unroll`.
    """
    recurrence, first = _recurrence(inputs, weights, step_ratios, time, description, hidden_size, precision)
    chunk = chunk_size(len(inputs), keep=False, checkpoint=checkpoint)
    results, _, _ = run_forward(recurrence, inputs, initial, sequence, chunk, first, keep=False)
    return list(results)


@unroll_operator.register_fake
def _(inputs, initial, weights, step_ratios, time, description, hidden_size, precision, sequence, checkpoint):
    leading = inputs.shape[:2] if sequence else inputs.shape[1:2]
    return [inputs.new_empty(*leading, hidden_size), *(torch.empty_like(state) for state in initial)]


@torch.library.custom_op("hippo::unroll_backward", mutates_args=())
def unroll_backward_operator(
    grads: list[Tensor],
    inputs: Tensor,
    initial: list[Tensor],
    weights: list[Tensor],
    step_ratios: Tensor | None,
    time: Tensor | None,
    description: str,
    hidden_size: int,
    precision: str,
    sequence: bool,
    checkpoint: bool,
) -> list[Tensor]:
    """Return the gradients of [inputs, *initial, *weights] from those of [hidden, *final]."""
    recurrence, first = _recurrence(inputs, weights, step_ratios, time, description, hidden_size, precision)
    chunk = chunk_size(len(inputs), keep=True, checkpoint=checkpoint)
    _, snapshots, tape = run_forward(recurrence, inputs, initial, sequence, chunk, first, keep=not checkpoint)
    gradients = run_backward(recurrence, inputs, grads[0], grads[1:], sequence, chunk, first, snapshots, tape)
    return cast(list[Tensor], list(gradients))


@unroll_backward_operator.register_fake
def _(grads, inputs, initial, weights, *_):
    return [torch.empty_like(tensor) for tensor in (inputs, *initial, *weights)]


def _setup_context(ctx, inputs, output):
    x, initial, weights, step_ratios, time, *ctx.settings = inputs
    ctx.sizes = len(initial), len(weights), step_ratios is not None, time is not None
    optional = (tensor for tensor in (step_ratios, time) if tensor is not None)
    ctx.shapes = [(tuple(tensor.shape), tensor.dtype) for tensor in output]
    ctx.save_for_backward(x, *initial, *weights, *optional)


def _backward(ctx, grads):
    states, weights, has_ratios, has_time = ctx.sizes
    x, *rest = ctx.saved_tensors
    initial, rest = list(rest[:states]), rest[states:]
    weight_list, optional = list(rest[:weights]), list(rest[weights:])
    step_ratios = optional.pop(0) if has_ratios else None
    time = optional.pop(0) if has_time else None
    grads = [
        x.new_zeros(shape, dtype=dtype) if grad is None else grad
        for grad, (shape, dtype) in zip(grads, ctx.shapes, strict=True)
    ]
    found = unroll_backward_operator(grads, x, initial, weight_list, step_ratios, time, *ctx.settings)
    return found[0], found[1 : 1 + states], found[1 + states :], None, None, *(None,) * len(ctx.settings)


unroll_operator.register_autograd(_backward, setup_context=_setup_context)


def _each(operator, info, in_dims, arguments) -> list[Tensor]:
    """The results of an operator, called once per entry of the mapped dimension and stacked."""

    def entry(value, dim, index):
        if isinstance(value, list | tuple) and isinstance(dim, list | tuple):
            return [entry(v, d, index) for v, d in zip(value, dim, strict=True)]
        return value.select(dim, index) if isinstance(value, Tensor) and dim is not None else value

    calls = [
        operator(*(entry(value, dim, index) for value, dim in zip(arguments, in_dims, strict=True)))
        for index in range(info.batch_size)
    ]
    return [torch.stack(results) for results in zip(*calls, strict=True)]


def _mapped(operator):
    """The rule of `torch.func.vmap` of an operator."""

    def rule(info, in_dims, *arguments):
        results = _each(operator, info, in_dims, arguments)
        return results, [0] * len(results)

    return rule


unroll_operator.register_vmap(_mapped(unroll_operator))
unroll_backward_operator.register_vmap(_mapped(unroll_backward_operator))


class _Transformed(torch.autograd.Function):
    """The operator for `torch.func`, whose transforms do not take the gradient that an operator registers."""

    @staticmethod
    def forward(settings, states, inputs, *tensors):
        *tensors, step_ratios, time = tensors
        return tuple(unroll_operator(inputs, tensors[:states], tensors[states:], step_ratios, time, *settings))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.settings, ctx.states, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx, *grads):
        found = _TransformedBackward.apply(ctx.settings, ctx.states, *grads, *ctx.saved_tensors)
        return None, None, *found, None, None

    @staticmethod
    def vmap(info, in_dims, *arguments):
        return _map(_Transformed, info, in_dims, arguments)


class _TransformedBackward(torch.autograd.Function):
    """The operator of the gradient, which has no gradient of its own."""

    @staticmethod
    def forward(settings, states, *tensors):
        grads, (inputs, *rest, step_ratios, time) = tensors[: states + 1], tensors[states + 1 :]
        lists = list(grads), inputs, rest[:states], rest[states:]
        return tuple(unroll_backward_operator(*lists, step_ratios, time, *settings))

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError("the recurrent cells of the engine have first derivatives only")

    @staticmethod
    def vmap(info, in_dims, *arguments):
        return _map(_TransformedBackward, info, in_dims, arguments)


def _map(
    function: type[torch.autograd.Function], info, in_dims, arguments
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """Apply a function once per entry of the mapped dimension."""
    results = tuple(_each(function.apply, info, in_dims, arguments))
    return results, (0,) * len(results)


def unroll_traced(
    inputs: Tensor,
    initial: Sequence[Tensor],
    weights: Sequence[Tensor],
    step_ratios: Tensor | None,
    time: Tensor | None,
    *settings: Any,
) -> Sequence[Tensor]:
    """Call the operator in the way that the transform of the program takes; arguments and result are its own."""
    if torch._C._are_functorch_transforms_active():
        return _Transformed.apply(settings, len(initial), inputs, *initial, *weights, step_ratios, time)
    return unroll_operator(inputs, list(initial), list(weights), step_ratios, time, *settings)
