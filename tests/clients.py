"""A server on loopback that takes what the vendors' own clients send, and keeps it in the shape of the vendor's export."""

from __future__ import annotations

import gzip
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from plgkit.readers.snowplow import COLUMNS


class Received:
    """Bodies of requests in the order they came, and where to send them."""

    def __init__(self, port: int):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.bodies: list[tuple[str, Any]] = []


@contextmanager
def server() -> Iterator[Received]:
    """A server that answers every request with what makes all clients content."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip" or body[:2] == b"\x1f\x8b":
                body = gzip.decompress(body)
            text = body.decode()
            parsed = json.loads(text) if text[:1] in "{[" else {key: values[0] for key, values in urllib.parse.parse_qs(text).items()}
            received.bodies.append((self.path, parsed))
            said = json.dumps({"status": 1, "code": 200, "success": True, "error": None}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    received = Received(running.server_address[1])
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def kept(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    """Rows as a file of the export."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def as_posthog(received: Received, arrived: datetime) -> list[dict[str, Any]]:
    """A batch export: each event as it was sent, with when it arrived."""
    return [{"uuid": row["uuid"], "timestamp": row["timestamp"], "created_at": arrived.isoformat(), "event": row["event"], "properties": row["properties"],
             "distinct_id": str(row["distinct_id"]), "elements_chain": "", "person_properties": row.get("$set", {}), "inserted_at": arrived.isoformat()}
            for path, body in received.bodies if "batch" in body for row in body["batch"]]


def as_mixpanel(received: Received, arrived: datetime) -> list[dict[str, Any]]:
    """A raw export: whole seconds, without the project's token."""
    rows = []
    for _path, body in received.bodies:
        sent = json.loads(body["data"]) if isinstance(body, dict) and "data" in body else body
        for row in sent if isinstance(sent, list) else [sent]:
            properties = {key: value for key, value in row["properties"].items() if key != "token"}
            properties |= {"time": int(properties.get("time", arrived.timestamp())), "mp_processing_time_ms": int(arrived.timestamp() * 1000)}
            rows.append({"event": row["event"], "properties": properties})
    return rows


def as_amplitude(received: Received, arrived: datetime) -> list[dict[str, Any]]:
    """The export API: times as UTC text, names that begin with client and server."""
    return [{"$insert_id": row["insert_id"], "uuid": row["insert_id"], "user_id": row.get("user_id"), "device_id": row.get("device_id"),
             "session_id": row.get("session_id", -1), "event_type": row["event_type"], "event_properties": row.get("event_properties", {}),
             "user_properties": row.get("user_properties", {}), "groups": {key: [value] for key, value in row.get("groups", {}).items()},
             "event_time": _plain(datetime.fromtimestamp(row["time"] / 1000, UTC)), "library": row.get("library"),
             "server_upload_time": _plain(arrived), "server_received_time": _plain(arrived)}
            for _path, body in received.bodies for row in body["events"]]


def as_segment(received: Received, arrived: datetime) -> dict[str, list[dict[str, Any]]]:
    """The warehouse's tables: names in small letters with underscores, and the time corrected by what the clocks differ."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for _path, body in received.bodies:
        for row in body["batch"]:
            said, sent = datetime.fromisoformat(row["timestamp"]), datetime.fromisoformat(body["sentAt"])
            common = {"id": row["messageId"], "anonymous_id": row.get("anonymousId"), "user_id": row.get("userId"), "original_timestamp": _plain(said),
                      "sent_at": _plain(sent), "received_at": _plain(arrived), "context_library_name": row["context"]["library"]["name"]}
            own = {"track": {"event": row.get("event", "").lower().replace(" ", "_"), "event_text": row.get("event")} | row.get("properties", {}),
                   "page": {"name": row.get("name")} | row.get("properties", {}), "identify": row.get("traits", {}),
                   "group": {"group_id": row.get("groupId")} | row.get("traits", {}), "alias": {"previous_id": row.get("previousId")}}[row["type"]]
            tables.setdefault(row["type"], []).append(common | own)
    return tables


def as_snowplow(received: Received, arrived: datetime) -> str:
    """Enriched events: one line of tab-separated values each, times corrected by the collector's clock."""
    lines = []
    for _path, body in received.bodies:
        for row in body["data"]:
            created, sent = (datetime.fromtimestamp(int(row[key]) / 1000, UTC) for key in ("dtm", "stm"))
            names = {"pv": "page_view", "se": "struct", "ue": "unstruct"}
            values = dict.fromkeys(COLUMNS, "") | {
                "app_id": row.get("aid", ""), "platform": row["p"], "event_id": row["eid"], "event": names[row["e"]], "event_name": names[row["e"]],
                "user_id": row.get("uid", ""), "domain_userid": row.get("duid", ""), "domain_sessionid": row.get("sid", ""), "page_url": row.get("url", ""),
                "page_title": row.get("page", ""), "se_category": row.get("se_ca", ""), "se_action": row.get("se_ac", ""), "se_label": row.get("se_la", ""),
                "se_value": row.get("se_va", ""), "v_tracker": row["tv"], "name_tracker": row["tna"], "dvce_created_tstamp": _plain(created),
                "dvce_sent_tstamp": _plain(sent), "collector_tstamp": _plain(arrived), "etl_tstamp": _plain(arrived + timedelta(seconds=1)),
                "derived_tstamp": _plain(arrived - (sent - created))}
            lines.append("\t".join(str(value) for value in values.values()))
    return "\n".join(lines) + "\n"


def _plain(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
