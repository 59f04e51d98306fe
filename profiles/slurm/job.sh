# The beginning of the script of each Slurm job (`precommand` in config.yaml), read by sh.

# A warning that also reaches this shell must not end it.
trap '' USR1

# A trial that receives the signal of a preemption requeues its own job. Before and after the trial, this trap does:
# within the grace time, Slurm would count the end of the job as a failure, or as TIMEOUT.
trap '
  if scontrol show job --oneliner "$SLURM_JOB_ID" | grep "JobState=RUNNING" | grep -q "PreemptTime=[0-9]"; then
    scontrol requeue "$SLURM_JOB_ID"
  fi
' EXIT
