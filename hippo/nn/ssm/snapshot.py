"""Whether tensors are those that a result was computed from."""

from collections.abc import Collection

from torch import Tensor


class Snapshot:
    """Addresses and versions of tensors, without their values.

    A tensor that is changed in place has another version. One that is replaced has another address, because the
    snapshot keeps the memory of the first one.

    Parameters
    ----------
    tensors : collection of Tensor
        The tensors; each counts its changes, which those of inference mode do not.
    """

    def __init__(self, tensors: Collection[Tensor]):
        self.memory = [tensor.untyped_storage() for tensor in tensors]
        self.addresses = [tensor.data_ptr() for tensor in tensors]
        self.versions = [tensor._version for tensor in tensors]

    @classmethod
    def of(cls, tensors: Collection[Tensor | None]) -> "Snapshot | None":
        """Return a snapshot, or None if a tensor is missing or does not count its changes."""
        present = [tensor for tensor in tensors if tensor is not None and not tensor.is_inference()]
        return cls(present) if len(present) == len(tensors) else None

    def is_of(self, tensors: Collection[Tensor | None]) -> bool:
        """Return True if these are the same tensors, unchanged."""
        addresses = [tensor.data_ptr() for tensor in tensors if tensor is not None]
        return addresses == self.addresses and [t._version for t in tensors if t is not None] == self.versions
