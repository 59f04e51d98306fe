"""Measures, time dynamics and discretization of the HiPPO operators, and their structured forms."""

from hippo.operators.basis_kernels import basis_kernels
from hippo.operators.discretization import discretize
from hippo.operators.dynamics import ScaleInvariant, TimeInvariant, default_dynamics
from hippo.operators.gramian import gramian
from hippo.operators.measures import MEASURES, Measure, find_measure, transition
from hippo.operators.structured import STRUCTURED, StructuredSystem, is_diagonal, structured_system

__all__ = [
    "MEASURES",
    "STRUCTURED",
    "Measure",
    "ScaleInvariant",
    "StructuredSystem",
    "TimeInvariant",
    "basis_kernels",
    "default_dynamics",
    "discretize",
    "find_measure",
    "gramian",
    "is_diagonal",
    "structured_system",
    "transition",
]
