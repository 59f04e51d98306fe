"""The S4D layer."""

from typing import Any

from hippo.nn.ssm.layer import S4


class S4D(S4):
    """An S4 layer with a diagonal system, by default S4D-Inv, and the zero-order hold.

    Parameters
    ----------
    hidden_size, state_size
        As in `S4`.
    measure : str, default "diag_inv"
        "diag_legs", "diag_inv", "diag_lin", "diag_real", or a mixture such as "diag_inv+diag_lin".
    discretization : {"zoh", "bilinear"}, default "zoh"
        Rule of the discretization.
    **options
        The other arguments of `S4`.

    References
    ----------
    Gu, Gupta, Goel, Ré, "On the Parameterization and Initialization of Diagonal State Space Models", arXiv 2206.11893.

    Examples
    --------
    >>> import torch
    >>> S4D(hidden_size=4, state_size=8)(torch.randn(2, 100, 4)).shape
    torch.Size([2, 100, 4])
    """

    def __init__(
        self,
        hidden_size: int,
        state_size: int = 64,
        measure: str = "diag_inv",
        *,
        discretization: str = "zoh",
        **options: Any,
    ):
        super().__init__(hidden_size, state_size, measure, discretization=discretization, **options)
