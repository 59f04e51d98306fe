"""A web server on this machine, and the smallest form of verified data that it can publish."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hippo.data.errors import DamagedError
from hippo.data.raw_files import content
from hippo.data.sources import RawData


class Site:
    """A web server on this machine: `pages` by path. Those in `cut` end halfway; those in `held` wait there."""

    def __init__(self):
        self.pages: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.held: set[str] = set()
        self.requests: list[str] = []
        self.halfway, self.released = threading.Event(), threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler) -> None:
        self.requests.append(handler.path)
        page = self.pages.get(handler.path)
        if page is None:
            return handler.send_error(404)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(page)))
        handler.end_headers()
        half = len(page) // 2
        handler.wfile.write(page[:half])
        handler.wfile.flush()
        if handler.path in self.held:
            self.halfway.set()
            self.released.wait(30)
        if handler.path not in self.cut:
            handler.wfile.write(page[half:])


WHOLE = bytes(range(256)) * 400


def read_whole(paths: tuple[Path, ...]) -> bytes:
    """Content of a file that must be `WHOLE`: the smallest verified format."""
    (path,) = paths
    stored = content(path, len(WHOLE))
    if stored != WHOLE:
        raise DamagedError(path, f"expected sha256 {_sha256(WHOLE)}, found {_sha256(stored)}")
    return stored


def _sha256(stored: bytes) -> str:
    return hashlib.sha256(stored).hexdigest()


def letter_data(*places) -> RawData:
    """A form of recordings with one file, published at `places`."""
    files = {"letters.bin": len(WHOLE)}
    return RawData("Letters", files, read_whole, places, folder="letters", subfolders=("letters", "."))
