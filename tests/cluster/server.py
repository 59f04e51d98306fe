"""An MLflow server with authentication on PostgreSQL, as in docs/server.md, on ports and in a folder of its own."""

import contextlib
import os
import pwd
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

from tests.cluster.slurm import free_ports

PROGRAMS = ("initdb", "pg_ctl", "createdb")
NAME = "mlflow"  # of the database, of its user, and of the first user of MLflow
WORKERS = 2
AUTHENTICATION = """[mlflow]
default_permission = EDIT
database_uri = {uri}
admin_username = mlflow
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


def missing() -> str | None:
    """Why no server can be started here; None if one can."""
    if _programs() is None:
        return "not installed: PostgreSQL (Debian: postgresql)"
    absent = [name for name in ("psycopg2", "flask_wtf") if find_spec(name) is None]
    return f"not installed: {', '.join(absent)} (pip: psycopg2-binary Flask-WTF)" if absent else None


def _programs() -> Path | None:
    """Folder of PostgreSQL's programs, which Debian does not put on the PATH."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *(Path(place) for place in os.get_exec_path())]
    return next((place for place in places if all((place / name).exists() for name in PROGRAMS)), None)


class Server:
    """PostgreSQL and MLflow; the database can be stopped and started again.

    Parameters
    ----------
    folder : Path
        Folder for the files of both, which every user can enter.
    """

    def __init__(self, folder: Path):
        self.folder, self.data = folder, folder / "postgresql"
        self.port, self.database_port = free_ports(2)
        self.uri = f"http://127.0.0.1:{self.port}"
        self.password = secrets.token_hex(16)
        self._mlflow: subprocess.Popen | None = None
        # PostgreSQL refuses to run as root.
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which trials reach the server."""
        user = {"MLFLOW_TRACKING_USERNAME": NAME, "MLFLOW_TRACKING_PASSWORD": self.password}
        return {"MLFLOW_TRACKING_URI": self.uri, **user}

    def database(self, name: str) -> str:
        """Address of a database."""
        return f"postgresql+psycopg2://{NAME}:{self.password}@127.0.0.1:{self.database_port}/{name}"

    def connections(self) -> int:
        """Connections that MLflow's processes have open to PostgreSQL."""
        import psycopg2

        with contextlib.closing(psycopg2.connect(self.database("postgres").replace("+psycopg2", ""))) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname IN ('mlflow', 'mlflow_auth')")
            return cursor.fetchone()[0]

    def start(self) -> None:
        """Create the database, its schema, and start the server."""
        self.data.mkdir(parents=True, mode=0o700)
        password = self.folder / "password"
        password.write_text(self.password)
        if self._user:
            os.chown(self.data, self._user.pw_uid, self._user.pw_gid)
            os.chown(password, self._user.pw_uid, self._user.pw_gid)
        options = "--auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync"
        self._as_user("initdb", f"--pgdata={self.data}", f"--username={NAME}", f"--pwfile={password}", *options.split())
        self.start_database()
        where = ["--host=127.0.0.1", f"--port={self.database_port}", f"--username={NAME}"]
        for name in (NAME, "mlflow_auth"):
            environment = {**os.environ, "PGPASSWORD": self.password}
            subprocess.run([_programs() / "createdb", *where, name], env=environment, check=True, capture_output=True)
        (self.folder / "auth.ini").write_text(AUTHENTICATION.format(uri=self.database("mlflow_auth")))
        environment = {
            **os.environ,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_AUTH_CONFIG_PATH": str(self.folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
        }
        mlflow = [sys.executable, "-m", "mlflow"]
        # The schemas first, each once and alone: workers that start at the same time would race to create them.
        auth = [sys.executable, "-m", "mlflow.server.auth", "db", "upgrade", "--url", self.database("mlflow_auth")]
        for command in ([*mlflow, "db", "upgrade", self.database(NAME)], auth):
            subprocess.run(command, env=environment, check=True, capture_output=True)
        names = f"127.0.0.1:{self.port},localhost:{self.port}"
        options = (
            f"--app-name basic-auth --allowed-hosts {names} --host 127.0.0.1 --port {self.port} --workers {WORKERS}"
        )
        places = ["--backend-store-uri", self.database(NAME), "--artifacts-destination", f"{self.folder}/artifacts"]
        with (self.folder / "mlflow.log").open("wb") as out:
            self._mlflow = subprocess.Popen(
                [*mlflow, "server", *places, *options.split()],
                env=environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 1200
        while not self._answers():
            said = (self.folder / "mlflow.log").read_text()[-2000:]
            assert self._mlflow.poll() is None and time.monotonic() < end, f"the MLflow server did not start: {said}"
            time.sleep(0.2)

    def start_database(self) -> None:
        """Start PostgreSQL, and wait until it answers."""
        options = f"-h 127.0.0.1 -p {self.database_port} -k {self.data} -c fsync=off"
        self._as_user("pg_ctl", "start", f"--pgdata={self.data}", f"--log={self.data}/log", "--wait", "-o", options)

    def stop_database(self) -> None:
        """Stop PostgreSQL: every connection ends, and new ones are refused."""
        self._as_user("pg_ctl", "stop", f"--pgdata={self.data}", "--mode=fast", "--wait")

    def stop(self) -> None:
        """End both programs."""
        if self._mlflow:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._mlflow.pid, signal.SIGKILL)
            self._mlflow.wait()
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop_database()

    def _answers(self) -> bool:
        """Whether the server answers."""
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.uri}/health", timeout=5).status == 200
        return False

    def _as_user(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL, not as root."""
        identity = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []} if self._user else {}
        subprocess.run(
            [_programs() / program, *arguments],
            cwd=self.data,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            **identity,
        )
