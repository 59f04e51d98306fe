# Trials as Slurm jobs: signals on their way to the trial, and the processors of the job.
import signal

WARNING = "USR1@120"  # two minutes before the time limit, to every process of a job step

if workflow.is_main_process:
    # Read by sbatch. The resource `slurm_extra`, which could say the same, is the user's.
    os.environ.setdefault("SBATCH_SIGNAL", WARNING)
elif "SLURM_JOB_ID" in os.environ:
    # This process is inside the job and must outlive the warning. A trial that is still starting receives it afterwards.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    os.environ["HIPPO_REQUEUE"] = "1"  # read by `hippo train`
    if allocated := os.environ.get("SLURM_CPUS_PER_TASK"):
        # A job of several trials would otherwise run one on every processor of its node.
        workflow.register_resource("_cores", int(allocated))
