"""Pooling: one output per sequence from the outputs of all steps."""

from torch import Tensor

from hippo.nn.cells.padding import last, true_steps

__all__ = ["last", "mean", "pool", "true_steps"]


def mean(outputs: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the mean over the true steps of each sample.

    Parameters
    ----------
    outputs : Tensor, shape (batch, length, channels)
        Outputs at all steps.
    lengths : Tensor of int, shape (batch,), or None
        True lengths; None if no sample is padded.

    Returns
    -------
    Tensor, shape (batch, channels)
    """
    if lengths is None:
        return outputs.mean(dim=1)
    inside = true_steps(lengths, outputs.shape[1]).unsqueeze(2)  # (B, L, 1)
    return outputs.where(inside, 0).sum(dim=1) / lengths.unsqueeze(1)


def pool(outputs: Tensor, lengths: Tensor | None, pooling: str) -> Tensor:
    """Return one output per sequence by the pooling called `pooling`, "last" or "mean".

    Parameters
    ----------
    outputs : Tensor, shape (batch, length, channels)
        Outputs at all steps.
    lengths : Tensor of int, shape (batch,), or None
        True lengths; None if no sample is padded.
    pooling : {"last", "mean"}
        Output at the last true step, or mean over the true steps.

    Returns
    -------
    Tensor, shape (batch, channels)
    """
    return {"last": last, "mean": mean}[pooling](outputs, lengths)
