"""Measures, time dynamics and discretization of the HiPPO operators."""
