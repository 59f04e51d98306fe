"""Page of an experiment, whether it ends in a table or in a sweep."""

from pathlib import Path

from hippo.config import ConfigError
from hippo.lab.plan.experiments import FOLDER, experiment_files
from hippo.lab.plan.schema import SCALES
from hippo.lab.reporting.sweep_page import format_sweep
from hippo.lab.reporting.tables import format_table
from hippo.lab.results.results import Results

KINDS = ("tables", "sweeps")


def format_page(results: Results) -> str:
    """Return the table or sweep as Markdown that fits a terminal."""
    return format_sweep(results) if results.experiment.spec.sweep else format_table(results)


def experiments_with_pages(results: Path, folder: Path = FOLDER) -> list[Path]:
    """Return the experiment files that have a table or a sweep among the results of one scale.

    Parameters
    ----------
    results : Path
        Folder of one scale, such as results/quick.
    folder : Path
        Folder of experiment files.

    Raises
    ------
    ConfigError
        If there is no such folder.
    """
    # A partial page is written if a trial failed (workflow/rules/handlers.smk).
    pages = {path.stem.removesuffix(".partial") for kind in KINDS for path in (results / kind).glob("*.md")}
    return [path for path in experiment_files(folder) if path.stem in pages]


def locate_page(page: Path) -> tuple[str, str, Path]:
    """Return what the path of a page says: name of the experiment, scale, and folder of the scale.

    Parameters
    ----------
    page : Path
        For example results/quick/tables/pmnist.md.

    Raises
    ------
    ConfigError
        If the path is not that of a page.
    """
    results = page.parent.parent
    if page.parent.name not in KINDS or results.name not in SCALES:
        raise ConfigError(f"{page}: not the file of a table; expected a path like results/quick/tables/pmnist.md")
    return page.stem.removesuffix(".partial"), results.name, results
