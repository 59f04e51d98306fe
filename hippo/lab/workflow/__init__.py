"""What the workflow adds to Snakemake: release of stale locks, and fewer evaluations of the ready jobs."""
