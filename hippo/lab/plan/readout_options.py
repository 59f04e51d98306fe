"""Options of the readout task: states of S4 and S4D layers that are not trained. Free of torch."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hippo.config import Options

System = Literal["legs", "legt", "fout", "lagt", "diag_legs", "diag_inv", "diag_lin", "diag_real"]


class FrozenStatesOptions(Options):
    """The states of one S4 layer without output map, that reads one channel in `features` copies.

    A, B and the steps are not trained. Each copy passes one number on, a linear function of its own states, to a linear
    decoder. That is the published network of the reconstruct task, whose encoder and bias change nothing here.
    """

    systems: list[System] = Field(["legs"], min_length=1, description="systems; the copies are divided among them")
    order: Annotated[int, Field(ge=2, multiple_of=2, description="states of a copy")] = 256
    features: PositiveInt = Field(256, description="copies of the channel")
    dt_min: PositiveFloat = Field(2e-3, description="least time between inputs, in the unit of the system")
    dt_max: PositiveFloat | None = Field(
        None, description="largest time between inputs; the steps of the copies are geometric; null: dt_min"
    )
    cutoff: Annotated[float, Field(gt=0, lt=1)] = Field(
        1e-8,
        description="directions of the states with a smaller relative deviation are not used: rounding of float32",
    )
    sweeps: PositiveInt = Field(20, description="largest number of passes over groups of copies")

    @model_validator(mode="after")
    def _check_copies(self):
        if self.dt_max is not None and self.dt_max < self.dt_min:
            raise ValueError(f"dt_max = {self.dt_max} is below dt_min = {self.dt_min}; exchange them")
        if self.features % len(self.systems):
            raise ValueError(
                f"features = {self.features} cannot be divided among {len(self.systems)} systems; choose a multiple"
            )
        return self

    def steps(self) -> dict[float, int]:
        """Return the steps of the copies of one system, with the number of copies that each has.

        Geometric from dt_min to dt_max, at the middles of equal intervals of log dt.
        """
        copies = self.features // len(self.systems)
        if self.dt_max in (None, self.dt_min):
            return {self.dt_min: copies}
        ratio = self.dt_max / self.dt_min
        return {self.dt_min * ratio ** ((copy + 0.5) / copies): 1 for copy in range(copies)}
