"""Estimators of scikit-learn, sktime and river that read sequences through HiPPO memories (docs/estimators.md).

The names below are imported on first use. Each needs the package whose estimator it is, and none imports another's.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from hippo.errors import MissingExtraError, missing_extra

if TYPE_CHECKING:
    from hippo.estimators.features import HiPPOFeatures
    from hippo.estimators.forecaster import HiPPOForecaster
    from hippo.estimators.ridge import ridge_classifier, ridge_regressor
    from hippo.estimators.ridge_panels import HiPPOClassifier, HiPPORegressor
    from hippo.estimators.sequence_classifier import SequenceClassifier
    from hippo.estimators.sequence_regressor import SequenceRegressor
    from hippo.estimators.stream import HiPPOStreamTransformer
    from hippo.estimators.transformer import HiPPOTransformer

__all__ = [
    "HiPPOClassifier",
    "HiPPOFeatures",
    "HiPPOForecaster",
    "HiPPORegressor",
    "HiPPOStreamTransformer",
    "HiPPOTransformer",
    "SequenceClassifier",
    "SequenceRegressor",
    "ridge_classifier",
    "ridge_regressor",
]

# Module of each name, and the extra of this package that installs what the module imports.
_MODULES = {
    "HiPPOClassifier": ("ridge_panels", "sktime"),
    "HiPPOFeatures": ("features", "sklearn"),
    "HiPPOForecaster": ("forecaster", "sktime"),
    "HiPPORegressor": ("ridge_panels", "sktime"),
    "HiPPOStreamTransformer": ("stream", "river"),
    "HiPPOTransformer": ("transformer", "sktime"),
    "SequenceClassifier": ("sequence_classifier", "lab"),
    "SequenceRegressor": ("sequence_regressor", "lab"),
    "ridge_classifier": ("ridge", "sklearn"),
    "ridge_regressor": ("ridge", "sklearn"),
}


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module 'hippo.estimators' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, extra = _MODULES[name]
    try:
        return getattr(import_module(f"hippo.estimators.{module}"), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "hippo":
            raise
        raise MissingExtraError(missing_extra(name, missing, extra), name=error.name) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
