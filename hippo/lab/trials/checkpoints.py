"""Checkpoints of a running trial: its last two states, on disk."""

import hashlib
import io
import logging
import pickle
from contextlib import suppress
from pathlib import Path

import torch

from hippo.files import atomic

log = logging.getLogger(__name__)

FORMAT = 2  # to be raised with any change of the content of a state: another format is not resumed from


class Checkpoints:
    """The last two states of one trial, each in a file that begins with the digest of its content.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoints. It is created with the first one.
    identity : str
        Digests of settings and data. The states of a trial with another identity are not read.
    """

    def __init__(self, folder: Path, identity: str):
        self.folder, self.identity = folder, identity

    def save(self, state: dict) -> None:
        """Write a state, and keep the one before it.

        Parameters
        ----------
        state : dict
            Tensors, numbers, strings, None, and lists and dicts of them.

        Raises
        ------
        OSError
            If the file cannot be written. The earlier states are then unchanged.
        """
        buffer = io.BytesIO()
        torch.save({"format": FORMAT, "identity": self.identity, "state": state}, buffer)
        content = buffer.getvalue()
        paths = self._paths()
        number = int(paths[-1].stem) + 1 if paths else 1
        with atomic(self.folder / f"{number:06d}.pt") as partial:
            partial.write_bytes(hashlib.sha256(content).hexdigest().encode() + content)
        for old in paths[:-1]:
            old.unlink(missing_ok=True)

    def load(self) -> dict | None:
        """Return the newest intact state of this trial, or None. A damaged file is removed, with a warning."""
        for path in reversed(self._paths()):
            try:
                saved = _read(path)
            except (OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
                log.warning("%s is damaged (%s); the checkpoint before it is used", path, error)
                with suppress(OSError):
                    path.unlink()  # it would count among the two that are kept
                continue
            if saved.get("format") != FORMAT:
                log.warning("%s was written by another version of hippo-lab; it is not resumed from", path)
            elif saved["identity"] == self.identity:
                return saved["state"]
        return None

    def clear(self) -> None:
        """Remove all checkpoints, and their folder if nothing else is in it."""
        for path in self._paths():
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _paths(self) -> list[Path]:
        """Files of all checkpoints, oldest first."""
        return sorted(self.folder.glob("[0-9]*.pt"))


def _read(path: Path) -> dict:
    """Content of a checkpoint; ValueError if it does not have its digest."""
    stored = path.read_bytes()
    digest, content = stored[:64], stored[64:]
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise ValueError("the content does not match its digest")
    # On the CPU, so that a trial that was started on a GPU can be resumed without one.
    return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
