"""Adam (Kingma and Ba, ICLR 2015), by PyTorch's fused step.

`torch.optim.Adam` takes the same step, but loads PyTorch's compiler when it is made: more than a second of each trial's
start, which no trial needs.
"""

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Moves the parameters of `groups` ({"params": tensors, "lr": rate}) against their gradients; β = (0.9, 0.999).

    Equal to `torch.optim.Adam(groups, fused=True)`, bit for bit. A parameter that got no gradient is passed over.
    ValueError for a parameter that stands there twice.
    """

    BETAS, EPSILON = (0.9, 0.999), 1e-8

    def __init__(self, groups: list[dict]):
        self.groups = [(list(group["params"]), group["lr"]) for group in groups]
        every = [parameter for parameters, _ in self.groups for parameter in parameters]
        if len(set(every)) < len(every):
            raise ValueError("a parameter stands in the groups twice; each belongs there once")
        self.moments = [[_Moments(parameter) for parameter in parameters] for parameters, _ in self.groups]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameters, _ in self.groups:
            for parameter in parameters:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step with the gradients at hand."""
        for (parameters, rate), group in zip(self.groups, self.moments, strict=True):
            pairs = [(p, m) for p, m in zip(parameters, group, strict=True) if p.grad is not None]
            adam(
                [parameter for parameter, _ in pairs],
                [parameter.grad for parameter, _ in pairs],
                [moments.first for _, moments in pairs],
                [moments.second for _, moments in pairs],
                [],
                [moments.steps for _, moments in pairs],
                fused=True,
                amsgrad=False,
                beta1=self.BETAS[0],
                beta2=self.BETAS[1],
                lr=rate,
                weight_decay=0.0,
                eps=self.EPSILON,
                maximize=False,
            )

    def state_dict(self) -> dict:
        """Moments and step counts, as tensors in lists; they go on changing with every step."""
        return {"moments": [[vars(moments) for moments in group] for group in self.moments]}

    def load_state_dict(self, saved: dict) -> None:
        """Go on from `saved`; ValueError, and nothing changed, where it is not of these parameters."""
        expected = [[tuple(parameter.shape) for parameter in parameters] for parameters, _ in self.groups]
        found = [[tuple(moments["first"].shape) for moments in group] for group in saved.get("moments", [])]
        if found != expected:
            raise ValueError(f"saved moments have shapes {found}, expected {expected}: they are of another model")
        for group, others in zip(self.moments, saved["moments"], strict=True):
            for moments, other in zip(group, others, strict=True):
                for name, value in vars(moments).items():
                    value.copy_(other[name])


class _Moments:
    """Running means of a parameter's gradient and of its square, and the number of steps in them."""

    def __init__(self, parameter: Tensor):
        self.first, self.second = torch.zeros_like(parameter), torch.zeros_like(parameter)
        self.steps = torch.zeros((), device=parameter.device)
