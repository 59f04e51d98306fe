"""The device that a model runs on."""

from typing import TYPE_CHECKING

from hippo.config import ConfigError

if TYPE_CHECKING:
    import torch


def resolve_device(name: str = "auto") -> "torch.device":
    """Return the device called `name`.

    Parameters
    ----------
    name : str, default "auto"
        A name that `torch.device` accepts, such as "cpu" or "cuda:1". "auto" is the first CUDA device if there is
        one, else the CPU.

    Returns
    -------
    torch.device
        A device on which a tensor has been created successfully.

    Raises
    ------
    ConfigError
        If this machine or this build of PyTorch has no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # PyTorch without CUDA raises AssertionError
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {name!r}: {reason}; set device to auto or cpu") from None
    return device
