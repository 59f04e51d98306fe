"""Measures, time dynamics and discretization of the HiPPO operators."""

from hippo.operators.discretization import discretize
from hippo.operators.dynamics import ScaleInvariant, TimeInvariant, default_dynamics
from hippo.operators.measures import MEASURES, Measure, find_measure, transition

__all__ = [
    "MEASURES",
    "Measure",
    "ScaleInvariant",
    "TimeInvariant",
    "default_dynamics",
    "discretize",
    "find_measure",
    "transition",
]
