"""Signals that the page begins with."""

import numpy as np

from hippo.data.band_limited_noise import band_limited_noise

LENGTH = 512  # samples
PULSES = ((0.12, 0.9), (0.38, -0.6), (0.62, 0.5), (0.86, 0.9))  # times, as fractions of the length, and heights


def example_signals() -> dict[str, np.ndarray]:
    """Return the signals of the page, each (512,) float64 between -1 and 1 with four decimals, by name."""
    time = np.arange(LENGTH) / LENGTH
    waves = band_limited_noise(1, LENGTH, cycles=6, rms=1.0, generator=np.random.default_rng(8))[0]
    steps = np.repeat([0.0, 0.7, 0.2, -0.6, -0.6, 0.5, -0.2, 0.8], LENGTH // 8)
    pulses = sum(height * np.exp(-(((time - at) / 0.012) ** 2)) for at, height in PULSES)
    signals = {
        "waves": 0.9 * waves / abs(waves).max(),
        "steps": steps,
        "chirp": 0.8 * np.sin(2 * np.pi * (2 * time + 11 * time**2)),
        "pulses": pulses,
    }
    return {name: signal.round(4) for name, signal in signals.items()}
