"""Online memories of signals: projection of all past input onto a measure's basis, and reconstruction from it.

Examples
--------
>>> import numpy as np
>>> from hippo import OnlineMemory, project, reconstruct
>>> signal = np.sin(np.arange(1000) / 100)
>>> coefficients = project(signal, order=32)  # (32,)
>>> recent = reconstruct(coefficients, "legs", points=1000)  # (1000,)
>>> bool(abs(recent - signal).max() < 0.02)
True
>>> memory = OnlineMemory("legs", order=32).update(signal[:500]).update(signal[500:])
>>> memory.samples, bool(abs(memory.coefficients - coefficients).max() < 1e-12)
(1000, True)
"""

from hippo.memory.online import OnlineMemory
from hippo.memory.projection import project
from hippo.memory.reconstruction import reconstruct

__all__ = ["OnlineMemory", "project", "reconstruct"]
