"""Classifiers that are fitted at once, without gradients: their options. Free of scikit-learn."""

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from hippo.config import Options

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin


class ClassifierOptions(Options):
    """Options of one classifier of sequences, registered in the entry-point group `hippo.classifiers`.

    What they describe is given timestamps, where the dataset has them, as the sequences' last channel.
    """

    def classifier(self, seed: int, timestamps: bool) -> "ClassifierMixin":
        """An unfitted scikit-learn classifier of sequences (samples, length, channels)."""
        raise NotImplementedError


class LegSRidge(ClassifierOptions):
    """HiPPO-LegS coefficients of each channel, and a ridge classifier on them."""

    order: PositiveInt = Field(32, description="Coefficients of each channel.")

    def classifier(self, seed: int, timestamps: bool) -> "ClassifierMixin":
        """A pipeline of `LegSFeatures` and `RidgeClassifierCV`; nothing in it is random."""
        from hippo.estimators import LegSFeatures, ridge

        return ridge(LegSFeatures(self.order, timestamps))
