"""Learning-rate schedules: pure functions of the step number, so that a resumed training needs no saved state."""

import math


def learning_rate_multiplier(
    step: int, schedule: str = "constant", total_steps: int = 0, warmup_steps: int = 0
) -> float:
    """Return the factor of the learning rate at one optimizer step.

    During the warm-up (`step` < `warmup_steps`) the factor is `step / warmup_steps`. After it the factor is 1 if the
    schedule is "constant", and ``(1 + cos(pi * p)) / 2`` if it is "cosine", with
    ``p = (step - warmup_steps) / (total_steps - warmup_steps)``; from `total_steps` on it is 0.

    Parameters
    ----------
    step : int
        Optimizer steps that were taken before this one: 0 for the first step.
    schedule : {"constant", "cosine"}, default "constant"
        Form of the schedule after the warm-up.
    total_steps : int, default 0
        Step at which the factor of "cosine" reaches 0. Not used by "constant".
    warmup_steps : int, default 0
        Steps of the linear warm-up from 0. With 0 there is no warm-up, and the first factor is 1.

    Returns
    -------
    float
        Factor in [0, 1].

    Raises
    ------
    ValueError
        If the schedule is unknown, or the "cosine" schedule does not end after its warm-up.

    Examples
    --------
    >>> [learning_rate_multiplier(step, "cosine", total_steps=6, warmup_steps=2) for step in (0, 1, 2, 4, 6)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"schedule is {schedule!r}; expected 'constant' or 'cosine'")
    if schedule == "cosine" and total_steps <= warmup_steps:
        raise ValueError(f"the schedule has {total_steps} steps; expected more than its {warmup_steps} warm-up steps")
    if step < warmup_steps:
        return step / warmup_steps
    if schedule == "constant":
        return 1.0
    progress = (min(step, total_steps) - warmup_steps) / (total_steps - warmup_steps)
    return (1 + math.cos(math.pi * progress)) / 2
