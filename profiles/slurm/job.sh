# The beginning of the script of each Slurm job (`precommand` in config.yaml), read by sh.

# A warning that also reaches this shell must not end it.
trap '' USR1

# A job that ends within the grace time of its preemption returns to the queue. Its trial did the same if it was running.
# If it was not, the job has failed: the signal came before the trial, or Snakemake in the job step, could handle it. If
# it has finished, Slurm may count the job as TIMEOUT; the next start restores the outcome.
trap '
  if scontrol show job "$SLURM_JOB_ID" | grep -q "PreemptTime=[0-9]"; then
    scontrol requeue "$SLURM_JOB_ID"
  fi
' EXIT
