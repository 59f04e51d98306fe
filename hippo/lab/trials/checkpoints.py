"""The last two states of a running trial, on disk."""

import hashlib
import io
import logging
import pickle
from contextlib import suppress
from pathlib import Path

import torch

from hippo.files import atomic

log = logging.getLogger(__name__)

FORMAT = 1  # to be raised with any change of what a state holds: one of another format is not gone on from


class Checkpoints:
    """States of one trial in `folder`, each in a file that begins with the digest of the rest.

    `identity` says whose they are: states of a trial with other settings or data are not read.
    """

    def __init__(self, folder: Path, identity: str):
        self.folder, self.identity = folder, identity

    def save(self, state: dict) -> None:
        """Write `state` (tensors, numbers, strings, and lists and dicts of them), and keep the one before it.

        OSError where it cannot be written; those that were there are then untouched.
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
        """The newest whole state of this trial, or None; a damaged file is removed with a warning."""
        for path in reversed(self._paths()):
            try:
                saved = _read(path)
            except (OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
                log.warning("%s is damaged: going back to the checkpoint before it (%s)", path, error)
                with suppress(OSError):
                    path.unlink()  # lest it count among the two that are kept
                continue
            if saved.get("format") != FORMAT:
                log.warning("%s is of another version of hippo-lab: not gone on from", path)
            elif saved["identity"] == self.identity:
                return saved["state"]
        return None

    def clear(self) -> None:
        """Remove all of them."""
        for path in self._paths():
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.pt"))


def _read(path: Path) -> dict:
    stored = path.read_bytes()
    digest, content = stored[:64], stored[64:]
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise ValueError("its digest is another")
    return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")  # a GPU's goes on without one
