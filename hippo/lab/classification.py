"""Train a sequence classifier: Adam, cross-entropy, the test part read at the best validation epoch."""

import math
import time

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from hippo import registry
from hippo.data.dataset import Dataset, Part
from hippo.lab import fitted
from hippo.lab.experiment import Training, Trial
from hippo.nn import build_model
from hippo.nn.device import resolve_device
from hippo.nn.engine.options import EngineOptions

EVALUATION_BATCH = 500


def run(trial: Trial, dataset: Dataset, recorder) -> dict:
    """Train `trial` and return its outcome: status, accuracies in [0, 1], epochs, parameters.

    `test_accuracy` is read at the epoch of the best validation accuracy, `last_test_accuracy` at the last epoch.
    A loss that is not finite ends the trial with status `diverged`.
    """
    if trial.model["name"] in registry.names("classifiers"):
        return fitted.run(trial, dataset, recorder)
    training = Training(**trial.training)
    device = resolve_device(training.device)
    initial, order = (int(s.generate_state(1, np.uint64)[0] >> np.uint64(1)) for s in _streams(trial))
    torch.manual_seed(initial)
    shuffle = torch.Generator().manual_seed(order)
    parts = {name: _tensors(part, dataset.scale, device) for name, part in dataset.parts.items()}
    model = _model(trial, dataset, training).to(device)
    optimiser = torch.optim.Adam(model.parameter_groups(training.learning_rate))
    outcome = {
        "status": "finished",
        "parameters": sum(p.numel() for p in model.parameters()),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
    }
    best = -1.0
    progress = tqdm(range(1, training.epochs + 1), desc=trial.name, unit="epoch", disable=None)
    for epoch in progress:
        started = time.perf_counter()
        train_loss, train_accuracy = _train_epoch(model, optimiser, parts["train"], training.batch_size, shuffle)
        row = {"epoch": epoch, "train_loss": train_loss, "train_accuracy": train_accuracy}
        if not math.isfinite(train_loss):
            recorder.epoch({**row, "seconds": time.perf_counter() - started})
            return {**outcome, "status": "diverged", "epochs": epoch}
        row["validation_loss"], row["validation_accuracy"] = evaluate(model, parts["validation"])
        row["test_loss"], row["test_accuracy"] = evaluate(model, parts["test"])
        row["seconds"] = time.perf_counter() - started
        recorder.epoch(row)
        progress.set_postfix(loss=f"{train_loss:.3f}", validation=f"{row['validation_accuracy']:.3f}")
        if not math.isfinite(row["validation_loss"]):
            return {**outcome, "status": "diverged", "epochs": epoch}
        if row["validation_accuracy"] > best:
            best = row["validation_accuracy"]
            outcome |= {"best_epoch": epoch, "validation_accuracy": best, "test_accuracy": row["test_accuracy"]}
    outcome["last_validation_accuracy"] = row["validation_accuracy"]
    outcome["last_test_accuracy"] = row["test_accuracy"]
    return {**outcome, "epochs": training.epochs}


def _streams(trial: Trial) -> list[np.random.SeedSequence]:
    return np.random.SeedSequence(trial.entropy).spawn(2)


def _tensors(part: Part, scale: float, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    inputs = torch.from_numpy(part.inputs).to(device, torch.float32) * scale
    times = None if part.times is None else torch.from_numpy(part.times).to(device)
    return inputs, torch.from_numpy(part.targets).to(device), times


def _model(trial: Trial, dataset: Dataset, training: Training) -> torch.nn.Module:
    hyperparameters = {key: value for key, value in trial.model.items() if key != "name"}
    train = dataset.parts["train"]
    return build_model(
        trial.model["name"],
        input_size=train.inputs.shape[-1],
        output_size=dataset.classes,
        timestamps=train.times is not None,
        engine=training.model_dump(include=EngineOptions.model_fields.keys()),
        **hyperparameters,
    )


def _train_epoch(model, optimiser, part, batch_size: int, shuffle: torch.Generator) -> tuple[float, float]:
    """One pass in random order; mean loss and accuracy over the samples seen, stopping at a loss not finite."""
    inputs, targets, times = part
    model.train()
    total, correct = 0.0, 0
    for batch in torch.randperm(len(targets), generator=shuffle).split(batch_size):
        optimiser.zero_grad(set_to_none=True)
        logits = model(inputs[batch], times=None if times is None else times[batch])
        loss = cross_entropy(logits, targets[batch])
        if not math.isfinite(loss.item()):
            return math.nan, correct / len(targets)
        loss.backward()
        optimiser.step()
        total += loss.item() * len(batch)
        correct += (logits.argmax(-1) == targets[batch]).sum().item()
    return total / len(targets), correct / len(targets)


@torch.no_grad()
def evaluate(model: torch.nn.Module, part) -> tuple[float, float]:
    """Mean cross-entropy and accuracy in [0, 1] of `model` over a part (inputs, targets, times)."""
    inputs, targets, times = part
    model.eval()
    total, correct = 0.0, 0
    for batch in torch.arange(len(targets)).split(EVALUATION_BATCH):
        logits = model(inputs[batch], times=None if times is None else times[batch])
        total += cross_entropy(logits, targets[batch], reduction="sum").item()
        correct += (logits.argmax(-1) == targets[batch]).sum().item()
    return total / len(targets), correct / len(targets)
