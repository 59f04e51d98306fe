"""Add your own cell.

A recurrent cell is a class with one method, `step`. This tutorial writes one, checks it, and trains it like any model
of the project. The guide [Add a cell](../add_a_cell.md) then registers it under a name, and makes it fast.
"""

# %%
# ## The cell
#
# `step` maps the input (batch, channels) and the state, a tuple that begins with the hidden state (batch, hidden), to
# the next state. `step_ratio` is Δt/t, which only scale-invariant memories use. This is the leaky recurrent network.

import torch
from torch import nn

from hippo.nn.cells.cell import Cell
from hippo.nn.options import ModelOptions
from hippo.nn.sequence import SequenceModel


class LeakyCell(Cell):
    """h' = (1 - a) h + a tanh(W x + b + U h) with a fixed leak a."""

    def __init__(self, input_size, hidden_size, leak):
        super().__init__(input_size, hidden_size)
        self.leak = leak
        self.input = nn.Linear(input_size, hidden_size)
        self.hidden = nn.Linear(hidden_size, hidden_size, bias=False)

    def step(self, x, state, step_ratio):
        """Return (h,) after the input x (batch, channels)."""
        (h,) = state
        return ((1 - self.leak) * h + self.leak * torch.tanh(self.input(x) + self.hidden(h)),)


# %%
# ## Its options
#
# Hyperparameters are the fields of a class. Its method `backbone` builds the cell.


class LeakyOptions(ModelOptions):
    """Leaky recurrent network."""

    leak: float = 0.2

    def backbone(self, input_size):
        """Build the cell for `input_size` channels."""
        return LeakyCell(input_size, self.hidden_size, self.leak)


torch.manual_seed(0)
model = SequenceModel(LeakyOptions(hidden_size=32, leak=0.1), input_size=1, output_size=2)
print(model)

# %%
# ## A check
#
# Compare with an oracle that shares no code: one step by hand. Then let PyTorch compare the gradients with finite
# differences.

cell = LeakyCell(1, 3, leak=0.5).double()
x, h = torch.randn(2, 1).double(), torch.randn(2, 3).double()
by_hand = 0.5 * h + 0.5 * torch.tanh(x @ cell.input.weight.T + cell.input.bias + h @ cell.hidden.weight.T)
torch.testing.assert_close(cell.step(x, (h,), 1.0)[0], by_hand)
sequence = torch.randn(2, 5, 1).double().requires_grad_()
print("gradients agree:", torch.autograd.gradcheck(cell, (sequence,)))

# %%
# ## A training
#
# The task: does a noisy signal rise or fall?

optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
steps = 60
for _ in range(steps):
    targets = torch.randint(2, (64,))
    slopes = (2.0 * targets - 1)[:, None, None] * torch.linspace(-1, 1, 50)[None, :, None]
    logits = model(slopes + torch.randn(64, 50, 1))
    loss = nn.functional.cross_entropy(logits, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
accuracy = (logits.argmax(1) == targets).double().mean()
print(f"accuracy after {steps} steps: {100 * accuracy:.0f} %")

# %%
# To use the cell in experiment files and in `build_model("leaky", ...)`, register the class of its options: see
# [Add a cell](../add_a_cell.md). The contract tests of the project then test the cell, too.
