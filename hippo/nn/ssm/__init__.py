"""S4 and S4D: layers that convolve sequences with the impulse response of a structured linear system."""
