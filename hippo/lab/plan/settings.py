"""The workflow's own settings: what `config/config.yaml` and `--config key=value` may say."""

import shlex

from pydantic import Field, NonNegativeInt, field_validator

from hippo.config import Options, parse
from hippo.lab.plan.experiment import Scale


class Settings(Options):
    """What a person turns."""

    scale: Scale = Field("quick", description="smoke (minutes, CI), quick (the default) or paper (nothing reduced)")
    experiments: list[str] = Field(["all"], min_length=1, description="tables to make: all, sweeps, or a list of names")
    data_dir: str | None = Field(None, description="folder with data files of your own; else HIPPO_DATA_DIR")
    require_real_data: bool = Field(False, description="make it an error to fall back on synthetic recordings")

    retries: NonNegativeInt = Field(3, description="times that a trial which was stopped or failed goes on by itself")

    @field_validator("experiments", mode="before")
    @classmethod
    def _one_name(cls, value):
        return [value] if isinstance(value, str) else value

    def data_flags(self) -> str:
        """These settings as flags of `hippo fetch` and `hippo prepare`."""
        flags = ["--data-dir", shlex.quote(self.data_dir)] if self.data_dir else []
        flags += ["--require-real-data"] if self.require_real_data else []
        return " ".join(flags)


def read_settings(values: dict) -> Settings:
    """The settings that Snakemake gathered; ConfigError names the key."""
    return parse(Settings, values, "config/config.yaml or --config")
