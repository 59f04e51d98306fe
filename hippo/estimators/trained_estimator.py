"""What the estimators of sktime that train a registered model have in common."""

from typing import Any

from hippo.estimators import training
from hippo.estimators.scikit_learn import ScikitLearnMixin
from hippo.nn.sequence import SequenceModel


class TrainedEstimator(ScikitLearnMixin):
    """Constructor, trained model and test parameters; `SequenceClassifier` describes the parameters."""

    def __init__(
        self,
        model: str = "legs",
        hyperparameters: dict | None = None,
        epochs: int = 50,
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        early_stopping: int | None = 10,
        validation_fraction: float = 0.2,
        standardize: bool = True,
        timestamps: str | None = None,
        training_options: dict | None = None,
        device: str = "auto",
        verbose: int = 0,
        random_state=None,
    ):
        self.model, self.hyperparameters, self.training_options = model, hyperparameters, training_options
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.standardize, self.timestamps = standardize, timestamps
        self.device, self.verbose, self.random_state = device, verbose, random_state
        super().__init__()

    def network(self: Any) -> SequenceModel:
        """Return a copy of the trained model, on the CPU.

        Returns
        -------
        hippo.nn.sequence.SequenceModel
            A torch module in evaluation mode. It reads standardized channels (batch, length, channels).
        """
        self.check_is_fitted()
        return training.network(self)

    @classmethod
    def get_test_params(cls, parameter_set="default"):
        """Return parameters for sktime's tests."""
        small = {"hyperparameters": {"hidden_size": 4}, "epochs": 2, "device": "cpu"}
        return [{"model": "legs", **small}, {"model": "gru", "batch_size": 4, "standardize": False, **small}]
