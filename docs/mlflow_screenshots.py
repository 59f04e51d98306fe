"""Pictures of docs/mlflow.md from a store with trained trials: `python docs/mlflow_screenshots.py [mlruns/mlflow.db]`.

It needs chromium (Debian's package), and serves the store on a local port while it takes the pictures.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import requests
from mlflow import MlflowClient

PORT = 5057
FOLDER = Path(__file__).parent / "images"
FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars".split()
FLAGS += "--disable-component-update --disable-sync --window-size=1800,800 --virtual-time-budget=60000".split()


def picture(route: str, out: Path) -> None:
    """Save what a browser shows of the page at `route`."""
    with tempfile.TemporaryDirectory() as profile:
        where = [f"--user-data-dir={profile}", f"--screenshot={out}", f"http://127.0.0.1:{PORT}/#/{route}"]
        subprocess.run(["chromium", *FLAGS, *where], check=True, capture_output=True)


def main(database: Path) -> None:
    """Take pictures of the runs of one table, one run, its figure, and a sweep."""
    store = f"sqlite:///{database}"
    client = MlflowClient(store)
    experiments = [one.experiment_id for one in client.search_experiments(filter_string="name != 'Default'")]
    runs = client.search_runs(experiments, "tags.outcome = 'finished' and tags.sweep IS NULL")
    table, _ = Counter(run.info.experiment_id for run in runs).most_common(1)[0]
    trained = [run for run in runs if run.info.experiment_id == table and run.data.metrics["final/epochs"] > 1]
    run = trained[0]  # a trial with several epochs has curves
    (sweep, *_) = client.search_runs(experiments, "tags.chosen != 'none yet'")
    host = ["--host", "127.0.0.1", "--port", str(PORT), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store, *host]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(60):
            try:
                requests.get(f"http://127.0.0.1:{PORT}/health", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(1)
        place = f"experiments/{run.info.experiment_id}/runs"
        only = quote(f"tags.variant = '{run.data.tags['variant']}'")
        picture(f"{place}?searchFilter={only}", FOLDER / "mlflow_runs.png")
        picture(f"{place}/{run.info.run_id}", FOLDER / "mlflow_run.png")
        picture(f"{place}/{run.info.run_id}/artifacts/figure.png", FOLDER / "mlflow_figure.png")
        figure = next(file.path for file in client.list_artifacts(sweep.info.run_id) if file.path.endswith(".png"))
        place = f"experiments/{sweep.info.experiment_id}/runs/{sweep.info.run_id}"
        picture(place, FOLDER / "mlflow_sweep.png")
        picture(f"{place}/artifacts/{figure}", FOLDER / "mlflow_sweep_figure.png")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "mlruns/mlflow.db"))
