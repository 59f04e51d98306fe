"""A cell in your own training loop.

`build_model` returns an ordinary PyTorch module. This tutorial trains a LegT cell to repeat its input with a delay, in
a loop that you write yourself.
"""

# %%
# ## A task that needs memory
#
# The input is smooth noise. The target at each step is the input 20 steps before.

import matplotlib.pyplot as plt
import torch

from hippo.nn import build_model

DELAY = 20


def batch(size, length=100):
    """Inputs and delayed inputs, each (batch, length, 1)."""
    noise = torch.randn(size, 1, length + 15)
    smooth = torch.nn.functional.avg_pool1d(noise, 16, stride=1).transpose(1, 2) * 4  # (batch, length, 1)
    return smooth, torch.nn.functional.pad(smooth, (0, 0, DELAY, 0))[:, :length]


# %%
# ## The model
#
# Arguments after the sizes are hyperparameters of the cell. A wrong name or value is an error that names the valid
# ones. The window of LegT, `theta`, is a little longer than the delay. `return_sequence` asks for one answer per step.

torch.manual_seed(0)
model = build_model("legt", 1, 1, hidden_size=32, order=16, theta=30, return_sequence=True)
print(model)
print(f"{sum(parameter.numel() for parameter in model.parameters())} parameters")

# %%
# ## The loop

optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
losses = []
for step in range(200):
    inputs, targets = batch(32)
    loss = torch.nn.functional.mse_loss(model(inputs)[:, DELAY:], targets[:, DELAY:])
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    losses.append(loss.item())
    if step % 50 == 49:
        print(f"step {step + 1:3}: mean squared error {loss.item():.3f}")

# %%
# ## The result
#
# The mean squared error of an answer that is always 0 is the variance of the signal, which is 1 here.

inputs, targets = batch(1)
with torch.no_grad():
    answers = model.eval()(inputs)
figure, axes = plt.subplots(1, 2, figsize=(9, 2.4), layout="constrained")
axes[0].plot(losses, color="#12406f")
axes[0].set(xlabel="step", ylabel="mean squared error", yscale="log")
axes[1].plot(targets[0, DELAY:, 0], color="0.7", lw=3, label="target")
axes[1].plot(answers[0, DELAY:, 0], color="#12406f", label="answer")
axes[1].legend()

# %%
# Weights are saved as those of any module: `torch.save(model.state_dict(), path)`.
