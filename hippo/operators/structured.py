"""Systems whose matrix is diagonal, or diagonal minus a low-rank term, in complex coordinates (S4 and S4D)."""

from dataclasses import dataclass

import numpy as np

from hippo.errors import closest_and_all
from hippo.operators.checks import check_even
from hippo.operators.diagonal import DIAGONAL, diagonal_eigenvalues
from hippo.operators.normal_low_rank import NORMAL_LOW_RANK, conjugate_pairs

STRUCTURED = (*NORMAL_LOW_RANK, *DIAGONAL)
WINDOW = 2.0  # length of the windows of legt and fout
WINDOWS = {"legt": WINDOW, "fout": WINDOW}  # the other systems have none


@dataclass(frozen=True, eq=False)
class StructuredSystem:
    """The system x' = A x + B f with A = diag(λ) - sum_r P_r P_r^*, in coordinates that are conjugate pairs.

    The state has `order` complex entries, of which the second half is the conjugate of the first. Each array holds the
    first half. P_r^* x over the whole state is therefore the real number 2 Re(sum_n conj(P_rn) x_n).

    Parameters
    ----------
    eigenvalues : ndarray, shape (order / 2,), complex128
        λ. Real parts are at most 0, imaginary parts are at least 0.
    low_rank : ndarray, shape (rank, order / 2), complex128
        P; of rank 0 for diagonal systems.
    inputs : ndarray, shape (order / 2,), complex128
        B.
    coordinates : ndarray, shape (order, order / 2), complex128, or None
        V of the real coefficients c = 2 Re(V x), which are those of `hippo.transition`; x = V^* c. None for diagonal
        systems, whose states are not coefficients in a basis.

    Examples
    --------
    >>> system = structured_system("legt", 8)
    >>> system.order, system.rank
    (8, 2)
    """

    eigenvalues: np.ndarray
    low_rank: np.ndarray
    inputs: np.ndarray
    coordinates: np.ndarray | None = None

    @property
    def order(self) -> int:
        """Number of states, conjugate ones included."""
        return 2 * len(self.eigenvalues)

    @property
    def rank(self) -> int:
        """Number of low-rank terms P_r P_r^*."""
        return len(self.low_rank)

    def both_halves(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return λ (order,), P (rank, order) and B (order,), complex128, over both halves of the state."""
        parts = self.eigenvalues, self.low_rank, self.inputs
        eigenvalues, low_rank, inputs = (np.concatenate([half, half.conj()], axis=-1) for half in parts)
        return eigenvalues, low_rank, inputs

    def expand(self) -> tuple[np.ndarray, np.ndarray]:
        """Return A (order, order) and B (order,), complex128, over both halves of the state."""
        eigenvalues, low_rank, inputs = self.both_halves()
        return np.diag(eigenvalues) - low_rank.T @ low_rank.conj(), inputs


def structured_system(name: str, order: int) -> StructuredSystem:
    """Return a system of the S4 or S4D family in its own unit of time.

    Parameters
    ----------
    name : {"legs", "legt", "fout", "lagt", "diag_legs", "diag_inv", "diag_lin", "diag_real"}
        Name of the system. legs is the time-invariant system of S4-LegS; legt and fout have windows of length 2.
    order : int
        Number of states, conjugate ones included; even.

    Returns
    -------
    StructuredSystem
        Eigenvalues in ascending order of their imaginary parts, except for diag_inv (descending) and diag_real. The
        inputs of diagonal systems are 1.

    Raises
    ------
    ValueError
        If the name is unknown, or `order` is odd or below 2.
    TypeError
        If `order` is not an integer.

    References
    ----------
    Gu et al. 2022, arXiv 2111.00396, theorem 1 and appendix C; Gu et al. 2022, arXiv 2206.12037; Gu et al. 2022, arXiv
    2206.11893, for diagonal systems.

    Examples
    --------
    >>> structured_system("fout", 6).eigenvalues.imag.round(3)
    array([0.   , 3.142, 6.283])
    """
    _check_name(name)
    order = check_even("order", order)
    if name in NORMAL_LOW_RANK:
        return StructuredSystem(*conjugate_pairs(name, order))
    half = order // 2
    return StructuredSystem(
        diagonal_eigenvalues(name, order), np.zeros((0, half), np.complex128), np.ones(half, np.complex128)
    )


def is_diagonal(name: str) -> bool:
    """Return whether a system has no low-rank term.

    Parameters
    ----------
    name : str
        Name of a system in `STRUCTURED`.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> is_diagonal("legs"), is_diagonal("diag_legs")
    (False, True)
    """
    _check_name(name)
    return name in DIAGONAL


def _check_name(name: str) -> None:
    """ValueError with the nearest name and all names, unless a system has this name."""
    if name not in STRUCTURED:
        raise ValueError(f"no structured system is called {name!r}; {closest_and_all(name, STRUCTURED)}")
