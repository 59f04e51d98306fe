"""Options of the kernels task: the basis kernels of a system with a given low-rank term. Free of torch."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hippo.config import Options

LowRankTerm = Literal["exact", "noisy", "random", "none"]


class BasisKernelsOptions(Options):
    """The first basis kernels of a system A = M - P P^T, whose normal part M is exact.

    The term is exact; noisy: noise is added to the entries of P; random: the entries of P are noise, of the exact norm;
    or none.
    """

    system: Literal["legs", "legt", "fout"] = Field("legs", description="system with a basis")
    low_rank: LowRankTerm = Field("exact", description="low-rank term P P^T of the system")
    deviation: PositiveFloat = Field(0.5, description="standard deviation of the noise of a noisy term")
    draws: PositiveInt = Field(5, description="noisy or random terms over which the numbers are averaged")
    order: Annotated[int, Field(ge=2, multiple_of=2, description="states")] = 256
    kernels: Annotated[int, Field(ge=2, le=32, multiple_of=2, description="first kernels that are compared")] = 8

    @model_validator(mode="after")
    def _check_kernels(self):
        if self.kernels > self.order:
            raise ValueError(
                f"kernels = {self.kernels} is above order = {self.order}: a system has one kernel per state"
            )
        return self
