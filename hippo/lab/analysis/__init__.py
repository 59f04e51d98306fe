"""Numerical methods for states, kernels and readouts, and the trials that train nothing by gradient descent."""
