"""The trained rival of an online memory: an LSTM that is taught to keep a whole signal in its hidden state.

The LSTM reads a signal sample by sample; a linear layer turns its last hidden state into Legendre coefficients of
the whole signal, which are reconstructed as those of HiPPO-LegS are. It is trained on fresh draws of the same
noise, the same number of cycles on fewer samples, since no gradient passes through a million steps. It then reads
the long signal once. The paper (Gu et al. 2020, section 4.3) compares with a trained LSTM without saying how.
"""

import time

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss
from tqdm import tqdm

from hippo.data.white_noise import white_noise
from hippo.lab.plan.reconstruction_options import LSTMOptions
from hippo.memory import reconstruct
from hippo.nn.optimizers import Adam
from hippo.operators.measures import find_measure

STRETCH = 10_000  # samples read at a time
HELD_OUT = 64  # signals of the training length on which the trained LSTM is judged


class Reader(nn.Module):
    """An LSTM and a linear layer from its hidden state to coefficients: (batch, length, 1) -> (batch, order)."""

    def __init__(self, options: LSTMOptions):
        """Weights as PyTorch initialises them."""
        super().__init__()
        self.lstm = nn.LSTM(1, options.hidden_size, batch_first=True)
        self.head = nn.Linear(options.hidden_size, options.order)

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """Coefficients of each signal after its last sample."""
        _, (hidden, _) = self.lstm(signals)
        return self.head(hidden[-1])


def reconstruct_by_lstm(
    signal: np.ndarray, options: LSTMOptions, cycles: int, entropy: int, recorder
) -> tuple[np.ndarray, dict]:
    """The reconstruction of `signal` (length,) by a trained LSTM, its steps per second and parameters.

    `training_length_mse` is its error on held-out signals of the length that it was trained on.
    """
    torch.manual_seed(entropy >> 1)
    model = Reader(options)
    basis = torch.from_numpy(_basis(options)).float()
    optimiser = Adam([{"params": model.parameters(), "lr": options.learning_rate}])
    done = 0
    if saved := recorder.resume():
        done = saved["done"]
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
    for step in tqdm(range(done, options.steps), initial=done, total=options.steps, unit="step", disable=None):
        signals = _draws(options, cycles, options.batch_size, [entropy, step])
        optimiser.zero_grad()
        loss = mse_loss(model(signals.unsqueeze(2)) @ basis.T, signals)
        loss.backward()
        optimiser.step()
        states = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
        recorder.pause(lambda states={"done": step + 1, **states}: states)
    held_out = _draws(options, cycles, HELD_OUT, [entropy, options.steps])
    with torch.no_grad():
        trained_mse = mse_loss(model(held_out.unsqueeze(2)) @ basis.T, held_out).item()
        state, started = None, time.perf_counter()
        for stretch in torch.from_numpy(signal).split(STRETCH):
            _, state = model.lstm(stretch.reshape(1, -1, 1), state)
        seconds = time.perf_counter() - started
        coefficients = model.head(state[0][-1, 0]).numpy()
    return reconstruct(coefficients, "legs", points=len(signal)), {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps_per_second": len(signal) / seconds,
        "training_length_mse": trained_mse,
    }


def _basis(options: LSTMOptions) -> np.ndarray:
    """The Legendre basis (length, order) at the training signals' samples, oldest first."""
    past = 1 - (np.arange(options.length) + 0.5) / options.length
    return find_measure("legs").basis(options.order, past)


def _draws(options: LSTMOptions, cycles: int, count: int, entropy: list[int]) -> torch.Tensor:
    """Fresh signals (count, length) of `cycles` harmonics."""
    seeds = np.random.SeedSequence(entropy).generate_state(count)
    return torch.from_numpy(np.stack([white_noise(options.length, cycles, int(seed)) for seed in seeds])).float()
