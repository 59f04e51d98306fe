"""Reconstruction of a signal by an LSTM that is trained to keep the whole signal in its hidden state.

The LSTM reads a signal sample by sample. A linear layer maps its last hidden state to Legendre coefficients of the
whole signal, which are reconstructed like those of HiPPO-LegS. It is trained on new signals of the same noise, with the
same number of cycles in fewer samples, because no gradient survives a million steps. It then reads the long signal
once. The HiPPO paper (Gu et al. 2020, section 4.3) compares with a trained LSTM but does not describe its training.
"""

import time

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss
from tqdm import tqdm

from hippo.config import ConfigError
from hippo.data.white_noise import white_noise
from hippo.lab.plan.reconstruction_options import LSTMOptions
from hippo.memory import reconstruct
from hippo.nn.optimizers import Adam
from hippo.operators.measures import find_measure

CHUNK = 10_000  # samples of the long signal that are read at a time
HELD_OUT = 64  # signals of the training length on which the trained LSTM is evaluated


class CoefficientLSTM(nn.Module):
    """An LSTM and a linear layer from its last hidden state to coefficients.

    Parameters
    ----------
    options : LSTMOptions
        Hidden size and number of coefficients. Weights have PyTorch's initial values.
    """

    def __init__(self, options: LSTMOptions):
        super().__init__()
        self.lstm = nn.LSTM(1, options.hidden_size, batch_first=True)
        self.head = nn.Linear(options.hidden_size, options.order)

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """Return the coefficients after the last sample: (batch, length, 1) -> (batch, order)."""
        _, (hidden, _) = self.lstm(signals)
        return self.head(hidden[-1])


def reconstruct_by_lstm(
    signal: np.ndarray, options: LSTMOptions, cycles: int, entropy: int, recorder
) -> tuple[np.ndarray, dict]:
    """Train the LSTM, from its last checkpoint if there is one, and reconstruct a signal with it.

    Parameters
    ----------
    signal : ndarray, shape (length,), float32
        The long signal.
    options : LSTMOptions
        Sizes and training.
    cycles : int
        Harmonics of the training signals.
    entropy : int
        Root of the randomness of weights and signals.
    recorder : Recorder
        Takes the states that the training can be resumed from.

    Returns
    -------
    reconstructed : ndarray, shape (length,)
        The reconstruction.
    numbers : dict
        `parameters`, `steps_per_second` of the pass, and `training_length_mse`, the error on held-out signals of the
        training length.

    Raises
    ------
    ConfigError
        If the training signals are too short for so many cycles.
    """
    if options.length <= 2 * cycles:
        raise ConfigError(
            f"length {options.length} of the LSTM's training signals: more than {2 * cycles} samples are needed for "
            f"{cycles} cycles"
        )
    torch.manual_seed(entropy >> 1)
    model = CoefficientLSTM(options)
    basis = torch.from_numpy(_basis(options)).float()
    optimizer = Adam([{"params": model.parameters(), "lr": options.learning_rate}])
    done = 0
    if saved := recorder.resume():
        done = saved["done"]
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    for step in tqdm(range(done, options.steps), initial=done, total=options.steps, unit="step", disable=None):
        signals = _new_signals(options, cycles, options.batch_size, [entropy, step])
        optimizer.zero_grad()
        loss = mse_loss(model(signals.unsqueeze(2)) @ basis.T, signals)
        loss.backward()
        optimizer.step()
        states = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        recorder.pause(lambda states={"done": step + 1, **states}: states)
    held_out = _new_signals(options, cycles, HELD_OUT, [entropy, options.steps])
    with torch.no_grad():
        held_out_mse = mse_loss(model(held_out.unsqueeze(2)) @ basis.T, held_out).item()
        state, started = None, time.perf_counter()
        for chunk in torch.from_numpy(signal).split(CHUNK):
            _, state = model.lstm(chunk.reshape(1, -1, 1), state)
        seconds = time.perf_counter() - started
        coefficients = model.head(state[0][-1, 0]).numpy()
    return reconstruct(coefficients, "legs", points=len(signal)), {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps_per_second": len(signal) / seconds,
        "training_length_mse": held_out_mse,
    }


def _basis(options: LSTMOptions) -> np.ndarray:
    """The Legendre basis (length, order) at the training signals' samples, oldest first."""
    past = 1 - (np.arange(options.length) + 0.5) / options.length
    return find_measure("legs").basis(options.order, past)


def _new_signals(options: LSTMOptions, cycles: int, count: int, entropy: list[int]) -> torch.Tensor:
    """Signals (count, length) of `cycles` harmonics, a function of `entropy`."""
    seeds = np.random.SeedSequence(entropy).generate_state(count)
    return torch.from_numpy(np.stack([white_noise(options.length, cycles, int(seed)) for seed in seeds])).float()
