"""How the engine runs a model. Free of torch: the workflow validates these settings while it parses its DAG."""

from typing import Literal

from pydantic import Field

from hippo.config import Options


class EngineOptions(Options):
    """Settings that change a model's speed, memory and rounding, never what it computes."""

    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Type of the products and of stored activations. With bfloat16, sums, states and weights "
        "stay in float32.",
    )
    checkpoint: bool = Field(
        False, description="Store the states of about sqrt(length) steps only, and run every step twice."
    )
