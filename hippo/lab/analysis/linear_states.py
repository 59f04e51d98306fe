"""States of one S4 or S4D system under the bilinear rule: impulse responses and amplitudes, in float64."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from hippo.operators import discretize, structured_system, transition
from hippo.operators.structured import WINDOWS, StructuredSystem, is_diagonal


@dataclass(frozen=True)
class BilinearStates:
    """Real states of one system, discretized by the bilinear rule. An input acts on the state of its own step.

    States of a system with a basis are its coefficients. Those of a diagonal system are sqrt(2) times the real parts
    and then sqrt(2) times the imaginary parts of one state of each conjugate pair, which have the same norm.

    Parameters
    ----------
    name : str
        Name of a system in `hippo.operators.STRUCTURED`.
    order : int
        Number of states, even.
    step : float
        Time between inputs, in the unit of the system.
    """

    name: str
    order: int
    step: float

    def impulse_responses(self, length: int) -> np.ndarray:
        """Compute the states after an impulse.

        Parameters
        ----------
        length : int
            Number of steps.

        Returns
        -------
        ndarray, shape (order, length), float64
            Column k is Abar^k Bbar.
        """
        if is_diagonal(self.name):
            system = _system(self.name, self.order)
            half = self.step / 2 * system.eigenvalues
            steps = np.exp(np.outer(np.log((1 + half) / (1 - half)), np.arange(length)))
            return _real_states((self.step * system.inputs / (1 - half))[:, None] * steps)
        return impulse_responses(*_dense(self.name, self.order), self.step, length)

    def responses(self, angles: np.ndarray) -> np.ndarray:
        """Compute the amplitudes of the states under sinusoids, once transients have decayed.

        Parameters
        ----------
        angles : ndarray, shape (frequencies,)
            Angles per step, in radians, above 0 and below pi.

        Returns
        -------
        ndarray, shape (order, frequencies), complex128
            z (z - Abar)^-1 Bbar at z = e^(i angle): for inputs e^(i angle k), state k is this times e^(i angle k).

        Notes
        -----
        Under the bilinear rule, (z - Abar)^-1 Bbar = 2/(z + 1) (s - A)^-1 B with s = (2/step) (z - 1)/(z + 1). The
        matrix s - A is diagonal plus rank 1 or 2, and is inverted by the Woodbury identity.
        """
        z = np.exp(1j * np.asarray(angles))
        upper, lower = _resolvent(_system(self.name, self.order), 2 / self.step * (z - 1) / (z + 1))
        factor = 2 * z / (z + 1)
        return self._real_amplitudes(upper * factor, lower * factor)

    def constant_response(self) -> np.ndarray:
        """Return the states under a constant input of 1, once transients have decayed: -A^-1 B, shape (order,)."""
        system = _system(self.name, self.order)
        if is_diagonal(self.name):
            return _real_states((-system.inputs / system.eigenvalues)[:, None])[:, 0]
        A, B = _dense(self.name, self.order)
        # The sine of frequency 0 of fout never moves: A is singular, and the solution of least norm is the state.
        return np.linalg.lstsq(-A, B, rcond=1e-13)[0]

    def _real_amplitudes(self, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Amplitudes of the real states, from those of the first and second half of the complex state."""
        coordinates = _system(self.name, self.order).coordinates
        if coordinates is not None:
            return coordinates @ upper + coordinates.conj() @ lower
        return np.concatenate([upper + lower, (upper - lower) / 1j]) / np.sqrt(2)


def impulse_responses(A: np.ndarray, B: np.ndarray, step: float, length: int) -> np.ndarray:
    """Compute the states of a system under the bilinear rule after an impulse.

    Parameters
    ----------
    A : ndarray, shape (order, order), float64
    B : ndarray, shape (order,), float64
    step : float
        Time between inputs, in the unit of time of `A`.
    length : int
        Number of steps.

    Returns
    -------
    ndarray, shape (order, length), float64
        Column k is Abar^k Bbar.

    Notes
    -----
    Powers of Abar are squared, so that all work is in log2(length) products. This is stable for contractions, as the
    systems with a basis are.
    """
    power, start = discretize(A, B, step, "bilinear")
    responses = np.empty((len(B), length))
    responses[:, 0], done = start, 1
    while done < length:
        new = min(done, length - done)
        responses[:, done : done + new] = power @ responses[:, :new]
        responses[np.abs(responses) < 1e-200] = 0  # subnormal numbers would make the products slow
        done += new
        if done < length:
            power = power @ power
    return responses


def mean_square(states: BilinearStates, angles: np.ndarray | None) -> float:
    """Return the expected squared norm of the states under a signal of mean square 1, once transients have decayed.

    It is the variance of the output C x if the entries of C are independent with unit variance.

    Parameters
    ----------
    states : BilinearStates
        The states.
    angles : ndarray, shape (frequencies,), or None
        Angles per step of the harmonics of noise with a flat spectrum. None: the signal is the constant 1.

    Notes
    -----
    States that are coefficients in an orthonormal basis under the measure ω have the squared norm ∫ u(t - s)^2 ω(s) ds
    as soon as they represent the signal u; that is 1 for a signal of mean square 1, whatever their number.
    """
    if angles is None:
        return float(np.square(states.constant_response()).sum())
    return float(np.square(np.abs(states.responses(angles))).sum() / len(angles))


@cache
def _system(name: str, order: int) -> StructuredSystem:
    """The system in complex coordinates."""
    return structured_system(name, order)


@cache
def _dense(name: str, order: int) -> tuple[np.ndarray, np.ndarray]:
    """A and B of a system with a basis."""
    return transition(name, order, window=WINDOWS.get(name))


def _real_states(states: np.ndarray) -> np.ndarray:
    """Real states (order, …) of one complex state of each conjugate pair."""
    return np.sqrt(2) * np.concatenate([states.real, states.imag])


def _resolvent(system: StructuredSystem, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(s - A)^-1 B at each s: first and second half of the state, each (order / 2, len(s))."""
    eigenvalues, P, inputs = system.both_halves()  # (N,), (R, N), (N,)
    inverse = 1 / (s - eigenvalues[:, None])  # (N, F)
    states = inverse * inputs[:, None]
    if system.rank:
        small = np.eye(system.rank) + np.einsum("rn,nf,qn->frq", P.conj(), inverse, P)
        weights = np.linalg.solve(small, (P.conj() @ states).T[:, :, None])[:, :, 0]  # (F, R)
        states = states - inverse * (P.T @ weights.T)
    half = len(system.eigenvalues)
    return states[:half], states[half:]
