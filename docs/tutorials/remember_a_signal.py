"""Remember a signal.

A HiPPO memory reads a signal one sample at a time and keeps N coefficients of its past. This tutorial needs NumPy
alone. On [an interactive page](../demo.html) you plot a signal with the mouse and see what each memory keeps of it;
`hippo demo` makes the same page.
"""

# %%
# ## Project and reconstruct
#
# `project` reads a whole signal in one pass and returns its coefficients. `reconstruct` computes the signal that they
# represent. The measure `legs` covers all of the past with Legendre polynomials.

import matplotlib.pyplot as plt
import numpy as np

from hippo import OnlineMemory, project, reconstruct

time = np.linspace(0, 1, 2000)
signal = np.sin(2 * np.pi * (2 * time + 4 * time**2)) * (1 - 0.5 * time)

for order in (8, 16, 32):
    coefficients = project(signal, order)
    error = np.sqrt(np.mean((reconstruct(coefficients, points=2000) - signal) ** 2))
    print(f"{len(signal)} samples in {order:2} coefficients: root mean squared error {error:.4f}")

# %%
# ## Read a stream
#
# `OnlineMemory` holds the coefficients while samples arrive, alone or in chunks. Its size does not depend on the
# number of samples.

memory = OnlineMemory("legs", order=32)
for chunk in np.array_split(signal, 37):
    memory.update(chunk)
print(memory)
print(f"largest difference from one pass: {abs(memory.coefficients - project(signal, 32)).max():.0e}")

# %%
# ## Choose the past
#
# The measure decides which past the coefficients describe. `legs` rescales all of the past. The others have a window
# or a time constant, `theta`, in samples: they know nothing of what is older, but resolve more of what is recent.

figure, axes = plt.subplots(1, 3, figsize=(9, 2.4), sharey=True, layout="constrained")
for axis, (measure, theta) in zip(axes, {"legs": None, "legt": 500, "fout": 500}.items(), strict=True):
    memory = OnlineMemory(measure, order=24, theta=theta).update(signal)
    length = theta or len(signal)
    axis.plot(time, signal, color="0.7", lw=3)
    axis.plot(
        time[-length:],
        reconstruct(memory.coefficients, measure, points=length),
        color="#12406f",
    )
    axis.set_title(f"{measure}, 24 coefficients")

# %%
# ## Irregular samples
#
# A scale-invariant memory accepts the times of the samples. Its coefficients describe the signal as a function of
# time, however the samples are spaced.

rng = np.random.default_rng(0)
kept = np.sort(rng.choice(np.arange(1, 2000), 700, replace=False))
irregular = project(signal[kept], order=24, timestamps=time[kept])
difference = np.linalg.norm(irregular - project(signal, 24)) / np.linalg.norm(irregular)
print(f"coefficients from 700 irregular samples differ by {100 * difference:.1f} % from those of all 2000")
