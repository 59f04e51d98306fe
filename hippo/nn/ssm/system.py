"""The parameters of S4 layers: structured linear systems in continuous time, and their discretization.

Letters in shape comments: H features, n = state_size / 2 conjugate pairs, r rank.
"""

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hippo.nn.divergence import Diverged
from hippo.nn.engine.tracing import is_traced
from hippo.nn.parameter_groups import ParameterOptions
from hippo.nn.ssm.discretization import DiscreteSystem, bilinear, zero_order_hold
from hippo.nn.ssm.settings import check_settings, is_number, split_measure
from hippo.nn.ssm.snapshot import Snapshot
from hippo.operators import structured_system
from hippo.operators.checks import check_positive

LEAST_DECAY = 1e-4  # of a trained eigenvalue at initialization: the decay is stored as its logarithm


class StateSpace(nn.Module):
    """One system x' = A x + B u, y = C x per feature, with A = diag(lambda) - sum_r P_r P_r^*.

    Each feature has its own step size and its own C. A and B are shared by the features: feature h has copy h % n_ssm.
    With P P^* subtracted, A is stable if the real parts of lambda are negative. They are stored as logarithms, so that
    they remain negative.

    The parameter C is that of the system itself. The published code of S4 stores C (I - Abar^L) instead, which its
    formula for the response over L steps needs. That parameter depends on the length L and on the step sizes: it must
    be converted for longer sequences, for another sampling rate and for the recurrent form. The formulas here need only
    C itself.

    Parameters
    ----------
    features : int
        Number of features H.
    state_size : int, default 64
        Size of the state of each feature; even, because the states are conjugate pairs.
    measure : str, default "legs"
        System that A and B begin with (`hippo.operators.structured_system`), or a mixture such as "legs+fout", whose
        systems have equal numbers of copies.
    dt_min, dt_max : float, default 0.001 and 0.1
        Range of the initial step sizes, which are distributed log-uniformly. A feature with step size dt sees about
        1 / dt steps.
    n_ssm : int, optional
        Copies of A and B; a multiple of the number of systems in the mixture. Default: one of each.
    discretization : {"bilinear", "zoh"}, default "bilinear"
        Rule that turns the differential equation into a recurrence; "zoh", the zero-order hold, for diagonal systems.
    channels : int, default 1
        Outputs per feature: 1, or 2 for a causal and an anticausal response.
    frozen : collection of {"A", "B", "C", "D", "step"}, default ()
        Parts that are not trained. A is lambda and P. A frozen part is a buffer with the exact values of the measure.
        If A is trained, each real part is initially at most -1e-4, also after the values of a system in which it is
        frozen are loaded. D belongs to the layer and is ignored here.
    learning_rate_A, learning_rate_B, learning_rate_step : float or None, default 0.001
        Learning rates of the parts; None: the global one. The weight decay of these parts is 0.
    device, dtype
        As in the modules of PyTorch; dtype float32 or float64.

    Raises
    ------
    ValueError
        If a setting cannot be used (`hippo.nn.ssm.settings.check_settings`).
    TypeError
        If a setting has the wrong type.

    Examples
    --------
    >>> system = StateSpace(features=16, state_size=8, measure="legs")
    >>> system.discretize().a.shape
    torch.Size([16, 4])
    """

    def __init__(
        self,
        features: int,
        state_size: int = 64,
        measure: str = "legs",
        *,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        n_ssm: int | None = None,
        discretization: str = "bilinear",
        channels: int = 1,
        frozen: Collection[str] = (),
        learning_rate_A: float | None = 0.001,
        learning_rate_B: float | None = 0.001,
        learning_rate_step: float | None = 0.001,
        device=None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        if channels not in (1, 2):
            raise ValueError(f"channels = {channels}: expected 1, or 2 for a causal and an anticausal response")
        check_settings(features, state_size, measure, dt_min, dt_max, n_ssm, discretization, frozen)
        self.features, self.state_size, self.measure = features, state_size, measure
        self.discretization = discretization
        self.learning_rates = {"A": learning_rate_A, "B": learning_rate_B, "step": learning_rate_step}
        for part, rate in self.learning_rates.items():
            if not (rate is None or is_number(rate)):
                raise ValueError(f"learning_rate_{part} = {rate!r}: expected a finite number of at least 0, or None")
        self._names: list[str] = []  # of all parameters and buffers
        self._part_of: dict[str, str] = {}  # part of the system that each parameter belongs to
        self._cache: tuple[float, Snapshot, DiscreteSystem] | None = None

        def add(part: str, name: str, values: Tensor) -> None:
            values = values.to(device, dtype or torch.get_default_dtype()).contiguous()
            self._names.append(name)
            if part in frozen:
                self.register_buffer(name, values)
            else:
                self.register_parameter(name, nn.Parameter(values))
                self._part_of[name] = part

        eigenvalues, low_rank, inputs = initial_systems(measure, state_size, n_ssm)
        self.rank = low_rank.shape[1]
        decay = -eigenvalues.real
        if "A" in frozen:
            add("A", "decay", decay)
        else:
            add("A", "log_decay", decay.clamp(min=LEAST_DECAY).log())
        add("A", "frequency", eigenvalues.imag)
        if self.rank:
            add("A", "P", torch.view_as_real(low_rank))
        add("B", "B", torch.view_as_real(inputs))
        low, high = math.log(dt_min), math.log(dt_max)
        log_step = torch.rand(features, device=device, dtype=dtype).double() * (high - low) + low
        if "step" in frozen:
            exact = torch.full_like(log_step, dt_min) if dt_min == dt_max else log_step.exp()
            add("step", "step", exact)
        else:
            add("step", "log_step", log_step)
        C = torch.randn(channels, features, state_size // 2, 2, device=device, dtype=dtype)
        add("C", "C", C * math.sqrt(0.5))

    def discretize(self, rate: float = 1.0) -> DiscreteSystem:
        """Return the discrete systems of all features.

        In eval mode without gradients the result is kept until a parameter changes. PyTorch does not count changes
        through `.data` or NumPy: they are seen after `train()` or `eval()`.

        Parameters
        ----------
        rate : float, default 1.0
            Time between inputs relative to training, for example 2 for every second sample. It multiplies the step
            sizes.

        Returns
        -------
        DiscreteSystem

        Raises
        ------
        ValueError, TypeError
            If `rate` is not a positive number, or too large for the discrete systems to be finite.
        Diverged
            If a parameter is not finite. The message names it.
        """
        rate = check_positive("rate", rate)
        if self.training or torch.is_grad_enabled() or is_traced() or self._modules:  # of parametrizations
            return self._discretize(rate)
        tensors = [*self._parameters.values(), *self._buffers.values()]
        cache = self._cache  # another thread may replace it
        if cache is not None and cache[0] == rate and cache[1].is_of(tensors):
            return cache[2]
        snapshot = Snapshot.of(tensors)  # before their values are read
        system = self._discretize(rate)
        if snapshot is not None:
            self._cache = rate, snapshot, system
        return system

    def discretize_without_steps(self, rate: float = 1.0) -> tuple[DiscreteSystem, Tensor] | None:
        """Return the discrete systems without the graph of the step sizes, which the impulse response can replace.

        Parameters
        ----------
        rate : float, default 1.0
            As in `discretize`.

        Returns
        -------
        tuple of DiscreteSystem and Tensor of shape (features,), or None
            The systems, constant but for `c`, and the logarithms of the step sizes, for `hippo.nn.ssm.step_gradient`.
            None if the gradient does not follow from the response: that takes the bilinear rule, trained step sizes,
            and A and B that are not trained.

        Raises
        ------
        ValueError, TypeError, Diverged
            As in `discretize`.
        """
        rate, values = check_positive("rate", rate), self()
        trained = {name for name, tensor in values.items() if tensor.requires_grad}
        if self.discretization != "bilinear" or not torch.is_grad_enabled() or trained - {"C"} != {"log_step"}:
            return None
        with torch.no_grad():
            system = self._discretize(rate)
        return system._replace(c=2 * torch.view_as_complex(values["C"])), values["log_step"]

    def forward(self) -> dict[str, Tensor]:
        """Return every parameter and buffer by its name, as pruning and parametrizations of PyTorch change them."""
        return {name: getattr(self, name) for name in self._names}

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Load a state dict, also from a system in which a part is frozen that is trained here, or the reverse."""
        for name, least in (("decay", LEAST_DECAY), ("step", 0.0)):
            frozen, trained = f"{prefix}{name}", f"{prefix}log_{name}"
            if name in self._buffers and frozen not in state_dict and trained in state_dict:
                values = state_dict.pop(trained)
                state_dict[frozen] = values.double().exp().to(values.dtype)
            elif f"log_{name}" in self._parameters and trained not in state_dict and frozen in state_dict:
                values = state_dict.pop(frozen)
                state_dict[trained] = values.double().clamp(min=least).log().to(values.dtype)
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), "_cache": None}

    def _discretize(self, rate: float) -> DiscreteSystem:
        """Discretize the systems without the cache."""
        values = self()  # runs the hooks by which PyTorch prunes
        step = values["step"] if "step" in values else values["log_step"].exp()
        decay = values["decay"] if "decay" in values else values["log_decay"].exp()
        C = values["C"]
        self._check_finite(values, step, decay)
        eigenvalues = self._of_features(torch.complex(-decay, values["frequency"]))  # (H, n)
        inputs = self._of_features(torch.view_as_complex(values["B"]))  # (H, n)
        step = step * rate
        if self.discretization == "zoh":
            a, p, v, b = zero_order_hold(step, eigenvalues, inputs)
        else:
            low_rank = eigenvalues.new_zeros(self.features, 0, eigenvalues.shape[1])  # (H, r, n)
            if self.rank:
                low_rank = self._of_features(torch.view_as_complex(values["P"]))
            with torch.autocast(step.device.type, enabled=False):  # the system in bfloat16 would remain in the cache
                a, p, v, b = bilinear(step, eigenvalues, low_rank, inputs)
        if rate != 1 and not (is_traced() or b.isfinite().all()):
            raise ValueError(f"rate = {rate:g}: the discrete system is not finite in {step.dtype}; use a smaller rate")
        return DiscreteSystem(a, p, v, b, 2 * torch.view_as_complex(C))

    def _of_features(self, copies: Tensor) -> Tensor:
        """Values (features, ...) of the copies (n_ssm, ...) that the features have."""
        if len(copies) == 1:
            return copies.expand(self.features, *copies.shape[1:])
        repeats = -(-self.features // len(copies))
        return copies.repeat(repeats, *(1 for _ in copies.shape[1:]))[: self.features]

    def _check_finite(self, values: dict[str, Tensor], step: Tensor, decay: Tensor) -> None:
        """Raise Diverged if a number that the system depends on is NaN or infinite."""
        checked = {**values, "log_step" if "log_step" in values else "step": step}
        checked["log_decay" if "log_decay" in values else "decay"] = decay
        if is_traced() or torch.cat([tensor.detach().flatten() for tensor in checked.values()]).isfinite().all():
            return
        name = next(name for name, tensor in checked.items() if not tensor.isfinite().all())
        index = tuple(checked[name].isfinite().logical_not().nonzero()[0].tolist())
        raise Diverged(
            f"parameter {name} of an S4 layer (measure {self.measure!r}) is not finite at index {index}: the training "
            f"has diverged; lower the learning rate of {self._part_of.get(name, name)}, or of all parameters"
        )

    def train(self, mode: bool = True) -> "StateSpace":
        """Set training mode, and forget the discrete systems that eval mode keeps."""
        self._cache = None
        return super().train(mode)

    def parameter_options(self) -> dict[str, ParameterOptions]:
        """Return the learning rates of A, B and the step sizes, which have no weight decay. C has the global ones."""
        return {
            stored: ParameterOptions(learning_rate=self.learning_rates[part], weight_decay=0.0)
            for name, part in self._part_of.items()
            for stored in (name, f"{name}_orig")  # of a part that PyTorch prunes
            if part != "C" and stored in self._parameters
        }

    def extra_repr(self) -> str:
        """Return the settings that `print` shows."""
        return f"{self.features}, {self.state_size}, {self.measure!r}, discretization={self.discretization!r}"


def initial_systems(measure: str, state_size: int, n_ssm: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return the copies of A and B that a state space begins with.

    Parameters
    ----------
    measure : str
        Name of a system, or a mixture: the first copies are of its first system.
    state_size : int
        Number of states, conjugate ones included.
    n_ssm : int or None
        Number of copies; None: one of each system.

    Returns
    -------
    eigenvalues : Tensor of complex128, shape (n_ssm, state_size / 2)
    low_rank : Tensor of complex128, shape (n_ssm, rank, state_size / 2)
        P, filled with zeros up to the largest rank of the mixture.
    inputs : Tensor of complex128, shape (n_ssm, state_size / 2)
    """
    names = split_measure(measure)
    systems = [structured_system(name, state_size) for name in names]
    rank = max(system.rank for system in systems)
    padded = [np.pad(system.low_rank, ((0, rank - system.rank), (0, 0))) for system in systems]
    arrays = [[system.eigenvalues for system in systems], padded, [system.inputs for system in systems]]
    copies = (n_ssm or len(names)) // len(names)
    eigenvalues, low_rank, inputs = (
        torch.from_numpy(np.stack(array)).repeat_interleave(copies, 0) for array in arrays
    )  # fmt: skip
    return eigenvalues, low_rank, inputs
