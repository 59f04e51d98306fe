"""Linear map to twice the channels, then the gated linear unit: the output map of S4 layers."""

import torch
from torch import Tensor, nn
from torch.autograd import Function

from hippo.kernels import backend
from hippo.nn.engine.first_derivative import first_derivative_only
from hippo.nn.engine.tracing import is_traced
from hippo.nn.ssm.compiled_convolution import view


class GatedLinear(nn.Linear):
    """Map channels u to (V u + v) * logistic(W u + w).

    On a CPU in float32, one compiled call computes the outputs, and one their gradients. It computes the linear map
    again for the gradients, so that nothing of twice the size of the inputs is ever held; the outputs have first
    derivatives only.

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
        if not self._is_compiled(inputs):
            return nn.functional.glu(super().forward(inputs))
        outputs = _GatedLinear.apply(inputs.reshape(-1, self.in_features), self.weight, self.bias)  # (rows, channels)
        return outputs.view(inputs.shape)

    def _is_compiled(self, inputs: Tensor) -> bool:
        """Whether the compiled form serves; the PyTorch form serves weights of other shapes, or refuses the inputs."""
        tensors = inputs, self.weight, self.bias
        if is_traced() or backend().compiled is None or any(tensor is None for tensor in tensors):
            return False
        channels = self.in_features
        shapes = inputs.shape[-1:], self.weight.shape, self.bias.shape
        if inputs.numel() == 0 or shapes != ((channels,), (2 * channels, channels), (2 * channels,)):
            return False
        return all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)


class _GatedLinear(Function):
    @staticmethod
    def forward(ctx, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        outputs = inputs.new_empty(inputs.shape)  # (rows, H)
        backend().require().gated_linear(torch.get_num_threads(), *map(view, (inputs, weight, bias, outputs)))
        ctx.save_for_backward(inputs, weight, bias)
        return outputs

    @staticmethod
    @first_derivative_only
    def backward(ctx, grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inputs, weight, bias = ctx.saved_tensors
        threads = torch.get_num_threads()
        grad_inputs = inputs.new_empty(inputs.shape)  # (rows, H)
        grads = weight.new_zeros(threads, *weight.shape), bias.new_zeros(threads, *bias.shape)
        tensors = inputs, weight, bias, grad_outputs, grad_inputs, *grads
        backend().require().gated_linear_backward(threads, *map(view, tensors))
        return grad_inputs, grads[0].sum(dim=0), grads[1].sum(dim=0)
