"""Learning rate and weight decay of each parameter, declared by the module that owns the parameter."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class ParameterOptions:
    """Settings of one parameter that differ from those of the optimizer.

    Parameters
    ----------
    learning_rate : float or None, default None
        Learning rate of the parameter. None: the global learning rate times `learning_rate_factor`.
    learning_rate_factor : float, default 1.0
        Factor of the global learning rate. It must be 1 if `learning_rate` is given.
    weight_decay : float or None, default None
        Weight decay of the parameter. None: the global weight decay.

    Raises
    ------
    ValueError
        If a value is negative, or both a learning rate and a factor are given.
    """

    learning_rate: float | None = None
    learning_rate_factor: float = 1.0
    weight_decay: float | None = None

    def __post_init__(self):
        for name, value in vars(self).items():
            if value is not None and not value >= 0:
                raise ValueError(f"{name} is {value}; expected a number that is not negative")
        if self.learning_rate is not None and self.learning_rate_factor != 1:
            raise ValueError("both learning_rate and learning_rate_factor are given; give one of them")


def parameter_groups(model: nn.Module, learning_rate: float, weight_decay: float = 0.0) -> list[dict]:
    """Group the parameters of a model by learning rate and weight decay.

    A module declares settings of its own parameters by a method `parameter_options()`, which returns a mapping from
    the parameter's name to `ParameterOptions`. The names are those of the module itself, not of its submodules.

    Parameters
    ----------
    model : torch.nn.Module
        The model. Its submodules are visited in the order of `named_modules`.
    learning_rate : float
        Learning rate of every parameter without a declared one.
    weight_decay : float, default 0.0
        Weight decay of every parameter without a declared one.

    Returns
    -------
    list of dict
        Groups with the keys "params" (list of parameters), "lr" and "weight_decay", in the order in which their first
        parameter is found. Each parameter is in exactly one group; a parameter shared by several modules is in the
        group that the first of these modules declares.

    Raises
    ------
    ValueError
        If a module declares options of a parameter that it does not own.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    grouped: set[nn.Parameter] = set()
    for path, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        declared = module.parameter_options() if hasattr(module, "parameter_options") else {}
        if unknown := sorted(declared.keys() - own.keys()):
            raise ValueError(
                f"{path or 'model'} ({type(module).__name__}): parameter_options() names {unknown[0]!r}, which is no "
                f"parameter of this module; it has {', '.join(own) or 'none'}"
            )
        for name, parameter in own.items():
            if parameter not in grouped:
                grouped.add(parameter)
                key = _resolve(declared.get(name, ParameterOptions()), learning_rate, weight_decay)
                groups.setdefault(key, []).append(parameter)
    return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]


def _resolve(options: ParameterOptions, learning_rate: float, weight_decay: float) -> tuple[float, float]:
    """Learning rate and weight decay in effect."""
    rate = options.learning_rate
    if rate is None:
        rate = learning_rate * options.learning_rate_factor
    return rate, weight_decay if options.weight_decay is None else options.weight_decay
