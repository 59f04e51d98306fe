"""Pictures of docs/mlflow.md, from a store with trained trials: `python docs/mlflow_screenshots.py [mlruns/mlflow.db]`.

Needs Debian's package chromium; serves the store on a port of this machine while it takes them.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import requests
from mlflow import MlflowClient

PORT = 5057
FOLDER = Path(__file__).parent / "images"
FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars".split()
FLAGS += "--disable-component-update --disable-sync --window-size=1400,800 --virtual-time-budget=60000".split()


def picture(route: str, out: Path) -> None:
    """`out`, what a browser shows of the page at `route`."""
    with tempfile.TemporaryDirectory() as profile:
        where = [f"--user-data-dir={profile}", f"--screenshot={out}", f"http://127.0.0.1:{PORT}/#/{route}"]
        subprocess.run(["chromium", *FLAGS, *where], check=True, capture_output=True)


def main(database: Path) -> None:
    """The list of one table's runs, one of them, its figure, and a sweep."""
    store = f"sqlite:///{database}"
    client = MlflowClient(store)
    experiments = [one.experiment_id for one in client.search_experiments(filter_string="name != 'Default'")]
    runs = client.search_runs(experiments, "tags.outcome = 'finished' and tags.sweep IS NULL")
    run = max(runs, key=lambda run: run.data.metrics.get("final/epochs", 0))  # one that has curves to show
    (sweep, *_) = client.search_runs(experiments, "tags.chosen IS NOT NULL")
    host = ["--host", "127.0.0.1", "--port", str(PORT), "--workers", "1"]
    server = subprocess.Popen([sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store, *host])
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
        picture(f"{place}/{run.info.run_id}/model-metrics", FOLDER / "mlflow_curves.png")
        picture(f"{place}/{run.info.run_id}/artifacts/figure.png", FOLDER / "mlflow_figure.png")
        picture(f"experiments/{sweep.info.experiment_id}/runs", FOLDER / "mlflow_sweep.png")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "mlruns/mlflow.db"))
