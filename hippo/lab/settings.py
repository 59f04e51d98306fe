"""The workflow's own settings: what `config/config.yaml` and `--config key=value` may say."""

import shlex
from pathlib import Path
from typing import Literal

from pydantic import Field

from hippo.config import Config, ConfigError, closest, parse
from hippo.lab.experiment import Scale


class Settings(Config):
    """What a person turns."""

    scale: Scale = Field("quick", description="smoke (minutes, CI), quick (the default) or paper (nothing reduced)")
    experiments: Literal["all"] | list[str] = Field("all", description="tables to make: all, or a list of names")
    data_dir: str | None = Field(None, description="folder with data files of your own; else HIPPO_DATA_DIR")
    require_real_data: bool = Field(False, description="make it an error to fall back on synthetic recordings")

    def data_flags(self) -> str:
        """These settings as flags of `hippo fetch` and `hippo prepare`."""
        flags = ["--data-dir", shlex.quote(self.data_dir)] if self.data_dir else []
        flags += ["--require-real-data"] if self.require_real_data else []
        return " ".join(flags)


def read_settings(values: dict) -> Settings:
    """The settings that Snakemake gathered; ConfigError names the key."""
    return parse(Settings, values, "config/config.yaml or --config")


def experiment_files(folder: Path | str = "config/experiments") -> dict[str, Path]:
    """Every experiment file by name."""
    return {path.stem: path for path in sorted(Path(folder).glob("*.yaml"))}


def chosen(settings: Settings, files: dict[str, Path]) -> list[str]:
    """Names of the tables that `settings` asks for; ConfigError for one without a file."""
    if settings.experiments == "all":
        return list(files)
    for name in settings.experiments:
        if name not in files:
            raise ConfigError(f"config/config.yaml: experiments: no table {name!r}; {closest(name, files)}")
    return settings.experiments
