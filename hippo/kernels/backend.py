"""Choice of the kernels: the compiled module for an instruction set, or the reference implementation.

The reference implementation is in PyTorch, and in NumPy where PyTorch is not installed. The environment variable
`HIPPO_KERNELS` forces a choice: `torch`, `numpy`, an instruction set (`baseline`, `avx2`, `avx512`), or an instruction
set with a policy for bfloat16 products (`avx512+amx`, `avx2+emulated`). The policies are

- `amx`: Intel's matrix tiles,
- `bf16`: the instructions of AVX512-BF16, for processors without tiles,
- `emulated`: operands rounded to bfloat16 and multiplied in float32, with the numbers of a bfloat16 unit. It is slower
  than float32 and serves only if it is asked for.

An instruction set without a policy has no bfloat16 products: a model that asks for bfloat16 computes in float32.
"""

import hashlib
import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

INSTRUCTION_SETS = ("baseline", "avx2", "avx512")
EMULATED = "emulated"
TORCH, NUMPY = "torch", "numpy"  # the reference implementations
VARIABLE = "HIPPO_KERNELS"


@dataclass(frozen=True)
class Backend:
    """The kernels in use.

    Attributes
    ----------
    name : str
        `torch`, `numpy` or an instruction set, followed by `+` and the policy of bfloat16 products if there is one.
    reason : str
        Why they were chosen.
    compiled : module or None
        The compiled module; None for the reference implementation.
    """

    name: str
    reason: str
    compiled: ModuleType | None = None

    @property
    def instruction_set(self) -> str:
        """`torch`, `numpy`, `baseline`, `avx2` or `avx512`."""
        return self.name.partition("+")[0]

    @property
    def policy(self) -> str | None:
        """Policy of bfloat16 products, `amx`, `bf16` or `emulated`; None if the kernels have no such products."""
        return self.name.partition("+")[2] or None

    def require(self) -> ModuleType:
        """Return the compiled module; RuntimeError if the reference implementation is in use."""
        if self.compiled is None:
            raise RuntimeError(f"the kernels are not compiled: {self.reason}")
        return self.compiled


@cache
def backend() -> Backend:
    """Return the kernels in use, which are chosen on the first call.

    If the compiled module is absent, broken, or built from another version of the source, the reference implementation
    serves, and one `RuntimeWarning` names the cause.

    Returns
    -------
    Backend

    Raises
    ------
    ValueError
        If `HIPPO_KERNELS` names kernels that do not exist or that this processor does not run.

    Examples
    --------
    >>> with use("torch") as chosen:
    ...     chosen.name, chosen.compiled
    ('torch', None)
    """
    forced = os.environ.get(VARIABLE, "")
    instruction_set, _, policy = forced.partition("+")
    if forced and instruction_set not in (TORCH, NUMPY, *INSTRUCTION_SETS):
        choices = ", ".join((TORCH, NUMPY, *INSTRUCTION_SETS))
        raise ValueError(
            f"{VARIABLE}={forced}: expected one of {choices}, or one of them with a policy of bfloat16 products, "
            f"for example avx512+amx or avx2+{EMULATED}"
        )
    if instruction_set == NUMPY and policy:
        raise ValueError(f"{VARIABLE}={forced}: the numpy kernels have no policy")
    if instruction_set == TORCH and policy not in ("", EMULATED):
        raise ValueError(f"{VARIABLE}={forced}: the torch kernels have no policy but torch+{EMULATED}")
    if instruction_set == TORCH and not _has_torch():
        raise ValueError(f"{VARIABLE}={forced}: needs torch: pip install 'hippo-lab[nn]', or take {VARIABLE}={NUMPY}")
    if instruction_set in (TORCH, NUMPY):
        return Backend(forced, f"{VARIABLE}={forced} selects them")
    module, problem = _load()
    if module is None:
        _warn(problem)
        return Backend(TORCH if _has_torch() else NUMPY, problem)
    names = module.supported()
    if forced and forced not in names:
        raise ValueError(f"{VARIABLE}={forced}: this processor and build run only {', '.join([TORCH, *names])}")
    name = forced or _fastest(module)
    module.choose(name)
    reason = f"{VARIABLE}={forced} selects them" if forced else "the fastest on this processor"
    return Backend(name, reason, module)


def runnable() -> list[str]:
    """Return the names of all kernels that run here: the values that `HIPPO_KERNELS` and `use` accept.

    Returns
    -------
    list of str
        The reference implementation first (`numpy` is listed only without PyTorch), then the instruction sets from the
        slowest to the fastest, each before its policies.
    """
    module, _ = _load()
    reference = [TORCH, f"{TORCH}+{EMULATED}"] if _has_torch() else [NUMPY]
    return [*reference, *(module.supported() if module else [])]


@contextmanager
def use(name: str) -> Iterator[Backend]:
    """Use other kernels inside a `with` block, in this process and in those that it starts.

    Do not change the kernels while a model is in use: a forward pass and its backward pass need the same ones.

    Parameters
    ----------
    name : str
        As in `HIPPO_KERNELS`.

    Yields
    ------
    Backend

    Raises
    ------
    ValueError
        If there are no such kernels, or this processor does not run them.
    """
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = name
    backend.cache_clear()
    try:
        yield backend()
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
        backend.cache_clear()
        backend()


def product_precision(requested: str, device="cpu") -> str:
    """Return the precision in which a model's matrix products are computed, given the one that it asks for.

    On a CPU, bfloat16 products are faster than float32 only if the processor has a unit for them. On other CPUs a model
    that asks for bfloat16, or leaves the choice to `auto`, computes in float32, unless the policy `emulated` is in use.
    On other devices bfloat16 is granted, and `auto` chooses it if a CUDA device has units for it. A trial records the
    result, because it decides which numbers are comparable.

    Parameters
    ----------
    requested : {"float32", "bfloat16", "auto"}
        `precision` of `hippo.nn.engine.options.EngineOptions`.
    device : str or torch.device, default "cpu"
        Where the model computes.

    Returns
    -------
    str
        "float32" or "bfloat16".

    Examples
    --------
    >>> product_precision("float32")
    'float32'
    >>> product_precision("bfloat16", "cuda")
    'bfloat16'
    """
    kind = str(device).partition(":")[0]
    if kind != "cpu":
        return requested if requested != "auto" else _auto_precision(kind)
    if requested == "float32":
        return requested
    chosen = backend()
    available = bool(chosen.policy) or (chosen.compiled is None and _torch_has_bfloat16_unit())
    return "bfloat16" if available else "float32"


def describe() -> str:
    """Return a description of the kernels in use and of those that run here, one fact per line."""
    chosen = backend()
    precision = product_precision("bfloat16")
    if precision == "float32":
        products = "float32 (no bfloat16 unit is in use)"
    else:
        products = f"bfloat16, {chosen.policy or 'by PyTorch'}"
    return "\n".join(
        [
            f"kernels in use     {chosen.name}: {chosen.reason}",
            f"instruction set    {chosen.instruction_set}",
            "float32 products   float32",
            f"bfloat16 products  {products}",
            f"also run here      {', '.join(name for name in runnable() if name != chosen.name)}",
        ]
    )


@cache
def interface_version() -> str | None:
    """Return the version of the compiled module's interface that this Python source expects; None if unknown.

    It is a hash of the C++ files that define the interface, as `CMakeLists.txt` computes it. A checkout has these
    files; an installed package has the hash in `interface.txt`.
    """
    sources, packaged = Path(__file__).parents[2] / "csrc", Path(__file__).with_name("interface.txt")
    if (sources / "bindings.cpp").is_file() and (sources / "interface.hpp").is_file():
        names = ("interface.hpp", "bindings.hpp", "bindings.cpp")
        files = {path.relative_to(sources).as_posix(): path for name in names for path in sources.rglob(name)}
        lines = [f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}\n" for name in sorted(files)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    return packaged.read_text().strip() if packaged.is_file() else None


def _load() -> tuple[ModuleType | None, str]:
    """Return the compiled module, or None and why it does not serve."""
    try:
        module = importlib.import_module("hippo._kernels")
    except ImportError as error:  # absent, wrong ABI, missing symbol or truncated: all of them raise ImportError
        return None, f"the compiled module hippo._kernels does not load: {error}"
    if getattr(module, "interface", "") != interface_version():
        return None, "the compiled module hippo._kernels was built from another version of the source"
    return module, ""


def _fastest(module: ModuleType) -> str:
    """Return the name of the kernels that are the fastest on this processor."""
    return [name for name in module.supported() if not name.endswith(f"+{EMULATED}")][-1]


def _warn(problem: str) -> None:
    language = "PyTorch" if _has_torch() else "NumPy"
    warnings.warn(
        f"{problem}; the {language} reference implementation serves instead, which is slower. Reinstall with a C++ "
        "compiler to build the kernels.",
        RuntimeWarning,
        stacklevel=3,
    )


def _auto_precision(kind: str) -> str:
    """Return the precision that `auto` means on a device of this kind that is not a CPU."""
    import torch

    has_unit = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if has_unit else "float32"


def _has_torch() -> bool:
    """Return True if PyTorch is installed. Does not import it."""
    return find_spec("torch") is not None


def _torch_has_bfloat16_unit() -> bool:
    """Return True if PyTorch finds a bfloat16 unit in this processor."""
    if not _has_torch():
        return False
    import torch

    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, check, lambda: False)() for check in checks)
