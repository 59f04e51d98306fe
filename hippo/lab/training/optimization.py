"""The optimizer steps of one training: optimizer, learning-rate schedule and gradient clipping."""

import math

import torch

from hippo.config import ConfigError
from hippo.lab.plan.training_options import TrainingOptions
from hippo.nn.optimizers import OPTIMIZERS, clip_gradients
from hippo.nn.parameter_groups import parameter_groups
from hippo.nn.schedules import learning_rate_multiplier


class Optimization:
    """Updates the parameters of a model as the training options state.

    The learning rate is a function of the number of steps taken, so that the state is that of the optimizer alone.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    training : TrainingOptions
        Optimizer, learning rate, weight decay, schedule and clipping.
    samples : int
        Samples of the train part: they decide on the number of steps per epoch.

    Raises
    ------
    ConfigError
        If the warm-up is not shorter than a cosine schedule.
    """

    def __init__(self, model: torch.nn.Module, training: TrainingOptions, samples: int):
        self.training = training
        self.steps_per_epoch = math.ceil(samples / training.batch_size)
        self.total_steps = training.epochs * self.steps_per_epoch
        if training.schedule == "cosine" and training.warmup_steps >= self.total_steps:
            raise ConfigError(
                f"training.warmup_steps = {training.warmup_steps}: this training has {self.total_steps} steps "
                f"({training.epochs} epochs of {self.steps_per_epoch}), and the cosine schedule needs steps after the "
                "warm-up"
            )
        groups = parameter_groups(model, training.learning_rate, training.weight_decay)
        self.optimizer = OPTIMIZERS[training.optimizer](groups)

    def zero_grad(self) -> None:
        """Remove all gradients."""
        self.optimizer.zero_grad()

    def step(self, number: int) -> None:
        """Update the parameters by their gradients.

        Parameters
        ----------
        number : int
            Steps taken before this one.
        """
        training = self.training
        self.optimizer.learning_rate_multiplier = learning_rate_multiplier(
            number, training.schedule, self.total_steps, training.warmup_steps
        )
        if training.gradient_clip is not None:
            clip_gradients(self.optimizer.parameters(), training.gradient_clip)
        self.optimizer.step()
