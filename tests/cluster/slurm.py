"""A Slurm cluster of emulated nodes, with ports and a folder of its own: munge, slurmctld, one slurmd a node.

Each node has a host name and a process-id space of its own if this user may create them (`unshare`), so that the death
of a node is the death of all its processes. Nothing of it is in /etc: wrapper scripts name the configuration, because
Snakemake's jobstep plugin removes SLURM_CONF from the environment of srun.
"""

import contextlib
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "unshare")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct")
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # daemons are not on every user's PATH

CONFIGURATION = """
ClusterName=emulated
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CryptoType=crypto/munge
CredType=cred/munge
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobcomp.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2,requeue_setup_env_fail
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=30
InactiveLimit=0
KillWait=20
OverTimeLimit=0
MinJobAge=600
MaxJobCount=20000
MaxArraySize=10001
SlurmdParameters=config_overrides
{nodes}
PartitionName=work Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime={grace}
PartitionName=urgent Nodes=ALL Default=NO MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory} State=UNKNOWN"
)
SEPARATE = ("unshare", "--uts", "--pid", "--fork", "--mount", "--mount-proc")
# The first process of a node: it has the node's host name, reaps every orphan, and lives on without the daemon.
INIT = """
hostname {name}
mount --bind {folder}/hosts /etc/hosts
{slurmd} -D -N {name} -f {conf} &
while :; do wait; sleep 1; done
"""


def missing() -> str | None:
    """Why no cluster can be started here; None if one can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=PLACES) is None]
    return f"not installed: {', '.join(absent)} (Debian: munge slurmctld slurmd slurm-client)" if absent else None


def free_ports(number: int) -> list[int]:
    """Ports of this machine that are free now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def may_unshare() -> bool:
    """Whether this user may create host names and process-id spaces."""
    return subprocess.run([*SEPARATE, "hostname", "probe"], capture_output=True).returncode == 0


class Slurm:
    """A cluster of emulated nodes.

    Parameters
    ----------
    folder : Path
        Folder for its files; a short path, since sockets are in it.
    nodes, cpus : int
        Number of nodes, and of processors of each.
    grace : int
        Seconds between the warning of a preemption and its signal SIGKILL.
    """

    def __init__(self, folder: Path, nodes: int = 2, cpus: int = 2, grace: int = 20):
        self.folder, self.conf = folder, folder / "slurm.conf"
        self.names = [f"n{number}" for number in range(nodes)]
        self.separate = may_unshare()
        self._daemons: dict[str, subprocess.Popen] = {}
        port, *ports = free_ports(nodes + 1)
        self.ports = dict(zip(self.names, ports, strict=True))
        user = psutil.Process().username()
        here = platform.node().partition(".")[0]
        lines = [NODE.format(name=n, host=here, port=p, cpus=cpus, memory=60000) for n, p in self.ports.items()]
        for name in ("state", "spool", "bin"):
            (folder / name).mkdir(parents=True)
        self.conf.write_text(
            CONFIGURATION.format(
                host=here,
                user=user,
                folder=folder,
                port=port,
                nodes="\n".join(lines),
                grace=grace,
            )
        )
        (folder / "hosts").write_text("127.0.0.1 localhost " + " ".join([here, *self.names]) + "\n")
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        for client in CLIENTS:
            script = folder / "bin" / client
            script.write_text(f'#!/bin/sh\nSLURM_CONF={self.conf} exec {shutil.which(client, path=PLACES)} "$@"\n')
            script.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which commands reach this cluster."""
        places = (self.folder / "bin", Path(sys.executable).parent, os.environ["PATH"])
        return {"PATH": os.pathsep.join(map(str, places))}

    @property
    def controller(self) -> int:
        """Number of the controller's process."""
        return self._daemons["slurmctld"].pid

    def start(self) -> None:
        """Start all daemons, and wait until all nodes are idle."""
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        options = {name: self.folder / f"munge.{name}" for name in ("socket", "pid", "log", "seed")}
        files = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        arguments = [f"--{option}={options[name]}" for option, name in files.items()]
        self._spawn("munged", "munged", "--foreground", "--force", f"--key-file={key}", *arguments)
        self._wait(options["socket"].exists)
        self._spawn("slurmctld", "slurmctld", "-D", "-c", "-f", str(self.conf))
        for name in self.names:
            self.start_node(name)
        self._wait(lambda: self.run("sinfo", "-h", "-p", "work", "-t", "idle", "-N", "-o", "%N").split() == self.names)

    def start_node(self, name: str) -> None:
        """Start a node, or start it again after its death."""
        slurmd = shutil.which("slurmd", path=PLACES)
        if self.separate:
            init = INIT.format(name=name, slurmd=slurmd, conf=self.conf, folder=self.folder)
            command = (
                "unshare",
                "--uts",
                "--pid",
                "--fork",
                "--mount",
                "--mount-proc",
                "--kill-child",
                "bash",
                "-c",
                init,
            )
        else:
            command = (slurmd, "-D", "-N", name, "-f", str(self.conf))
        self._spawn(name, *command)

    def kill_node(self, name: str) -> None:
        """Kill a node's daemon and, where nodes have process-id spaces of their own, every process of the node."""
        process = self._daemons.pop(name)
        process.kill()
        process.wait()

    def kill_daemon(self, name: str) -> None:
        """Kill a node's daemon; its jobs live on."""
        process = psutil.Process(self._daemons[name].pid)
        for child in [process, *process.children(recursive=True)]:
            if child.name() == "slurmd":
                child.kill()

    def stop(self) -> None:
        """Cancel all jobs and end all daemons."""
        with contextlib.suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired, AssertionError):
            self.run("scancel", "--user", psutil.Process().username())
            self._wait(lambda: not self.jobs(), 30)
        steps: list[psutil.Process] = []
        for name in [*self.names, "slurmctld", "munged"]:
            if name in self._daemons:
                process = self._daemons.pop(name)
                with contextlib.suppress(psutil.NoSuchProcess):
                    steps += psutil.Process(process.pid).children(recursive=True)
                process.send_signal(signal.SIGTERM if name == "munged" else signal.SIGKILL)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        _, alive = psutil.wait_procs(steps, timeout=5)
        for step in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                step.kill()

    def run(self, *command: str) -> str:
        """Output of a Slurm command."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout

    def jobs(self, states: str = "") -> dict[str, tuple[str, str]]:
        """State and comment of every job that is in the queue, by id."""
        asked = ("--states", states) if states else ()
        lines = self.run("squeue", "-h", "-o", "%i|%T|%k", *asked).splitlines()
        return {number: (state, comment) for number, state, comment in (line.split("|") for line in lines)}

    def node_of(self, job: str) -> str:
        """The node on which a job runs."""
        return self.run("squeue", "-h", "-j", job, "-o", "%N").strip()

    def state_of(self, node: str) -> str:
        """State of a node, for example idle or down."""
        return self.run("sinfo", "-h", "-N", "-n", node, "-o", "%t")

    def _spawn(self, name: str, program: str, *arguments: str) -> None:
        """Start a daemon."""
        command = [shutil.which(program, path=PLACES) or program, *arguments]
        environment = {**os.environ, **self.environment, "SLURM_CONF": str(self.conf)}
        with (self.folder / f"{name}.out").open("ab") as out:
            self._daemons[name] = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def _wait(self, condition, seconds: float = 300) -> None:
        """Wait until `condition()` holds; AssertionError if it never does, or a daemon ended."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(subprocess.CalledProcessError):
                if condition():
                    return
            ended = [name for name, process in self._daemons.items() if process.poll() is not None]
            said = "".join((self.folder / f"{name}.out").read_text()[-1000:] for name in ended)
            assert not ended, f"{', '.join(ended)} ended: {said}"
            assert time.monotonic() < end, f"the cluster is not ready: see {self.folder}/*.log"
            time.sleep(0.1)
