"""Mixed precision of models that the unrolling engine does not run."""

import torch

from hippo.kernels import product_precision


def uses_autocast(device: torch.device) -> bool:
    """Return whether such a model with the precision `auto` computes under `torch.autocast` in bfloat16.

    Parameters
    ----------
    device : torch.device
        Device of the inputs.

    Returns
    -------
    bool
        True on a GPU with units for bfloat16. On a CPU such models compute in float32.
    """
    return device.type != "cpu" and product_precision("auto", device) == "bfloat16"
