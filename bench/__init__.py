"""Benchmarks, each as a ratio against its reference in the same run: `python -m bench.kernels`."""
