"""Synthetic pen trajectories of the 20 letters: the labeled substitute for recordings that are not available."""

import numpy as np

from hippo.data.character_trajectories.recordings import COUNTS, LENGTHS, LETTERS, Recordings, arrange

# Points that the pen passes, as "x,y": baseline 0, x-height 1, ascenders 2, descenders −1
GLYPHS = {
    "a": "0.9,0.8 0.5,1 0.1,0.5 0.5,0 0.9,0.5 0.9,1 0.9,0.2 1.1,0",
    "b": "0,2 0,0 0.1,0.6 0.5,1 0.9,0.5 0.5,0 0.05,0.2",
    "c": "0.9,0.8 0.5,1 0.1,0.5 0.5,0 0.9,0.2",
    "d": "0.9,0.8 0.5,1 0.1,0.5 0.5,0 0.9,0.5 0.9,2 0.9,0.2 1.1,0",
    "e": "0.1,0.5 0.9,0.55 0.5,1 0.1,0.5 0.5,0 0.9,0.2",
    "g": "0.9,0.8 0.5,1 0.1,0.5 0.5,0 0.9,0.5 0.9,1 0.9,-0.7 0.5,-1 0.1,-0.8",
    "h": "0,2 0,0 0.1,0.7 0.5,1 0.8,0.7 0.8,0",
    "l": "0.1,2 0.1,0.2 0.4,0",
    "m": "0,1 0,0 0.1,0.8 0.35,1 0.5,0.7 0.5,0 0.6,0.8 0.85,1 1,0.7 1,0",
    "n": "0,1 0,0 0.1,0.7 0.5,1 0.8,0.7 0.8,0",
    "o": "0.5,1 0.1,0.5 0.5,0 0.9,0.5 0.5,1",
    "p": "0,1 0,-1 0,0.6 0.5,1 0.9,0.5 0.5,0 0.05,0.2",
    "q": "0.9,0.8 0.5,1 0.1,0.5 0.5,0 0.9,0.5 0.9,1 0.9,-1 1.2,-0.7",
    "r": "0,1 0,0 0.1,0.7 0.4,1 0.7,0.9",
    "s": "0.9,0.85 0.5,1 0.15,0.75 0.5,0.5 0.85,0.25 0.5,0 0.1,0.15",
    "u": "0,1 0,0.3 0.4,0 0.8,0.4 0.8,1 0.8,0.2 1,0",
    "v": "0,1 0.45,0 0.9,1",
    "w": "0,1 0.25,0 0.5,0.9 0.75,0 1,1",
    "y": "0,1 0,0.4 0.4,0 0.8,0.5 0.8,1 0.8,-0.7 0.4,-1 0,-0.8",
    "z": "0.1,1 0.9,1 0.1,0 0.9,0",
}
OVERLAP = 1.5  # duration of a stroke, in times to the next: strokes overlap, which rounds the corners
POINT_JITTER, SHEAR, SCALING, TEMPO, TREMOR = 0.08, 0.15, 0.15, 0.12, 0.05


def substitute_recordings(seed: int = 0) -> Recordings:
    """Generate the substitute, with the sampling rate, lengths and counts per letter of the recordings.

    Parameters
    ----------
    seed : int, default 0
        Seed for `numpy.random.default_rng`.

    Returns
    -------
    Recordings
        2858 trajectories.
    """
    rng = np.random.default_rng(seed)
    letters = np.repeat(np.arange(len(LETTERS)), COUNTS)
    sequences = [write(LETTERS[letter], rng) for letter in letters]
    return arrange(sequences, letters, "synthetic minimum-jerk strokes")


def write(letter: str, rng: np.random.Generator) -> np.ndarray:
    """Generate one trajectory of a letter.

    Parameters
    ----------
    letter : str
        One of `LETTERS`.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    ndarray
        x and y velocity and change of pen force, shape (length, 3), float64, with a length from 60 to 182.

    Notes
    -----
    The path is a sum of overlapping minimum-jerk strokes between the points of the glyph, which are randomly shifted,
    sheared and scaled. The duration of a stroke is proportional to the square root of its length.

    References
    ----------
    T. Flash, N. Hogan, The coordination of arm movements, Journal of Neuroscience 5, 1985.
    """
    points = np.array([point.split(",") for point in GLYPHS[letter].split()], dtype=float)
    points += POINT_JITTER * rng.standard_normal(points.shape)
    points[:, 0] += SHEAR * rng.standard_normal() * points[:, 1]
    strokes = np.diff(points * np.exp(SCALING * rng.standard_normal(2)), axis=0)
    durations = np.sqrt(np.linalg.norm(strokes, axis=1)) * np.exp(TEMPO * rng.standard_normal(len(strokes)))
    starts = np.cumsum(durations) - durations

    length = (30 + 17 * durations.sum()) * np.exp(TEMPO * rng.standard_normal())
    length = int(np.clip(length, *LENGTHS))
    end = starts[-1] + OVERLAP * durations[-1]
    time = (np.arange(length) + 0.5) / length * end
    phase = (time[:, None] - starts) / (OVERLAP * durations)
    velocity = bell(phase) / (OVERLAP * durations) @ strokes
    trajectory = np.column_stack([velocity, _force(time / end, rng)])
    return trajectory + _tremor(trajectory.shape, rng)


def bell(phase: np.ndarray) -> np.ndarray:
    """Speed of a minimum-jerk stroke of unit length and duration at times `phase`; zero outside [0, 1]."""
    inside = np.clip(phase, 0, 1)
    return 30 * inside**2 * (1 - inside) ** 2


def _force(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change of pen force (length,) at relative times (length,): a rise at the start and a fall at the end."""
    press, release = 1 + 0.1 * rng.standard_normal(), 2.5 + 0.2 * rng.standard_normal()
    return press * bell(time / 0.3) / 2 - release * bell((time - 0.85) / 0.3) / 2


def _tremor(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """White noise smoothed by a Gaussian of two samples, as the recordings were."""
    from scipy.ndimage import gaussian_filter1d

    return TREMOR * gaussian_filter1d(rng.standard_normal(shape), 2, axis=0)
