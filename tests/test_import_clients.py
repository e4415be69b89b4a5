"""What the vendors' own clients send is read back: names, ids, times and properties."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import clients
import pytest
from exports import table

from plgkit.readers import import_export

TEXT = "Grüße \"☃\", \\ and a\nline"
AT = datetime(2026, 3, 1, 10, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def received():
    with clients.server() as running:
        yield running


def read(kind: str, export: Path, out: Path):
    done = import_export(kind, export, out=out)
    assert done.set_aside == {}
    events = table(out, "events").set_index("event")
    return events, {event: json.loads(text) for event, text in events["properties"].dropna().items()}


def test_posthogs_client(received, tmp_path):
    posthog = pytest.importorskip("posthog")
    client = posthog.Posthog("key", host=received.url, sync_mode=True, disable_geoip=True)
    first = client.capture("$pageview", distinct_id="dev-1", timestamp=AT, properties={"$device_id": "dev-1", "utm_source": "google", "utm_medium": "cpc"})
    client.capture("$identify", distinct_id="ann", timestamp=AT + timedelta(minutes=1), properties={"$anon_distinct_id": "dev-1"})
    moved = client.capture("card moved", distinct_id="ann", timestamp=AT + timedelta(minutes=2), properties={"seats": 3, "text": TEXT, "deep": {"a": [1, None]}}, groups={"company": "acme"})
    client.alias("crm-7", "ann", timestamp=AT + timedelta(minutes=3))
    client.group_identify("company", "acme", {"industry": "steel", "employees": 40}, timestamp=AT + timedelta(minutes=4))
    client.shutdown()
    arrived = datetime.now(UTC)
    events, properties = read("posthog", clients.kept(tmp_path / "export", "events.jsonl", clients.as_posthog(received, arrived)), tmp_path / "out")
    assert events["event_id"].to_dict() == {"$pageview": first, "card moved": moved}
    assert events["occurred_at"].to_dict() == {"$pageview": AT.replace(tzinfo=None), "card moved": (AT + timedelta(minutes=2)).replace(tzinfo=None)}
    assert set(events["user_id"]) == {"ann"}
    assert {key: properties["card moved"][key] for key in ("seats", "text", "deep")} == {"seats": 3, "text": TEXT, "deep": {"a": [1, None]}}
    assert table(tmp_path / "out", "users")[["user_id", "account_id", "channel"]].to_numpy().tolist() == [["ann", "acme", "paid_search"]]
    assert table(tmp_path / "out", "accounts")[["account_id", "industry", "employees"]].to_numpy().tolist() == [["acme", "steel", 40]]


def test_mixpanels_client(received, tmp_path, monkeypatch):
    mixpanel = pytest.importorskip("mixpanel")
    # An alias goes by a consumer of its own, whichever the client has.
    monkeypatch.setattr(mixpanel, "Consumer", partial(
        mixpanel.Consumer, events_url=f"{received.url}/track", import_url=f"{received.url}/import", retry_limit=0))
    client = mixpanel.Mixpanel("token", consumer=mixpanel.Consumer())
    client.track("$device:dev-1", "Landed", {"time": int(AT.timestamp()), "$insert_id": "i1", "$device_id": "dev-1", "$current_url": "/", "utm_source": "x", "utm_medium": "email"})
    client.track("ann", "Card Moved", {"time": int(AT.timestamp()) + 60, "$insert_id": "i2", "$device_id": "dev-1", "$user_id": "ann", "seats": 3, "text": TEXT, "deep": {"a": [1]}})
    client.alias("crm-7", "ann")
    client.merge("key", "ann", "ann@work")
    client.track("ann@work", "Paid", {"time": int(AT.timestamp()) + 120, "$insert_id": "i3"})
    arrived = datetime.now(UTC)
    events, properties = read("mixpanel", clients.kept(tmp_path / "export", "events.jsonl", clients.as_mixpanel(received, arrived)), tmp_path / "out")
    assert events["event_id"].to_dict() == {"Landed": "i1.20260301", "Card Moved": "i2.20260301", "Paid": "i3.20260301"}
    second = AT.replace(microsecond=0, tzinfo=None)
    assert events["occurred_at"].to_dict() == {"Landed": second, "Card Moved": second + timedelta(minutes=1), "Paid": second + timedelta(minutes=2)}
    assert set(events["user_id"]) == {"ann"}
    assert {key: properties["Card Moved"][key] for key in ("seats", "text", "deep", "mp_lib")} == {"seats": 3, "text": TEXT, "deep": {"a": [1]}, "mp_lib": "python"}
    assert table(tmp_path / "out", "users")[["user_id", "channel"]].to_numpy().tolist() == [["ann", "email"]]


def test_amplitudes_client(received, tmp_path):
    amplitude = pytest.importorskip("amplitude")
    client = amplitude.Amplitude("key")
    client.configuration.server_url = f"{received.url}/2/httpapi"
    client.configuration.flush_interval_millis = 10
    millis = int(AT.timestamp() * 1000)
    sent = [amplitude.BaseEvent("Landed", device_id="dev-1", time=millis, insert_id="i1", event_properties={"utm_source": "x", "utm_medium": "email"}),
            amplitude.BaseEvent("Card Moved", user_id="ann", device_id="dev-1", time=millis + 60_000, insert_id="i2", session_id=millis, groups={"company": "acme"},
                                event_properties={"seats": 3, "text": TEXT, "deep": {"a": [1]}})]
    for event in sent:
        client.track(event)
    client.identify(amplitude.Identify().set("role", "admin"), amplitude.EventOptions(user_id="ann", device_id="dev-1", time=millis + 90_000, insert_id="i3"))
    for waiting in client.flush() or []:
        waiting.result(timeout=30)
    client.shutdown()
    arrived = datetime.now(UTC)
    events, properties = read("amplitude", clients.kept(tmp_path / "export", "events.json", clients.as_amplitude(received, arrived)), tmp_path / "out")
    assert events["event_id"].to_dict() == {"Landed": "i1", "Card Moved": "i2"}
    assert events["occurred_at"].to_dict() == {"Landed": AT.replace(tzinfo=None), "Card Moved": (AT + timedelta(minutes=1)).replace(tzinfo=None)}
    assert events["session_id"].fillna("none").to_dict() == {"Landed": "none", "Card Moved": f"dev-1.{millis}"}
    assert {key: properties["Card Moved"][key] for key in ("seats", "text", "deep")} == {"seats": 3, "text": TEXT, "deep": {"a": [1]}}
    assert table(tmp_path / "out", "users")[["user_id", "account_id", "channel"]].to_numpy().tolist() == [["ann", "acme", "email"]]


def test_segments_client(received, tmp_path):
    analytics = pytest.importorskip("segment.analytics")
    client = analytics.Client("key", host=received.url, sync_mode=True)
    client.page(anonymous_id="dev-1", name="Home", timestamp=AT, message_id="m0", context={"campaign": {"source": "x"}})
    client.identify("ann", {"role": "admin", "company_id": "acme"}, anonymous_id="dev-1", timestamp=AT + timedelta(minutes=1), message_id="m1")
    client.track("ann", "Card Moved", {"seats": 3, "text": TEXT}, anonymous_id="dev-1", timestamp=AT + timedelta(minutes=2), message_id="m2")
    client.group("ann", "acme", {"industry": "steel", "employees": 40}, timestamp=AT + timedelta(minutes=3), message_id="m3")
    client.alias("crm-7", "ann", timestamp=AT + timedelta(minutes=4), message_id="m4")
    client.track("crm-7", "Called", timestamp=AT + timedelta(minutes=5), message_id="m5")
    # A client whose clock is an hour slow: what it says is corrected by what it says it sent, and when that came.
    slow, names = timedelta(hours=1), {"track": "tracks", "page": "pages", "identify": "identifies", "group": "groups", "alias": "aliases"}
    arrived = datetime.fromisoformat(received.bodies[-1][1]["sentAt"]) + slow
    for kind, rows in clients.as_segment(received, arrived).items():
        clients.kept(tmp_path / "export", f"{names[kind]}.jsonl", rows)
    events, properties = read("segment", tmp_path / "export", tmp_path / "out")
    assert events["event_id"].to_dict() == {"page viewed": "m0", "Card Moved": "m2", "Called": "m5"}
    late = (events["occurred_at"]["Card Moved"] - (AT + timedelta(minutes=2) + slow).replace(tzinfo=None)).total_seconds()
    assert 0 <= late < 30, "all requests are taken to have arrived with the last"
    assert set(events["user_id"]) == {"ann"}
    assert {key: properties["Card Moved"][key] for key in ("seats", "text")} == {"seats": 3, "text": TEXT}
    assert table(tmp_path / "out", "users")[["user_id", "account_id", "role"]].to_numpy().tolist() == [["ann", "acme", "admin"]]
    assert table(tmp_path / "out", "accounts")[["account_id", "industry", "employees"]].to_numpy().tolist() == [["acme", "steel", 40]]


def test_snowplows_client(received, tmp_path):
    snowplow = pytest.importorskip("snowplow_tracker")
    subject = snowplow.Subject().set_domain_user_id("dev-1")
    emitter = snowplow.Emitter("127.0.0.1", protocol="http", port=received.port, batch_size=1)
    tracker = snowplow.Tracker("app", emitters=emitter, subject=subject, app_id="web", encode_base64=False)
    tracker.track(snowplow.PageView("https://x.example/", page_title=TEXT.replace("\n", " ")))
    subject.set_user_id("ann")
    tracker.track(snowplow.StructuredEvent("cards", "moved", label="Grüße ☃", value=3))
    tracker.flush()
    arrived = datetime.now(UTC) + timedelta(hours=1)
    export = tmp_path / "export"
    export.mkdir()
    (export / "part.tsv").write_text(clients.as_snowplow(received, arrived), encoding="utf-8")
    events, properties = read("snowplow", export, tmp_path / "out")
    sent = [row for _path, body in received.bodies for row in body["data"]]
    assert events["event_id"].to_dict() == {"page_view": sent[0]["eid"], "moved": sent[1]["eid"]}
    assert set(events["user_id"]) == {"ann"}
    assert properties["page_view"]["page_title"] == TEXT.replace("\n", " ")
    assert {key: properties["moved"][key] for key in ("se_category", "se_label", "app_id")} == {"se_category": "cards", "se_label": "Grüße ☃", "app_id": "web"}
    waited = timedelta(milliseconds=int(sent[1]["stm"]) - int(sent[1]["dtm"]))
    assert events["occurred_at"]["moved"] == (arrived - waited).replace(tzinfo=None)
    assert table(tmp_path / "out", "visits")[["visitor_id", "user_id"]].to_numpy().tolist() == [["dev-1", "ann"]]
