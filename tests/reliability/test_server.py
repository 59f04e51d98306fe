"""A tracking server that goes down during training, and comes back or does not; one that answers late."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.reliability.laboratory import Laboratory, wait_for

pytestmark = pytest.mark.reliability


class Server:
    """An MLflow server on a free port of this machine, which can be taken down and up."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.uri, self.process = folder, f"http://127.0.0.1:{self.port}", None

    def up(self) -> None:
        options = f"--backend-store-uri sqlite:///server.db --artifacts-destination kept --port {self.port} --workers 1"
        command = [sys.executable, "-m", "mlflow", "server", *options.split(), "--disable-security-middleware"]
        self.process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for(self._answers)

    def down(self) -> None:
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the server did not start"
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.uri}/health", timeout=1).status == 200
        return False


class Late:
    """Passes requests on to a server; the answer to the first for a run is held back until the client repeats it."""

    def __init__(self, server):
        self.requests = 0
        late, answered = self, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                address, method = server.uri + self.path, self.command
                request = urllib.request.Request(address, body or None, self.headers, method=method)
                try:
                    answer = urllib.request.urlopen(request, timeout=60)
                except urllib.error.HTTPError as error:
                    answer = error
                content = answer.read()
                if self.path.endswith("/runs/create"):
                    late.requests += 1
                    answered.wait(60) if late.requests == 1 else answered.set()
                with contextlib.suppress(OSError):  # the client waits no more
                    self.send_response(answer.status)
                    self.send_header("Content-Length", str(len(content)))
                    self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    server.up()
    yield server
    server.down()


def test_training_outlives_its_tracking_server(tmp_path, server, figure):
    laboratory = Laboratory(tmp_path / "laboratory", epochs=30, seeds=2)
    env = {"MLFLOW_TRACKING_URI": server.uri}
    with laboratory.running(0, env) as waits:
        wait_for(lambda: laboratory.rows(0) >= 2)
        waits.send_signal(signal.SIGSTOP)  # so that a server's start takes none of this trial's time
        with laboratory.running(1, env) as never:
            wait_for(lambda: laboratory.rows(1) >= 2)
            before = {run.data.tags["seed"]: run.info.run_id for run in laboratory.runs(server.uri)}
            server.down()
            _, said = never.communicate(timeout=120)
            assert never.returncode == 0 and "what it did not receive is in" in said, said
        stopped = laboratory.rows(0)
        waits.send_signal(signal.SIGCONT)
        wait_for(lambda: laboratory.rows(0) >= stopped + 2)
        waits.send_signal(signal.SIGSTOP)
        assert laboratory.rows(0) < laboratory.epochs
        server.up()
        waits.send_signal(signal.SIGCONT)
        _, said = waits.communicate(timeout=120)
        assert waits.returncode == 0, said

    every = list(range(1, laboratory.epochs + 1))
    assert len(before) == 2
    assert laboratory.steps(uri=server.uri, run=before["0"]) == every
    assert len(laboratory.steps(uri=server.uri, run=before["1"])) < laboratory.epochs

    deliver = ("hippo", "runs", "import", "results/smoke/trials")
    for said in (f"finished, run {before['1']}", "finished, in the store already"):
        done = laboratory.run(*deliver, env=env)
        assert done.returncode == 0, done.stderr
        assert "seed0: finished, in the store already\n" in done.stdout
        assert f"seed1: {said}\n" in done.stdout
        runs = laboratory.runs(server.uri)
        assert {run.data.tags["seed"]: run.info.run_id for run in runs} == before
        assert {run.info.status for run in runs} == {"FINISHED"}
        for run in before.values():
            assert laboratory.steps(uri=server.uri, run=run) == every
    figure("server down in the middle: training went on, every step delivered once, in order, 0 runs duplicated")


def test_a_late_answer_makes_no_second_run(tmp_path, server):
    laboratory, late = Laboratory(tmp_path / "laboratory", epochs=5), Late(server)
    done = laboratory.train(env={"MLFLOW_TRACKING_URI": late.uri, "MLFLOW_HTTP_REQUEST_TIMEOUT": "3"})
    late.server.shutdown()
    assert done.returncode == 0, done.stderr
    assert late.requests >= 2
    (run,) = laboratory.runs(server.uri)
    assert run.info.status == "FINISHED" and laboratory.steps(uri=server.uri, run=run.info.run_id) == [1, 2, 3, 4, 5]
