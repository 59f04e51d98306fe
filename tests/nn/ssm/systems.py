"""Systems for the tests of S4 layers."""

import torch

from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.system import StateSpace

# Every kind of system with the rules that it has: rank 1 (legs, fout, lagt), rank 2 (legt), mixtures, diagonal.
VARIANTS = [
    ("legs", "bilinear"),
    ("legt", "bilinear"),
    ("fout", "bilinear"),
    ("lagt", "bilinear"),
    ("legs+fout", "bilinear"),
    ("legt+diag_lin", "bilinear"),
    ("diag_legs", "zoh"),
    ("diag_inv", "zoh"),
    ("diag_lin", "bilinear"),
    ("diag_real", "zoh"),
    ("diag_inv+diag_lin", "zoh"),
]
DIAGONAL = [variant for variant in VARIANTS if all(name.startswith("diag") for name in variant[0].split("+"))]


def state_space(measure="legs", discretization="bilinear", features=3, state_size=8, **options) -> StateSpace:
    """A state space in float64 whose parameters are moved away from their initial values."""
    options = {"dt_min": 0.01, "dt_max": 0.5, "dtype": torch.float64, **options}
    system = StateSpace(features, state_size, measure, discretization=discretization, **options)
    with torch.no_grad():
        for parameter in system.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return system


def discrete_system(measure="legs", discretization="bilinear", channels=1, **options) -> DiscreteSystem:
    """A discrete system in complex128 without gradients."""
    with torch.no_grad():
        return state_space(measure, discretization, channels=channels, **options).discretize()


def variables(system: DiscreteSystem) -> tuple[torch.Tensor, ...]:
    """The tensors of a system, as leaves that require gradients; those of rank 0 do not."""
    return tuple(tensor.clone().requires_grad_(tensor.numel() > 0) for tensor in system)
