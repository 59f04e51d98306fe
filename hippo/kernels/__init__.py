"""The LegS kernels in O(N): one step of a batch of memories, its adjoint, and the projection of long signals.

Every function runs compiled where that is possible, and as its reference implementation elsewhere (`backend`): in
PyTorch, or in NumPy where PyTorch is not installed. It takes NumPy arrays or torch tensors and shares their memory. No
function passes a gradient by itself: a tensor that requires one is refused unless gradients are off, as they are inside
an autograd function.

References
----------
Gu et al., "HiPPO: Recurrent Memory with Optimal Polynomial Projections", NeurIPS 2020 (arXiv 2008.07669),
proposition 4.
"""

from hippo.kernels.backend import Backend, backend, product_precision, runnable, use
from hippo.kernels.legs import (
    LEAST_STEP_RATIO,
    first_nonfinite,
    legs_project,
    legs_project_unchecked,
    legs_step,
    legs_step_adjoint,
)

__all__ = [
    "LEAST_STEP_RATIO",
    "Backend",
    "backend",
    "first_nonfinite",
    "legs_project",
    "legs_project_unchecked",
    "legs_step",
    "legs_step_adjoint",
    "product_precision",
    "runnable",
    "use",
]
