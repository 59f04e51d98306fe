"""Arguments and options that several commands share, and how commands end."""

from pathlib import Path

import click

from hippo.config import ConfigError, closest
from hippo.data.errors import DataError
from hippo.lab.plan.schema import SCALES

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


class Commands(click.Group):
    """A group of commands that end in one clear message, without a traceback, for every error that a user can cause."""

    def resolve_command(self, ctx, args):
        """Find the command as click does; for an unknown name, suggest the closest command."""
        if args and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no command {args[0]!r}; {closest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx):
        """Run the command; errors of configuration, data and files become messages, Ctrl-C the exit status 130."""
        try:
            return super().invoke(ctx)
        except (ConfigError, DataError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"{error.filename or ctx.command_path}: {error.strerror or error}") from error
        except KeyboardInterrupt:
            click.echo("stopped by SIGINT", err=True)
            ctx.exit(130)


def check_scale(context, parameter, value):
    """Return the value of an option --scale; ConfigError for an unknown scale."""
    for scale in (value,) if isinstance(value, str) else value:
        if scale not in SCALES:
            raise ConfigError(f"unknown scale {scale!r}; {closest(scale, SCALES)}")
    return value


scale_option = click.option(
    "--scale",
    default="quick",
    show_default=True,
    callback=check_scale,
    help=f"{', '.join(SCALES[:-1])} or {SCALES[-1]}",
)
results_option = click.option("--results", type=FOLDER, help="Folder of that scale's results; else results/<scale>.")
trials_option = click.option("--trials", type=FOLDER, help="Folder of all trials; else results/<scale>/trials.")


def experiment_argument(command):
    """Add the argument EXPERIMENT, a name or a file, and the option --scale."""
    return click.argument("experiment")(scale_option(command))


def data_options(command):
    """Add the options that say where data files may come from."""
    real = click.option("--require-real-data", is_flag=True, help="Fail instead of using a synthetic substitute.")
    folder = click.option("--data-dir", type=FOLDER, help="Folder with your own data files; else HIPPO_DATA_DIR.")
    return folder(real(command))


def collect(experiment: str, scale: str, trials: Path | None):
    """Return the results of an experiment, given by name or file, from its trial folders."""
    from hippo.lab.plan.experiments import find_experiment
    from hippo.lab.results.results import collect_results

    return collect_results(find_experiment(experiment, scale), trials or Path("results", scale, "trials"))
