"""Linear map to twice the channels, then the gated linear unit: the output map of S4 layers."""

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from hippo.kernels import backend
from hippo.nn.ssm.compiled_convolution import view


class GatedLinear(nn.Linear):
    """Map channels u to (V u + v) * logistic(W u + w).

    On a CPU in float32, bias, logistic function and product are one pass over memory forward and one backward, and the
    outputs have first derivatives only.

    Parameters
    ----------
    channels : int
        Channels of the inputs and of the outputs.
    device, dtype
        As in the modules of PyTorch.
    """

    def __init__(self, channels: int, device=None, dtype: torch.dtype | None = None):
        super().__init__(channels, 2 * channels, device=device, dtype=dtype)

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        inputs : Tensor, shape (..., channels)
            Inputs.

        Returns
        -------
        Tensor, shape (..., channels)
        """
        compiled = inputs.dtype == torch.float32 and inputs.device.type == "cpu" and backend().compiled is not None
        if not (compiled and inputs.numel()):
            return nn.functional.glu(super().forward(inputs))
        outputs = _GatedLinear.apply(inputs.flatten(0, -2), self.weight, self.bias)  # (rows, channels)
        return outputs.view(inputs.shape)


class _GatedLinear(Function):
    @staticmethod
    def forward(ctx, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        mapped = inputs @ weight.t()  # (rows, 2 H)
        outputs = torch.empty(inputs.shape)  # (rows, H)
        backend().require().glu(torch.get_num_threads(), *map(view, (mapped, bias, outputs)))
        ctx.save_for_backward(inputs, weight, bias, mapped)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inputs, weight, bias, mapped = ctx.saved_tensors
        threads = torch.get_num_threads()
        grad, slots = torch.empty_like(mapped), mapped.new_zeros(threads, len(bias))  # (rows, 2 H), (threads, 2 H)
        backend().require().glu_backward(threads, *map(view, (mapped, bias, grad_outputs, grad, slots)))
        return grad @ weight, grad.t() @ inputs, slots.sum(dim=0)
