"""Where models run."""

from typing import TYPE_CHECKING

from hippo.config import ConfigError

if TYPE_CHECKING:
    import torch


def resolve_device(name: str = "auto") -> "torch.device":
    """The device called `name`; "auto" is the first CUDA device where there is one, else the CPU.

    ConfigError where a device is asked for that this machine or this build of PyTorch does not have.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # PyTorch without CUDA fails by assertion
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {name!r}: {reason}; set device to auto or cpu") from None
    return device
