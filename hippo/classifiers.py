"""Options of classifiers that are fitted at once, without gradients. Free of scikit-learn."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PositiveInt

from hippo.config import Options

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin


class ClassifierOptions(Options):
    """Options of one classifier of sequences, registered in the entry-point group `hippo.classifiers`.

    If the dataset has timestamps, the classifier receives them as the last channel of the sequences.

    Attributes
    ----------
    test_options : dict
        Class attribute. Small options with which the contract tests build the classifier.
    """

    test_options: ClassVar[dict[str, Any]] = {}

    def classifier(self, seed: int, timestamps: bool) -> "ClassifierMixin":
        """Return the classifier that these options describe.

        Parameters
        ----------
        seed : int
            Seed of everything random in the classifier.
        timestamps : bool
            Whether the last channel of the sequences holds timestamps.

        Returns
        -------
        sklearn.base.ClassifierMixin
            Unfitted classifier of sequences (samples, length, channels), or of a list of sequences (length, channels)
            of unequal lengths.
        """
        raise NotImplementedError


class LegSRidgeOptions(ClassifierOptions):
    """HiPPO-LegS coefficients of each channel, classified by ridge regression."""

    order: PositiveInt = Field(32, description="Coefficients of each channel.")

    def classifier(self, seed: int, timestamps: bool) -> "ClassifierMixin":
        """Return a pipeline of `HiPPOFeatures` and `RidgeClassifierCV`; nothing in it is random."""
        from hippo.estimators.features import HiPPOFeatures
        from hippo.estimators.ridge import ridge_classifier

        return ridge_classifier(HiPPOFeatures(self.order, timestamps=timestamps, layout="channels_last"))
