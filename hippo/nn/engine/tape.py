"""Tapes are kept between training steps: fresh memory of this size costs more than the arithmetic on it.

The pages of a new 300 MB buffer are faulted in one by one; a training loop asks for the same tape every step.
"""

import torch
from torch import Tensor

from hippo.nn.engine.recurrence import Recurrence

_KEPT = 2  # a training and an evaluation tape
_spare: dict[tuple, dict[str, Tensor]] = {}


def borrow(recurrence: Recurrence, steps: int, batch: int) -> dict[str, Tensor]:
    """A tape of uninitialised buffers for `steps` steps, the caller's own until it gives it back."""
    layout, device = recurrence.layout(steps, batch), recurrence.w_in.device
    spare = _spare.pop((tuple(layout.items()), device), None)
    if spare is not None:
        return spare
    return {name: torch.empty(shape, dtype=dtype, device=device) for name, (shape, dtype) in layout.items()}


def give_back(tape: dict[str, Tensor]) -> None:
    """Keep `tape` for the next `borrow` of its layout, dropping the one that was unused for longest."""
    if tape["z"].is_inference():  # no gradient may be written to what was made under inference mode
        return
    layout = tuple((name, (tuple(buffer.shape), buffer.dtype)) for name, buffer in tape.items())
    _spare[layout, tape["z"].device] = tape
    while len(_spare) > _KEPT:
        del _spare[next(iter(_spare))]
