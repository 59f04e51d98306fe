"""Systems with a basis whose low-rank term is replaced by noise, or left out."""

import numpy as np

from hippo.lab.plan.kernel_options import LowRankTerm
from hippo.operators import transition
from hippo.operators.normal_low_rank import NORMAL_LOW_RANK
from hippo.operators.structured import WINDOWS


def with_low_rank_term(
    system: str, order: int, term: LowRankTerm, deviation: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pair (A, B) of a system A = M - P P^T with another P.

    Parameters
    ----------
    system : {"legs", "legt", "fout"}
        Name of the system, whose normal part M is kept. legt and fout have windows of length 2.
    order : int
        Number of states.
    term : {"exact", "noisy", "random", "none"}
        "exact": P as it is. "noisy": independent normal numbers are added to the entries of P. "random": the entries of
        P are independent normal numbers, scaled to the exact norm. "none": P = 0.
    deviation : float
        Standard deviation of the numbers that are added.
    generator : numpy.random.Generator
        Source of the normal numbers.

    Returns
    -------
    A : ndarray, shape (order, order), float64
    B : ndarray, shape (order,), float64
        Exact, except that without its low-rank term legs has half of it. That is S4D-LegS, whose transfer function
        tends to that of legs, because P^T (sI - M)^-1 P tends to 1.

    Notes
    -----
    The real part of x^T A x is that of x^T M x, minus a square: A is stable whatever P is. P is not changed at the sine
    of frequency 0 of fout, a state that is always 0.
    """
    A, B = transition(system, order, window=WINDOWS.get(system))
    if term == "exact":
        return A, B
    form = NORMAL_LOW_RANK[system](order)
    normal = form.real_part * np.eye(order) + form.skew
    if term == "none":
        return normal, B / 2 if system == "legs" else B
    noise = generator.standard_normal(form.low_rank.shape)
    if system == "fout":
        noise[:, 1] = 0
    if term == "noisy":
        low_rank = form.low_rank + deviation * noise
    else:
        norms = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (form.low_rank, noise)]
        low_rank = noise * norms[0] / norms[1]
    return normal - low_rank.T @ low_rank, B
