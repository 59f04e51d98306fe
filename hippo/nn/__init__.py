"""Models of sequences: `build_model` builds a registered model from its name and hyperparameters.

The names below are imported on first use, so that `import hippo.nn` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from hippo.errors import require_extra

if TYPE_CHECKING:
    from hippo.nn.build import available_models, build_model
    from hippo.nn.hippo_layer import HiPPOLayer
    from hippo.nn.model_file import load_model, save_model
    from hippo.nn.sequence import SequenceModel
    from hippo.nn.ssm.backbone import set_rate
    from hippo.nn.ssm.diagonal_layer import S4D
    from hippo.nn.ssm.layer import S4

require_extra("nn", "torch", "pydantic", needed_by="hippo.nn")

__all__ = [
    "S4",
    "S4D",
    "HiPPOLayer",
    "SequenceModel",
    "available_models",
    "build_model",
    "load_model",
    "save_model",
    "set_rate",
]

MODEL_FILE = "model.pt"
"""Name of a model's file in the folder of a trial."""

_MODULES = {
    "available_models": "hippo.nn.build",
    "build_model": "hippo.nn.build",
    "HiPPOLayer": "hippo.nn.hippo_layer",
    "load_model": "hippo.nn.model_file",
    "save_model": "hippo.nn.model_file",
    "SequenceModel": "hippo.nn.sequence",
    "set_rate": "hippo.nn.ssm.backbone",
    "S4": "hippo.nn.ssm.layer",
    "S4D": "hippo.nn.ssm.diagonal_layer",
}


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module 'hippo.nn' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
