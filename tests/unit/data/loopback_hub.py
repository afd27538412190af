"""A Hugging Face hub on the loopback: enough of its HTTP interface for the real client to download from."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "v1", COMMIT)


@contextmanager
def serve_hub(repositories: Mapping[str, Mapping[str, bytes]], gated: str = "") -> Iterator[str]:
    """Serve repositories (`datasets/org/name` or `org/name` to files); yields the endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._respond()

        def do_GET(self) -> None:
            self._respond()

        def _respond(self) -> None:
            path = unquote(self.path.partition("?")[0]).lstrip("/")
            is_about = path.startswith("api/")
            name, files = _find(path.removeprefix("api/").removeprefix("models/"), repositories)
            rest = path.partition(f"{name}/")[2].split("/")
            if not files:
                self._send(401, {"X-Error-Code": "RepoNotFound"})
            elif gated == name:
                self._send(403, {"X-Error-Code": "GatedRepo"})
            elif rest[1:2] and rest[1] not in REVISIONS:
                self._send(404, {"X-Error-Code": "RevisionNotFound"})
            elif is_about and rest[0] == "tree":
                self._send_json([_entry(file, content) for file, content in files.items()])
            elif is_about:
                listing = [{"rfilename": file} for file in files]
                self._send_json({"id": name, "sha": COMMIT, "siblings": listing, "tags": []})
            else:
                self._send_file(files.get("/".join(rest[2:])))

        def _send_json(self, body: object) -> None:
            self._send(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

        def _send_file(self, content: bytes | None) -> None:
            if content is None:
                self._send(404, {"X-Error-Code": "EntryNotFound"})
                return
            self._send(200, {"X-Repo-Commit": COMMIT, "ETag": f'"{_digest(content)}"'}, content)

        def _send(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the tests quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _find(
    path: str, repositories: Mapping[str, Mapping[str, bytes]]
) -> tuple[str, Mapping[str, bytes] | None]:
    for name, files in repositories.items():
        if path == name or path.startswith(f"{name}/"):
            return name, files
    return "", None


def _entry(path: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": path, "size": len(content), "oid": _digest(content)}


def _digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
