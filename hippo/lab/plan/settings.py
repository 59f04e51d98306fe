"""Settings of the workflow: the content of `config/config.yaml` and of `--config key=value`."""

import shlex

from pydantic import Field, NonNegativeInt, field_validator

from hippo.config import Options, parse
from hippo.lab.plan.schema import Scale


class Settings(Options):
    """Settings that a user changes."""

    scale: Scale = Field(
        "quick", description="smoke (minutes, CI), quick (the default), hour or paper (nothing reduced)"
    )
    experiments: list[str] = Field(["all"], min_length=1, description="tables to make: all, sweeps, or a list of names")
    data_dir: str | None = Field(None, description="folder with your own data files; by default HIPPO_DATA_DIR")
    require_real_data: bool = Field(False, description="fail instead of using synthetic recordings")
    retries: NonNegativeInt = Field(3, description="automatic restarts of a trial that was interrupted or failed")
    slurm_account: str | None = Field(None, description="account of Slurm jobs; by default the user's own")
    slurm_partition: str | None = Field(None, description="partition of Slurm jobs; by default the cluster's")
    slurm_extra: str | None = Field(None, description="more options of sbatch, for example --constraint=avx512")

    @field_validator("experiments", mode="before")
    @classmethod
    def _accept_one_name(cls, value):
        return [value] if isinstance(value, str) else value

    def slurm_resources(self) -> dict[str, str]:
        """Return the settings of Slurm jobs that are set, as resources of a rule."""
        names = ("slurm_account", "slurm_partition", "slurm_extra")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def data_flags(self) -> str:
        """Return these settings as flags of `hippo fetch` and `hippo prepare`."""
        flags = ["--data-dir", shlex.quote(self.data_dir)] if self.data_dir else []
        flags += ["--require-real-data"] if self.require_real_data else []
        return " ".join(flags)


def read_settings(values: dict) -> Settings:
    """Validate the settings that Snakemake collected; ConfigError names the key."""
    return parse(Settings, values, "config/config.yaml or --config")
