"""Evaluation of a model on one part of a dataset."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from hippo.lab.training.batches import Batch, Batches
from hippo.lab.training.objectives import Objective, Tally

BATCH_SIZE = 500  # samples, at most
BATCH_STEPS = 1_000_000  # steps of all samples, at most


@torch.no_grad()
def predict(model: torch.nn.Module, batches: Batches) -> Iterator[tuple[Batch, torch.Tensor]]:
    """Yield each batch of a part, in order, with the answers of a model to it.

    Parameters
    ----------
    model : torch.nn.Module
        The model; it is set to evaluation mode.
    batches : Batches
        The part.

    Yields
    ------
    Batch, Tensor
        The batch and the answers, on the device of the model, without a graph.

    Raises
    ------
    Diverged
        If a cell cannot compute its outputs.
    """
    model.eval()
    size = min(BATCH_SIZE, max(1, BATCH_STEPS // batches.steps))
    for samples in torch.arange(len(batches)).split(size):
        batch = batches[samples]
        yield batch, model(batch.inputs, times=batch.times, lengths=batch.lengths)


@torch.no_grad()
def evaluate(
    model: torch.nn.Module, objective: Objective, batches: Batches, name: str, pause: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Return mean loss and score of a model on a part, without padding.

    Parameters
    ----------
    model : torch.nn.Module
        The model; it is set to evaluation mode.
    objective : Objective
        Loss and score.
    batches : Batches
        The part.
    name : str
        Name of the part, the prefix of the returned keys.
    pause : callable
        Called after each batch.

    Returns
    -------
    dict of float
        `<name>_loss` and `<name>_<score>`.

    Raises
    ------
    Diverged
        If a cell cannot compute its outputs.
    """
    tally = Tally(objective)
    for batch, answers in predict(model, batches):
        answers, targets = objective.select(answers, batch.targets, batch.lengths)
        tally.add(objective.loss(answers, targets).item(), answers, targets)
        pause()
    return tally.scores(name)


@contextmanager
def sampling_rate(model: torch.nn.Module, ratio: float | None) -> Iterator[None]:
    """Tell a model the time between samples relative to training, until the block ends.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    ratio : float or None
        The ratio; None: the model is told nothing.
    """
    if ratio is None:
        yield
        return
    from hippo.nn.ssm.backbone import set_rate  # which most trials do not need

    set_rate(model, ratio)
    try:
        yield
    finally:
        set_rate(model, 1.0)
