"""CharacterTrajectories: pen recordings of 20 handwritten letters, and their synthetic substitute."""

from hippo.data.character_trajectories.dataset import CharacterTrajectories

__all__ = ["CharacterTrajectories"]
