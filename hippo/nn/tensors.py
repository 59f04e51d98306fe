"""Check that an argument is a tensor."""

from torch import Tensor


def check_tensor(name: str, value: object) -> None:
    """Raise TypeError unless an argument is a dense tensor; an array has attributes of the same names."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} are of type {type(value).__name__}; expected a tensor: torch.as_tensor makes one")
    if value.is_sparse:
        raise TypeError(f"{name} are a sparse tensor; expected a dense one: pass {name}.to_dense()")
