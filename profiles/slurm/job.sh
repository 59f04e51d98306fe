# The beginning of the script of each Slurm job (`precommand` in config.yaml), read by sh.

# A warning that also reaches this shell must not end it.
trap '' USR1

# The signal of a preemption with a grace time may come before the trial, or Snakemake in the job step, can handle it.
# The job then fails, and returns to the queue like one whose trial has saved its state.
trap '
  status=$?
  if [ "$status" -ne 0 ] && scontrol show job "$SLURM_JOB_ID" | grep -q "PreemptTime=[0-9]"; then
    scontrol requeue "$SLURM_JOB_ID"
  fi
' EXIT
