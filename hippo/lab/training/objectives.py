"""Objectives: the number of outputs, the loss and the score that the targets of a dataset require."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from hippo.data.dataset import NOT_ASKED, Dataset, Part
from hippo.data.errors import DataError
from hippo.nn.pooling import true_steps


class Classes:
    """One class of several, per sequence or per step: cross-entropy and accuracy.

    Parameters
    ----------
    dataset : Dataset
        Its targets are int64, shape (samples,) or (samples, length), and `NOT_ASKED` at steps without a score.

    Attributes
    ----------
    outputs : int
        Outputs of the model: one logit per class.
    sequence : bool
        Whether there is a target per step.
    score : str
        Name of the score.
    """

    score = "accuracy"

    def __init__(self, dataset: Dataset):
        self.outputs = dataset.classes
        self.sequence = dataset.parts["train"].targets.ndim == 2

    def select(self, answers: Tensor, targets: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the answers and targets, with `NOT_ASKED` in the padding of per-step targets."""
        if lengths is not None and self.sequence:
            targets = targets.where(true_steps(lengths, targets.shape[1]), NOT_ASKED)
        return answers, targets

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of logits (..., classes) over the targets that are asked."""
        return cross_entropy(answers.flatten(0, -2), targets.flatten(), ignore_index=NOT_ASKED)

    def count(self, answers: Tensor, targets: Tensor) -> tuple[int, int]:
        """Return the numbers of targets that are asked, and of right answers."""
        asked = targets != NOT_ASKED
        return int(asked.sum()), int((asked & (answers.argmax(-1) == targets)).sum())

    def scores(self, loss: float, right: float) -> dict[str, float]:
        """Return mean loss and fraction of right answers, by name."""
        return {"loss": loss, "accuracy": right}


class Values:
    """Numbers, per sequence or per step: mean squared error, and its root divided by the standard deviation.

    Parameters
    ----------
    dataset : Dataset
        Its targets are float32, shape (samples, outputs) or (samples, length, outputs).

    Attributes
    ----------
    outputs : int
        Outputs of the model.
    sequence : bool
        Whether there are targets per step.
    score : str
        Name of the score.
    spread : float
        Standard deviation of all targets of the train part, without padding.

    Raises
    ------
    DataError
        If the spread is zero or not finite: no error can be given in units of it.
    """

    score = "nrmse"

    def __init__(self, dataset: Dataset):
        train = dataset.parts["train"]
        self.outputs = train.targets.shape[-1]
        self.sequence = train.targets.ndim == 3
        self.spread = self._spread(train)
        if not 0 < self.spread < math.inf:
            raise DataError(
                f"dataset {dataset.source!r}, part 'train': the standard deviation of the targets is {self.spread}, "
                "expected a positive number; choose targets that differ"
            )

    def _spread(self, part: Part) -> float:
        """Standard deviation of the targets."""
        targets = part.targets
        if self.sequence and part.lengths is not None:
            targets = targets[true_steps(torch.from_numpy(part.lengths), targets.shape[1]).numpy()]
        return float(targets.std())

    def select(self, answers: Tensor, targets: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the answers and targets outside the padding, (steps, outputs) if they are per step and padded."""
        if lengths is not None and self.sequence:
            true = true_steps(lengths, targets.shape[1])  # (B, L)
            return answers[true], targets[true]
        return answers, targets

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error."""
        return mse_loss(answers, targets)

    def count(self, answers: Tensor, targets: Tensor) -> tuple[int, int]:
        """Return the number of targets, and 0: no number is exactly right."""
        return targets.numel(), 0

    def scores(self, loss: float, right: float) -> dict[str, float]:
        """Return the mean squared error, and its root in units of the standard deviation, by name."""
        return {"loss": loss, "nrmse": math.sqrt(loss) / self.spread}


Objective = Classes | Values


def find_objective(dataset: Dataset) -> Objective:
    """Return the objective of a dataset: `Classes` if it has classes, else `Values`."""
    return Values(dataset) if dataset.classes is None else Classes(dataset)


class Tally:
    """Sums of loss and score over batches. Every answer has the same weight.

    Attributes
    ----------
    sums : list
        Sum of the loss, number of answers, number of right answers: part of a checkpoint.
    """

    def __init__(self, objective: Objective):
        self.objective, self.sums = objective, [0.0, 0, 0]

    @torch.no_grad()
    def add(self, loss: float, answers: Tensor, targets: Tensor) -> None:
        """Add one batch with the mean loss `loss`; `answers` and `targets` as `Objective.select` returned them."""
        count, right = self.objective.count(answers, targets)
        total = self.sums
        self.sums = [total[0] + loss * count, total[1] + count, total[2] + right]

    def scores(self, part: str) -> dict[str, float]:
        """Return loss and score so far, as `<part>_loss` and `<part>_accuracy` or `<part>_nrmse`."""
        loss, count, right = self.sums
        return {f"{part}_{key}": value for key, value in self.objective.scores(loss / count, right / count).items()}
