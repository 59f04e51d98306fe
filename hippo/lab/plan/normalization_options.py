"""Options of the normalization task: a system whose states are read by a random output map. Free of torch."""

from pydantic import Field

from hippo.config import Options
from hippo.lab.plan.readout_options import System


class RandomReadoutOptions(Options):
    """A system as in a new S4 layer: output C x, where the entries of C are independent with unit variance.

    C as complex numbers of total variance 1, one for each conjugate pair of states, of whose product with the states
    twice the real part is the output, gives the same variance.
    """

    system: System = Field("legs", description="system whose states are read")
