"""S4 in ten lines.

An S4 layer is a linear system with a HiPPO matrix for each channel. It is computed as a convolution of the whole
sequence in training, and as a recurrence, step by step, on a stream.
"""

# %%
# ## Ten lines
#
# Inputs and outputs have the shape (batch, length, channels).

import matplotlib.pyplot as plt
import torch

from hippo.nn import S4, build_model

torch.manual_seed(0)
layer = S4(hidden_size=4, state_size=32, measure="legs").eval()
sequence = torch.randn(2, 1000, 4)
with torch.no_grad():
    outputs = layer(sequence)  # by convolution
    state = layer.initial_state(batch=2)
    steps = []
    for k in range(1000):
        answer, state = layer.step(sequence[:, k], state)  # by recurrence
        steps.append(answer)
print(f"largest difference between both forms: {(torch.stack(steps, 1) - outputs).abs().max():.0e}")

# %%
# ## Two halves of a sequence
#
# A state can also begin a chunk of a sequence, which the recurrence computes. The second half continues where the first
# half ended.

with torch.no_grad():
    first, state = layer(sequence[:, :500], return_state=True)
    second = layer(sequence[:, 500:], state=state)
print(f"largest difference from one pass: {(torch.cat([first, second], 1) - outputs).abs().max():.0e}")

# %%
# ## What the layer remembers
#
# The impulse response of a channel is its memory. Those of the measure `legs` fade exponentially; `dt_min` and `dt_max`
# set over how many steps.

impulse = torch.zeros(1, 1000, 4)
impulse[:, 0] = 1
figure, axes = plt.subplots(1, 3, figsize=(9, 2.2), sharey=True, layout="constrained")
for axis, dt in zip(axes, (0.1, 0.01, 0.003), strict=True):
    torch.manual_seed(1)
    linear = S4(hidden_size=4, dt_min=dt, dt_max=dt, output=None).eval()
    with torch.no_grad():
        response = linear(impulse)[0, 1:400, 0]
    axis.plot(response / response.abs().max(), color="#12406f")
    axis.set(title=f"step size {dt}", xlabel="steps after the impulse")

# %%
# ## A deep model
#
# `build_model("s4", ...)` stacks layers with normalization and residual connections, pools over time, and classifies.

model = build_model("s4", input_size=1, output_size=10, hidden_size=16, layers=2, state_size=32)
print(model(torch.randn(8, 784, 1)).shape)

# %%
# Formulas, parameters and their tests are on the page [S4 and S4D](../s4.md).
