"""Settings of the engine. The module imports no torch, because the workflow reads it while it plans its jobs."""

from typing import Literal

from pydantic import Field

from hippo.config import Options


class EngineOptions(Options):
    """Settings that change the speed, memory and rounding of a model, but not the function that it computes."""

    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="Type of matrix products and of saved activations. With bfloat16, sums, states and weights "
        "stay in float32. auto: bfloat16 on a processor or GPU that has units for it, else float32. "
        "Models outside of the engine have float32 and auto, which on a GPU is mixed precision.",
    )
    checkpoint: bool = Field(
        False,
        description="Save the states of about sqrt(length) steps instead of all activations, and compute every step "
        "twice.",
    )
