"""Commands for data: fetch raw files, prepare datasets."""

import click

from hippo.cli.options import FILE, data_options, experiment_argument
from hippo.config import ConfigError, closest


@click.command()
@click.argument("dataset")
@click.option("--out", type=FILE, help="Write the origin of each file, as JSON.")
@data_options
def fetch(dataset, out, data_dir, require_real_data):
    """Bring the raw files of DATASET into the cache and verify them. No file is downloaded twice."""
    from hippo import registry
    from hippo.data.sources import Sources
    from hippo.files import write_json

    options = registry.find("datasets", dataset, "hippo fetch")
    found = options().fetch(Sources(data_dir, require_real=require_real_data))
    for file, place in found.items():
        click.echo(f"{file}: {place}")
    if out:
        write_json(out, found)


@click.command()
@experiment_argument
@click.option("--variant", required=True, help="Variant of the dataset, as the experiment file names it.")
@click.option("--out", type=FILE, help="The prepared dataset; else data/<scale>/<experiment>/<variant>.npz.")
@data_options
def prepare(experiment, scale, variant, out, data_dir, require_real_data):
    """Prepare one variant of the dataset of EXPERIMENT, a name or a file, from raw files."""
    from dataclasses import replace
    from pathlib import Path

    from hippo.data.sources import Sources
    from hippo.lab.plan.experiments import find_experiment

    found = find_experiment(experiment, scale)
    if variant not in found.datasets:
        raise ConfigError(f"{found.where}: no variant {variant!r}; {closest(variant, found.datasets)}")
    options = found.datasets[variant]
    dataset = options.build(Sources(data_dir, require_real=require_real_data))
    dataset = replace(dataset, options={"name": found.dataset_names[variant], **options.digest_content()})
    out = out or Path("data", scale, found.name, f"{variant}.npz")
    dataset.save(out)
    shapes = ", ".join(f"{name} {'×'.join(map(str, part.inputs.shape))}" for name, part in dataset.parts.items())
    click.echo(f"{out}: {shapes}; {dataset.source}; sha256 {dataset.digest[:16]}")
