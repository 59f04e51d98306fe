"""Closed forms of time-invariant systems, computed by code that does not use the package."""

from fractions import Fraction
from math import factorial, pi, sqrt

import numpy as np
from scipy.special import eval_legendre


def legs_kernels(order, times, theta=1.0):
    """K_n(t) = e^{-t} sqrt(2n+1) P_n(2 e^{-t} - 1), exact at every order; (points, order)."""
    n, decay = np.arange(order), np.exp(-np.asarray(times, dtype=float)[:, None] / theta)
    return decay * np.sqrt(2 * n + 1) * eval_legendre(n, 2 * decay - 1) / theta


def pade_of_exp(x, numerator, denominator):
    """The [numerator / denominator] Padé approximant of e^x; coefficients in exact arithmetic."""
    total = factorial(numerator + denominator)

    def coefficients(degree):
        return [
            Fraction(factorial(numerator + denominator - j) * factorial(degree), total)
            / (factorial(j) * factorial(degree - j))
            for j in range(degree + 1)
        ]

    top = sum(float(c) * x**j for j, c in enumerate(coefficients(numerator)))
    return top / sum(float(c) * (-x) ** j for j, c in enumerate(coefficients(denominator)))


def fout_transform(order, s):
    """K(s) = v / (1 + b^T v) for window 2, where v is the transform of cosines and sines without the rank-one term."""
    m = np.arange(order // 2)
    v = np.zeros(order, dtype=complex)
    v[0::2] = np.where(m == 0, 1, sqrt(2)) * s / (s**2 + (pi * m) ** 2)
    v[1::2] = sqrt(2) * pi * m / (s**2 + (pi * m) ** 2)
    weights = np.where(np.arange(order) % 2, 0, np.where(np.arange(order) == 0, 1, sqrt(2)))
    return v / (1 + weights @ v)


def legs_residue(order, s):
    """The product of (s - j) / (s + j + 1) over j < N: the transfer function of f(t) minus its reconstruction by legs.

    It is 1 - B^T (s I - A)^-1 B = det(s I - A - B B^T) / det(s I - A), where A + B B^T = -A^T - I and A is triangular.
    """
    j = np.arange(order)
    return np.prod((s - j) / (s + j + 1))
