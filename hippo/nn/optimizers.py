"""Adam and AdamW by PyTorch's fused step, and gradient clipping.

The classes of `torch.optim` take the same steps. Creating one of them imports PyTorch's compiler, which takes more than
a second of the start of each trial, and no trial uses it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Adam, equal to ``torch.optim.Adam(groups, fused=True)`` bit for bit, with betas (0.9, 0.999) and epsilon 1e-8.

    Parameters
    ----------
    groups : list of dict
        Groups with the keys "params" (iterable of tensors), "lr" and optionally "weight_decay" (default 0), as
        `hippo.nn.parameter_groups.parameter_groups` returns them. The weight decay of Adam is an L2 penalty: it is
        added to the gradient.

    Attributes
    ----------
    learning_rate_multiplier : float
        Factor of every group's learning rate, 1 at first. A schedule sets it before each step; it is not part of
        the state.

    Raises
    ------
    ValueError
        If a parameter is in the groups twice.

    References
    ----------
    Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    """

    BETAS, EPSILON = (0.9, 0.999), 1e-8
    decoupled_weight_decay = False

    def __init__(self, groups: list[dict]):
        self.groups = [_Group(list(g["params"]), g["lr"], g.get("weight_decay", 0.0)) for g in groups]
        parameters = self.parameters()
        if len(set(parameters)) < len(parameters):
            raise ValueError("a parameter is in the groups twice; each parameter belongs to one group")
        self.moments = [[_Moments(parameter) for parameter in group.parameters] for group in self.groups]
        self.learning_rate_multiplier = 1.0

    def parameters(self) -> list[Tensor]:
        """Return the parameters of all groups."""
        return [parameter for group in self.groups for parameter in group.parameters]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to None."""
        for parameter in self.parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters by their gradients. A parameter whose gradient is None is left as it is."""
        for group, moments in zip(self.groups, self.moments, strict=True):
            pairs = zip(group.parameters, moments, strict=True)
            updates = [(p, p.grad, m) for p, m in pairs if p.grad is not None]
            adam(
                [parameter for parameter, _, _ in updates],
                [gradient for _, gradient, _ in updates],
                [moments.first for _, _, moments in updates],
                [moments.second for _, _, moments in updates],
                [],
                [moments.steps for _, _, moments in updates],
                fused=True,
                amsgrad=False,
                beta1=self.BETAS[0],
                beta2=self.BETAS[1],
                lr=group.learning_rate * self.learning_rate_multiplier,
                weight_decay=group.weight_decay,
                eps=self.EPSILON,
                maximize=False,
                decoupled_weight_decay=self.decoupled_weight_decay,
            )

    def state_dict(self) -> dict:
        """Return the moments and step counts.

        Returns
        -------
        dict
            {"moments": per group a list with one {"first", "second", "steps"} of tensors per parameter}. The tensors
            are those of the optimizer: later steps change them.
        """
        return {"moments": [[vars(moments) for moments in group] for group in self.moments]}

    def load_state_dict(self, saved: dict) -> None:
        """Copy the state that `state_dict` returned.

        Parameters
        ----------
        saved : dict
            State of an optimizer with the same groups.

        Raises
        ------
        ValueError
            If the shapes are not those of this optimizer's parameters. The state is then unchanged.
        """
        expected = [[tuple(parameter.shape) for parameter in group.parameters] for group in self.groups]
        found = [[tuple(moments["first"].shape) for moments in group] for group in saved.get("moments", [])]
        if found != expected:
            raise ValueError(f"saved moments have shapes {found}, expected {expected}: they belong to another model")
        for group, others in zip(self.moments, saved["moments"], strict=True):
            for moments, other in zip(group, others, strict=True):
                for name, value in vars(moments).items():
                    value.copy_(other[name])


class AdamW(Adam):
    """AdamW: Adam with decoupled weight decay, equal to ``torch.optim.AdamW(groups, fused=True)`` bit for bit.

    Each step first multiplies a parameter by ``1 - lr * weight_decay``, with the learning rate of that step. Parameters
    and attributes are those of `Adam`. A group without the key "weight_decay" has none (torch's default is 0.01).

    References
    ----------
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    decoupled_weight_decay = True


OPTIMIZERS: dict[str, type[Adam]] = {"adam": Adam, "adamw": AdamW}
"""Optimizers by the name that training options give them."""


def clip_gradients(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients by one factor so that their global norm is at most `max_norm`.

    Parameters
    ----------
    parameters : iterable of Tensor
        Parameters whose gradients are scaled in place; those whose gradient is None are left out.
    max_norm : float
        Largest Euclidean norm of all gradients together; positive.

    Returns
    -------
    Tensor
        The norm before scaling, a scalar.

    Raises
    ------
    ValueError
        If `max_norm` is not positive.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm is {max_norm}; expected a positive number")
    return torch.nn.utils.clip_grad_norm_(list(parameters), max_norm)


@dataclass(frozen=True)
class _Group:
    """Parameters with one learning rate and one weight decay."""

    parameters: list[Tensor]
    learning_rate: float
    weight_decay: float


class _Moments:
    """Running means of a parameter's gradient and of its square, and the number of steps they include."""

    def __init__(self, parameter: Tensor):
        self.first, self.second = torch.zeros_like(parameter), torch.zeros_like(parameter)
        self.steps = torch.zeros((), device=parameter.device)
