"""The gated linear unit, in one pass over memory forward and one backward on a CPU."""

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from hippo.kernels import backend
from hippo.nn.ssm.compiled_convolution import view


class GLU(nn.Module):
    """Multiply the first half of the channels by the logistic function of the second half, as `torch.nn.GLU` does."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        inputs : Tensor, shape (..., 2 * channels)
            Values, then gates.

        Returns
        -------
        Tensor, shape (..., channels)
        """
        compiled = inputs.dtype == torch.float32 and inputs.device.type == "cpu" and backend().compiled is not None
        return _GLU.apply(inputs) if compiled and inputs.numel() else nn.functional.glu(inputs)


class _GLU(Function):
    @staticmethod
    def forward(ctx, inputs: Tensor) -> Tensor:
        ctx.save_for_backward(inputs)
        outputs = inputs.new_empty(*inputs.shape[:-1], inputs.shape[-1] // 2)  # (..., H)
        module = backend().compiled
        module.glu(torch.get_num_threads(), view(inputs.flatten(0, -2)), view(outputs.flatten(0, -2)))
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_outputs: Tensor) -> Tensor:
        (inputs,) = ctx.saved_tensors
        grad_inputs = torch.empty(inputs.shape)  # (..., 2 H)
        tensors = (tensor.flatten(0, -2) for tensor in (inputs, grad_outputs, grad_inputs))
        backend().compiled.glu_backward(torch.get_num_threads(), *map(view, tensors))
        return grad_inputs
