"""A pool of tapes, the buffers of saved activations, kept between training steps.

A training loop needs a tape of the same size at every step. Allocating 300 MB anew costs more than the arithmetic on
it, because the operating system maps its pages one by one.
"""

from threading import Lock

import torch
from torch import Tensor

from hippo.nn.engine.recurrence import Buffers

TAPES_KEPT = 2  # one for training and one for evaluation

# (layout, device) -> tape; the one unused for longest comes first.
spare_tapes: dict[tuple, dict[str, Tensor]] = {}
_lock = Lock()  # of spare_tapes, which the threads of a process share


def acquire(layout: Buffers, device: torch.device) -> dict[str, Tensor]:
    """Return a tape; its values are undefined.

    Parameters
    ----------
    layout : dict
        Shape and dtype of each buffer by name.
    device : torch.device
        Where the buffers are.

    Returns
    -------
    dict of Tensor
        Buffers by name. No other caller uses them until `release`.
    """
    with _lock:
        spare = spare_tapes.pop((tuple(layout.items()), device), None)
    if spare is not None:
        return spare
    return {name: torch.empty(shape, dtype=dtype, device=device) for name, (shape, dtype) in layout.items()}


def release(tape: dict[str, Tensor]) -> None:
    """Return `tape` to the pool for the next `acquire` of its layout, and drop tapes beyond `TAPES_KEPT`."""
    first = next(iter(tape.values()))
    if first.is_inference():  # autograd cannot write to tensors created under inference mode
        return
    layout = tuple((name, (tuple(buffer.shape), buffer.dtype)) for name, buffer in tape.items())
    with _lock:
        spare_tapes[layout, first.device] = tape
        while len(spare_tapes) > TAPES_KEPT:
            del spare_tapes[next(iter(spare_tapes))]
