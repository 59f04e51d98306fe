"""One step of an S4 layer in one call of the compiled kernels, without gradients (csrc/ssm)."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from hippo.kernels import backend
from hippo.nn.ssm.compiled_convolution import view
from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.gated_linear import GatedLinear
from hippo.nn.ssm.snapshot import Snapshot

if TYPE_CHECKING:
    from hippo.nn.ssm.layer import S4

FEW = 4  # samples up to which a step is one call: beyond them, PyTorch's matrix product is faster
NOTHING = np.empty(0, dtype=np.float32)


def parameters(layer: "S4") -> list[Tensor | None]:
    """Return all tensors that the steps of a layer depend on. Attribute access would take five times as long.

    Parameters
    ----------
    layer : S4
        The layer.

    Returns
    -------
    list of Tensor or None
        None in place of a parameter that the layer does not have.
    """
    modules: dict[str, Any] = layer._modules
    system, output = modules["system"], modules["output"]
    return [
        *system._parameters.values(),
        *system._buffers.values(),
        *layer._parameters.values(),
        *layer._buffers.values(),
        *output._parameters.values(),
    ]


def has_hooks(module: nn.Module) -> bool:
    """Return True if a call of the module runs more than its `forward`.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    """
    return bool(module._forward_hooks or module._forward_pre_hooks)


def is_plain(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Return True if a kernel can read the numbers of a tensor in the CPU's memory, one after the other.

    Parameters
    ----------
    tensor : Tensor
        The tensor.
    dtype : torch.dtype
        Type that the kernel reads.
    """
    return (
        tensor.dtype is dtype
        and tensor.is_cpu
        and tensor.is_contiguous()
        and not tensor.is_conj()
        and not tensor.is_neg()
    )


def serves(layer: "S4", inputs: Tensor, system: DiscreteSystem) -> bool:
    """Return True if one call computes the step of inputs for which the compiled scan serves.

    Parameters
    ----------
    layer : S4
        The layer, in one direction.
    inputs : Tensor, shape (batch, features)
        Inputs of the step.
    system : DiscreteSystem
        The discrete system of the layer.

    Returns
    -------
    bool
    """
    output, features = layer.output, layer.hidden_size
    if layer.system._modules or "parametrizations" in layer._modules:
        return False  # a snapshot does not contain the tensors of parametrizations
    if len(system.a) != features or layer.D.shape != (features,):
        return False  # the compiled scan tells what is wrong
    if not 0 < len(inputs) <= FEW or inputs.dtype != torch.float32 or layer.dropout.training or has_hooks(output):
        return False
    if type(output) is nn.Identity:
        return True
    if type(output) is not GatedLinear or output.bias is None:
        return False
    fits = output.weight.shape == (2 * features, features) and output.bias.shape == (2 * features,)
    return fits and is_plain(output.weight, torch.float32) and is_plain(output.bias, torch.float32)


class CompiledStep:
    """The steps of a layer, each as one call: recurrence, GELU, linear map and GLU.

    The object serves until the layer changes. It shares the memory of the output map.

    Parameters
    ----------
    layer : S4
        The layer, for which `serves` is true.
    system : DiscreteSystem
        Its discrete system, complex64, with one channel.
    rate : float
        The rate of this system.
    snapshot : Snapshot or None
        Of `parameters(layer)`, from before the system was computed; None: the object serves once.
    """

    def __init__(self, layer: "S4", system: DiscreteSystem, rate: float, snapshot: Snapshot | None):
        self.rate, self.snapshot = float(rate), snapshot
        self.system, self.output, self.activation = layer.system, layer.output, layer.activation
        weights = NOTHING, NOTHING
        if isinstance(layer.output, GatedLinear):
            weights = view(layer.output.weight), view(layer.output.bias)
        self.module = backend().require()
        self.kernel = self.module.SsmStep(*map(view, (*system, layer.D)), *weights, layer.activation)
        features, states = system.a.shape
        self.shapes: dict[tuple[int, ...], tuple[int, ...]] = {  # of the inputs: of their state
            (batch, features): (batch, features, states) for batch in range(1, FEW + 1)
        }

    def is_of(self, layer: "S4", rate: float) -> bool:
        """Return True if this object computes the steps of the layer as it is now, where no gradient is wanted."""
        modules: dict[str, Any] = layer._modules  # attribute access is slow
        system, output = modules["system"], modules["output"]
        return (
            self.snapshot is not None
            and type(rate) in (float, int)
            and rate == self.rate
            and system is self.system
            and output is self.output
            and layer.activation == self.activation
            and not (system.training or modules["dropout"].training or has_hooks(output))
            and not torch.is_grad_enabled()
            and backend().compiled is self.module
            and self.snapshot.is_of(parameters(layer))
        )

    def fits(self, inputs: Tensor, state: Tensor) -> bool:
        """Return True if a call takes these inputs (batch, features) and this state."""
        return (
            type(inputs) is type(state) is Tensor
            and self.shapes.get(inputs.shape) == state.shape
            and is_plain(inputs, torch.float32)
            and is_plain(state, torch.complex64)
        )

    def __call__(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor] | None:
        """Compute the outputs (batch, features) and the next state; None if an input is NaN or infinite."""
        outputs, after = torch.empty_like(inputs), torch.empty_like(state)
        addresses = inputs.data_ptr(), state.data_ptr(), outputs.data_ptr(), after.data_ptr()
        return (outputs, after) if self.kernel(len(inputs), *addresses) else None

    def __reduce__(self) -> tuple:
        """A copy of the layer, or a stored one, begins without a compiled step."""
        return type(None), ()
