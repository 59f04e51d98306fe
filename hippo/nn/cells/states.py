"""Checks of the states of recurrent cells."""

from collections.abc import Sequence

from torch import Tensor


def check_state(state: Sequence[Tensor], initial: tuple[Tensor, ...], name: str) -> tuple[Tensor, ...]:
    """Check that a state has the form of an initial state.

    Parameters
    ----------
    state : sequence of Tensor
        The state.
    initial : tuple of Tensor
        The initial state for the same inputs.
    name : str
        Name of the module, for the error message.

    Returns
    -------
    tuple of Tensor
        The entries of the state.

    Raises
    ------
    ValueError
        If number, shape, dtype or device of the entries differ.
    """
    if isinstance(state, Tensor) or not all(isinstance(entry, Tensor) for entry in state):
        raise ValueError(f"{name}: the state is {type(state).__name__}; expected a tuple of {_describe(initial)}")
    fits = len(state) == len(initial) and all(map(_is_like, state, initial))
    if not fits:
        raise ValueError(
            f"{name}: the state is {_describe(state)}; expected {_describe(initial)}, as the call before returned it "
            "for this batch"
        )
    return tuple(state)


def _is_like(entry: Tensor, other: Tensor) -> bool:
    return entry.shape == other.shape and entry.dtype == other.dtype and entry.device == other.device


def _describe(state: Sequence[Tensor]) -> str:
    forms = (f"{entry.dtype} {tuple(entry.shape)} on {entry.device}" for entry in state)
    return ", ".join(form.removeprefix("torch.") for form in forms)
