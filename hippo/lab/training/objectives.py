"""What a dataset's targets ask of a model: how many answers, their loss and their score."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from hippo.data.dataset import NOT_ASKED, Dataset


class Classes:
    """One class out of several, at the end of a sequence or at every step of it: cross-entropy and accuracy."""

    score, sign = "accuracy", 1  # more is better

    def __init__(self, dataset: Dataset):
        """targets (samples,) or (samples, length) int64, NOT_ASKED where a step's answer does not matter."""
        self.outputs = dataset.classes
        self.sequence = dataset.parts["train"].targets.ndim == 2

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of logits (..., classes) over what is asked."""
        return cross_entropy(answers.flatten(0, -2), targets.flatten(), ignore_index=NOT_ASKED)

    def count(self, answers: Tensor, targets: Tensor) -> tuple[int, int]:
        """How many answers were asked, and how many are right."""
        asked = targets != NOT_ASKED
        return int(asked.sum()), int((asked & (answers.argmax(-1) == targets)).sum())

    def scores(self, loss: float, right: float) -> dict[str, float]:
        """By name: mean loss and share of right answers."""
        return {"loss": loss, "accuracy": right}


class Values:
    """Numbers, at the end of a sequence or at every step of it: mean squared error, and its root over their spread."""

    score, sign = "nrmse", -1  # less is better

    def __init__(self, dataset: Dataset):
        """targets (samples, outputs) or (samples, length, outputs) float32."""
        targets = dataset.parts["train"].targets
        self.outputs = targets.shape[-1]
        self.sequence = targets.ndim == 3
        self.spread = float(targets.std())

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error."""
        return mse_loss(answers, targets)

    def count(self, answers: Tensor, targets: Tensor) -> tuple[int, int]:
        """How many numbers were asked; none is right or wrong."""
        return targets.numel(), 0

    def scores(self, loss: float, right: float) -> dict[str, float]:
        """By name: mean squared error, and its root in units of the targets' standard deviation."""
        return {"loss": loss, "nrmse": math.sqrt(loss) / self.spread}


def objective(dataset: Dataset) -> Classes | Values:
    """The objective of `dataset`."""
    return Values(dataset) if dataset.classes is None else Classes(dataset)


class Tally:
    """Loss and score over batches, every answer weighing the same; its numbers survive in a checkpoint."""

    def __init__(self, objective: Classes | Values):
        self.objective, self.sums = objective, [0.0, 0, 0]

    def add(self, loss: float, answers: Tensor, targets: Tensor) -> None:
        """Count one batch of mean loss `loss`."""
        with torch.no_grad():
            count, right = self.objective.count(answers, targets)
        total = self.sums
        self.sums = [total[0] + loss * count, total[1] + count, total[2] + right]

    def scores(self, part: str) -> dict[str, float]:
        """Loss and score so far as `part`_loss, `part`_accuracy …"""
        loss, count, right = self.sums
        return {f"{part}_{key}": value for key, value in self.objective.scores(loss / count, right / count).items()}
