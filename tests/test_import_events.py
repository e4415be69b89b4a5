"""Exports of events: the quirks of each tool, on rows whose outcome can be worked out by hand."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from conftest import shared
from exports import lines, posthog, table

from plgkit import connect
from plgkit.errors import BadParameter
from plgkit.readers import import_export
from plgkit.readers.posthog import CONTROL
from plgkit.readers.times import any_time
from plgkit.scorecard import scorecard

SAMPLES = {
    "posthog": ("posthog", {"users": 2, "accounts": 1, "events": 6, "visits": 1}, 0, 0),
    "mixpanel": ("mixpanel", {"users": 4, "events": 8, "visits": 1}, 0, 0),
    "amplitude": ("amplitude", {"users": 7, "events": 10}, 4, 4),
    "segment": ("segment", {"users": 1, "accounts": 1, "events": 3, "visits": 1}, 0, 0),
    "rudderstack": ("segment", {"users": 1, "accounts": 1, "events": 3, "visits": 1}, 0, 0),
    "ga4": ("ga4", {"users": 1, "events": 5, "visits": 1}, 0, 0),
    "snowplow": ("snowplow", {"users": 26, "events": 158}, 9, 2),
}
"""Folder, tables, links that contradict others, and events that the samples date over a day after they were received."""


def brought(kind: str, export: Path, tmp_path: Path, **said) -> Path:
    done = import_export(kind, export, out=tmp_path / "out", **said)
    assert done.set_aside == {}
    return tmp_path / "out"


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_published_samples_are_read_whole(kind, tmp_path):
    folder, tables, conflicts, ahead = SAMPLES[kind]
    done = import_export(kind, shared("data", "exports", folder), out=tmp_path)
    assert (done.tables, done.conflicts, done.set_aside) == (tables, conflicts, {})
    events = table(tmp_path, "events")
    assert events["event_id"].is_unique
    assert set(events["user_id"]) <= set(table(tmp_path, "users")["user_id"])
    data = connect(tmp_path)
    assert data.rejected()["reason"].tolist() == ["occurred_at is over a day after received_at"] * ahead
    if kind in ("posthog", "snowplow"):
        assert len(scorecard(data)) > 20


def test_the_published_page_views_and_sessions_are_found_again(tmp_path):
    import_export("snowplow", shared("data", "exports", "snowplow") / "web_snowplow_web_events.csv", out=tmp_path)
    events = table(tmp_path, "events")
    raw = pd.read_csv(shared("data", "exports", "snowplow") / "web_snowplow_web_events.csv", dtype=str)
    once = raw.drop_duplicates("event_id")
    assert len(events) == len(once)
    assert (events["event"] == "page_view").sum() == (once["event_name"] == "page_view").sum()
    assert events["session_id"].nunique() == once["domain_sessionid"].nunique()


def test_posthog_a_row_sent_again_counts_once_as_it_was_last(tmp_path):
    rows = [posthog("a", "ann", "2026-03-01T10:00:00.000001+00:00", plan="free"),
            posthog("a", "ann", "2026-03-01T10:00:00.000001+00:00", inserted="2026-03-01T10:05:00+00:00", plan="pro"),
            posthog("b", "ann", "2026-03-01T12:00:00.5+02:00")]
    events = table(brought("posthog", lines(tmp_path / "export", rows), tmp_path), "events")
    assert events["event_id"].tolist() == ["a", "b"]
    assert json.loads(events["properties"][0])["plan"] == "pro"
    assert events["occurred_at"].astype(str).tolist() == ["2026-03-01 10:00:00.000001", "2026-03-01 10:00:00.500000"]


def test_posthog_visits_from_before_the_name_belong_to_who_signed_up(tmp_path):
    rows = [posthog("1", "dev1", "2026-03-01T10:00:00+00:00", "$pageview", device="dev1", utm_medium="cpc", utm_source="google"),
            posthog("2", "ann", "2026-03-01T10:05:00+00:00", "$identify", device="dev1", **{"$anon_distinct_id": "dev1"}),
            posthog("3", "ann", "2026-03-01T10:06:00+00:00", "card moved", device="dev1", **{"$groups": {"company": "acme"}}),
            posthog("4", "ann", "2026-03-01T10:07:00+00:00", "$groupidentify",
                    **{"$group_type": "company", "$group_key": "acme", "$group_set": {"industry": "steel", "employees": 40}}),
            posthog("5", "ann", "2026-03-01T10:08:00+00:00", "$create_alias", alias="crm-7"),
            posthog("6", "crm-7", "2026-03-02T09:00:00+00:00", "card moved"),
            posthog("7", "ann", "2026-03-02T09:01:00+00:00", "$feature_flag_called", **{"$feature_flag": "new", "$feature_flag_response": "test"}),
            posthog("8", "ann", "2026-03-02T09:02:00+00:00", "$feature_flag_called", **{"$feature_flag": "old", "$feature_flag_response": "true"}),
            posthog("9", "ann", "2026-03-02T09:03:00+00:00", "survey sent", **{"$survey_response": "9", "$survey_response_1": "nice"}),
            posthog("10", "dev2", "2026-03-03T10:00:00+00:00", "$pageview", device="dev2", **{"$referring_domain": "news.example"})]
    out = brought("posthog", lines(tmp_path / "export", rows), tmp_path)
    users = table(out, "users")
    assert users[["user_id", "account_id", "channel"]].to_numpy().tolist() == [["ann", "acme", "paid_search"]]
    assert str(users["signed_up_at"][0]) == "2026-03-01 10:05:00"
    assert table(out, "events")[["user_id", "event"]].to_numpy().tolist() == [["ann", "$pageview"], ["ann", "card moved"], ["ann", "card moved"]]
    visits = table(out, "visits")
    assert visits[["visitor_id", "channel"]].to_numpy().tolist() == [["dev1", "paid_search"], ["dev2", "referral"]]
    assert visits["user_id"].fillna("nobody").tolist() == ["ann", "nobody"]
    accounts = table(out, "accounts")
    assert accounts[["account_id", "industry", "employees"]].to_numpy().tolist() == [["acme", "steel", 40]]
    assert table(out, "exposures")[["user_id", "experiment", "variant"]].to_numpy().tolist() == [["ann", "new", "test"]]
    assert table(out, "surveys")[["user_id", "kind", "score", "comment"]].to_numpy().tolist() == [["ann", "nps", 9.0, "nice"]]


def test_posthog_properties_come_as_an_object_as_text_and_as_columns(tmp_path):
    row = posthog("a", "ann", "2026-03-01T10:00:00+00:00", seats=3) | {"brand new": {"x": 1}}
    as_text = row | {"uuid": "b", "properties": json.dumps(row["properties"]), "person_properties": "{}"}
    pd.DataFrame([as_text]).to_parquet(lines(tmp_path / "export", [row]) / "more.parquet")
    (tmp_path / "export" / "page.csv").write_text(
        "id,distinct_id,properties.seats,event,timestamp,person,elements_chain\nc,ann,3,card moved,2026-03-01T10:00:00+00:00,,\n")
    events = table(brought("posthog", tmp_path / "export", tmp_path), "events").set_index("event_id")
    found = {name: json.loads(text) for name, text in events["properties"].items()}
    assert found == {name: {"seats": 3, "person_id": "p-ann", "brand new": {"x": 1}} for name in "ab"} | {"c": {"seats": "3"}}


def mixpanel(event: str, time: int, who: str, insert: str | None = None, **properties) -> dict:
    return {"event": event, "properties": {"time": time, "distinct_id": who, **({"$insert_id": insert} if insert else {}), **properties}}


def test_mixpanel_seconds_and_milliseconds_are_one_event_and_another_day_is_another(tmp_path):
    rows = [mixpanel("Paid", 1602787121, "ann", "i1"), mixpanel("Paid", 1602787121004, "ann", "i1"), mixpanel("Paid", 1602787121 + 86_400, "ann", "i1")]
    events = table(brought("mixpanel", lines(tmp_path / "export", rows), tmp_path), "events")
    assert events["occurred_at"].dt.floor("s").astype(str).tolist() == ["2020-10-15 18:38:41", "2020-10-16 18:38:41"]
    assert events["event_id"].tolist() == ["i1.20201015", "i1.20201016"]


def test_mixpanel_counts_in_the_projects_zone_where_it_is_told(tmp_path):
    # 2020-07-01 00:00 of the project's clock, which is seven hours behind UTC in summer.
    export = lines(tmp_path / "export", [mixpanel("Paid", 1593561600, "ann", "i1")])
    events = table(brought("mixpanel", export, tmp_path, times_in="US/Pacific"), "events")
    assert str(events["occurred_at"][0]) == "2020-07-01 07:00:00"
    with pytest.raises(BadParameter) as told:
        import_export("amplitude", export, out=tmp_path / "other", times_in="US/Pacific")
    assert str(told.value) == "times_in is 'US/Pacific'; expected nothing: the times of Amplitude are UTC."


def test_a_folder_keeps_to_the_zone_it_was_begun_with(tmp_path):
    export = lines(tmp_path / "export", [mixpanel("Paid", 1593561600, "ann", "i1")])
    out = brought("mixpanel", export, tmp_path)
    lines(export, [mixpanel("Paid", 1593561600, "ann", "i1"), mixpanel("Paid", 1593561700, "ann", "i2")], "later.jsonl")
    with pytest.raises(BadParameter) as told:
        import_export("mixpanel", export, out=out, times_in="US/Pacific")
    assert str(told.value) == (f"times_in is 'US/Pacific'; expected UTC, in which the times of Mixpanel in {out} were read so far. "
                               "For US/Pacific import everything into another folder.")
    assert import_export("mixpanel", export, out=out).tables["events"] == 2


def test_mixpanel_joins_identities_as_they_are_exported(tmp_path):
    rows = [mixpanel("Landed", 1602611000, "ann", "i1", **{"$device_id": "dev1", "$distinct_id_before_identity": "dev1", "$current_url": "/", "utm_source": "google", "utm_medium": "cpc"}),
            mixpanel("$identify", 1602611311, "ann", "i2", **{"$identified_id": "ann", "$anon_id": "dev1"}),
            mixpanel("Paid", 1602611400, "ann", "i3"),
            mixpanel("$create_alias", 1602612000, "ann", "i4", alias="crm-9"),
            mixpanel("Called", 1602612100, "crm-9", "i5"),
            {"event": "$merge", "properties": {"time": 1602613000, "$distinct_ids": ["ann", "ann@work"], "$insert_id": "i6"}},
            mixpanel("Paid", 1602613100, "ann@work", "i7"),
            mixpanel("Landed", 1602613200, "$device:dev2", "i8", **{"$device_id": "dev2", "$current_url": "/"}),
            mixpanel("$experiment_started", 1602613300, "ann", "i9", **{"Experiment name": "new", "Variant name": "b"})]
    out = brought("mixpanel", lines(tmp_path / "export", rows), tmp_path)
    assert table(out, "events")[["user_id", "event"]].to_numpy().tolist() == [["ann", each] for each in ("Landed", "Paid", "Called", "Paid")]
    assert table(out, "users")[["user_id", "channel"]].to_numpy().tolist() == [["ann", "paid_search"]]
    assert table(out, "visits")[["visitor_id", "user_id"]].fillna("nobody").to_numpy().tolist() == [["$device:dev2", "nobody"], ["dev1", "ann"]]
    assert table(out, "exposures")[["user_id", "experiment", "variant"]].to_numpy().tolist() == [["ann", "new", "b"]]


def amplitude(name: str, who: str | None, device: str, at: str | None, **more) -> dict:
    return {"$insert_id": name, "user_id": who, "device_id": device, "session_id": -1, "event_type": "moved", "event_time": at, "event_properties": {},
            "user_properties": {}, "groups": {}, **more}


def test_amplitude_times_are_utc_sessions_of_minus_one_are_none_and_skew_is_corrected(tmp_path):
    rows = [amplitude("a", "ann", "d1", "2026-03-01 10:00:00.250000", session_id=1772359200000, groups={"company": ["acme"]}),
            amplitude("b", "ann", "d1", "2026-03-01 11:00:00.000000"),
            # The device's clock is an hour slow: it says it sent at 11:30 what arrived at 12:30.
            amplitude("c", "ann", "d1", None, client_event_time="2026-03-01 11:00:00.000000", client_upload_time="2026-03-01 11:30:00.000000",
                      server_received_time="2026-03-01 12:30:00.000000", server_upload_time="2026-03-01 12:30:01.000000"),
            amplitude("d", None, "d1", "2026-02-28 09:00:00", event_properties={"utm_source": "x", "utm_medium": "email"}),
            amplitude("e", "ann", "d1", "2026-03-01 12:00:00", event_type="$exposure", event_properties={"flag_key": "new", "variant": "on"})]
    folder = tmp_path / "export"
    folder.mkdir()
    text = "\n".join(map(json.dumps, rows)).encode()
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        archive.writestr("187/187_2026-03-01_10#0.json.gz", gzip.compress(text))
        archive.writestr("187/187_2026-03-01_11#0.json.gz", gzip.compress(text))
    out = brought("amplitude", folder, tmp_path)
    events = table(out, "events")
    assert events[["event_id", "session_id"]].fillna("none").to_numpy().tolist() == [
        ["d", "none"], ["a", "d1.1772359200000"], ["b", "none"], ["c", "none"]]
    assert events["occurred_at"].astype(str).tolist() == [
        "2026-02-28 09:00:00.000", "2026-03-01 10:00:00.250", "2026-03-01 11:00:00.000", "2026-03-01 12:00:00.000"]
    assert table(out, "users")[["user_id", "account_id", "channel"]].to_numpy().tolist() == [["ann", "acme", "email"]]
    assert table(out, "visits")[["visitor_id", "channel", "user_id"]].to_numpy().tolist() == [["d1", "email", "ann"]]
    assert table(out, "exposures")[["user_id", "experiment", "variant"]].to_numpy().tolist() == [["ann", "new", "on"]]


def test_segment_takes_the_corrected_time_or_corrects_it_by_what_was_sent_and_received(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "tracks.csv").write_text(
        "id,anonymous_id,user_id,event,event_text,original_timestamp,sent_at,received_at,timestamp,seats\n"
        "1,dev1,,signed_up,Signed Up,2026-03-01 10:00:00,2026-03-01 10:00:05,2026-03-01 10:00:06,2026-03-01 10:00:01,\n"
        "2,dev1,ann,card_moved,Card Moved,2026-03-01 11:00:00,2026-03-01 11:00:10,2026-03-01 12:00:10,,5\n"
        "2,dev1,ann,card_moved,Card Moved,2026-03-01 11:00:00,2026-03-01 11:00:10,2026-03-01 12:03:10,2026-03-01 12:00:00,5\n"
        "3,dev1,ann,experiment_viewed,Experiment Viewed,2026-03-01 12:00:00,,2026-03-01 12:30:00,2026-03-01 12:30:00,\n")
    (folder / "pages.csv").write_text("id,anonymous_id,user_id,received_at,timestamp,path,context_campaign_source,context_campaign_medium\n"
                                      "4,dev1,,2026-03-01 09:59:00,2026-03-01 09:59:00,/,google,cpc\n")
    (folder / "groups.csv").write_text("id,anonymous_id,user_id,group_id,employees,received_at,timestamp\n5,dev1,ann,acme,12,2026-03-01 11:00:00,2026-03-01 11:00:00\n")
    (folder / "aliases.csv").write_text("id,previous_id,user_id,received_at,timestamp\n6,ann-old,ann,2026-03-02 10:00:00,2026-03-02 10:00:00\n")
    # An export of a server's events has no column for browsers: nothing of them was ever sent.
    lines(folder, [{"id": "7", "user_id": "ann-old", "event": "called", "event_text": "Called", "received_at": "2026-01-01T08:00:00Z", "timestamp": "2026-01-01T08:00:00Z"}],
          "tracks_server.jsonl")
    out = brought("segment", folder, tmp_path)
    events = table(out, "events").set_index("event_id")
    assert events["occurred_at"].astype(str).to_dict() == {
        "1": "2026-03-01 10:00:01", "2": "2026-03-01 12:00:00", "4": "2026-03-01 09:59:00", "7": "2026-01-01 08:00:00"}
    assert events["event"].to_dict() == {"1": "Signed Up", "2": "Card Moved", "4": "page viewed", "7": "Called"}
    assert set(events["user_id"]) == {"ann"}
    assert json.loads(events["properties"]["2"]) == {"seats": "5"}
    assert table(out, "users")[["user_id", "account_id", "channel"]].to_numpy().tolist() == [["ann", "acme", "paid_search"]]
    assert table(out, "accounts")[["account_id", "employees"]].to_numpy().tolist() == [["acme", 12]]
    # Both are one visit: the same browser on one day.
    assert table(out, "visits")[["visitor_id", "channel", "user_id"]].to_numpy().tolist() == [["dev1", "paid_search", "ann"]]


def ga4(name: str, micros: int, browser: str, who: str | None = None, **parameters) -> dict:
    kinds = {int: "int_value", str: "string_value", float: "double_value"}
    params = [{"key": key, "value": dict.fromkeys(("string_value", "int_value", "float_value", "double_value")) | {kinds[type(value)]: str(value)}}
              for key, value in parameters.items()]
    return {"event_date": "20220824", "event_timestamp": str(micros), "event_name": name, "event_params": params, "user_id": who, "user_pseudo_id": browser,
            "event_bundle_sequence_id": "1", "user_properties": [], "geo": {"country": "India"}, "traffic_source": {"medium": "(none)", "source": "(direct)"}}


def test_ga4_microseconds_typed_parameters_and_sessions_that_two_browsers_share(tmp_path):
    start = 1661339279816517
    rows = [ga4("page_view", start, "b1", ga_session_id=7, page_location="https://x/?gclid=1"), ga4("session_start", start, "b1", ga_session_id=7),
            ga4("page_view", start + 5, "b2", ga_session_id=7, page_referrer="https://www.google.com/"),
            ga4("buy", start + 60_000_000, "b1", "u-1", ga_session_id=7, value=29.5, items=2),
            ga4("buy", start + 60_000_000, "b1", "u-1", ga_session_id=7, value=29.5, items=2)]
    out = brought("ga4", lines(tmp_path / "export", rows), tmp_path)
    events = table(out, "events")
    assert sorted(events["event"]) == ["buy", "page_view", "session_start"], "what b2 looked at is a visit"
    bought = events[events["event"] == "buy"].iloc[0]
    assert str(bought["occurred_at"]) == "2022-08-24 11:08:59.816517"
    assert {key: json.loads(bought["properties"])[key] for key in ("value", "items")} == {"value": "29.5", "items": "2"}
    visits = table(out, "visits")
    assert visits[["visitor_id", "channel"]].to_numpy().tolist() == [["b1", "paid_search"], ["b2", "organic_search"]]
    assert table(out, "users")[["user_id", "channel", "country"]].to_numpy().tolist() == [["u-1", "paid_search", "India"]]


def test_snowplow_rows_without_a_header_are_known_by_their_place(tmp_path):
    from plgkit.readers.snowplow import COLUMNS

    assert list(COLUMNS) == shared("data", "exports", "snowplow", "enriched_columns.txt").read_text().split()
    row = dict.fromkeys(COLUMNS, "") | {
        "event_id": "e1", "event": "struct", "se_action": "Card \"moved\"", "user_id": "ann", "domain_userid": "d1", "domain_sessionid": "s1",
        "collector_tstamp": "2026-03-01 10:00:10", "dvce_created_tstamp": "2026-03-01 08:00:00", "derived_tstamp": "2026-03-01 10:00:00.125", "app_id": "web",
        "contexts": '{"data":[{"a":"x\\ty"}]}'}
    before = row | {"event_id": "e0", "event": "page_view", "user_id": "", "derived_tstamp": "", "mkt_medium": "cpc", "refr_urlhost": "x.example"}
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "part-1.tsv").write_text("\n".join("\t".join(each.values()) for each in (row, before, row)) + "\n")
    out = brought("snowplow", folder, tmp_path)
    events = table(out, "events")
    assert events[["user_id", "event", "event_id", "session_id"]].to_numpy().tolist() == [
        ["ann", 'Card "moved"', "e1", "s1"], ["ann", "page_view", "e0", "s1"]]
    assert events["occurred_at"].astype(str).tolist() == ["2026-03-01 10:00:00.125", "2026-03-01 10:00:10.000"]
    # Made at 8:00 and sent at 8:30 by a clock that is two hours slow, collected at 10:30:05.
    waited = row | {"event_id": "e2", "derived_tstamp": "", "dvce_sent_tstamp": "2026-03-01 08:30:00", "collector_tstamp": "2026-03-01 10:30:05"}
    lines(folder, ["\t".join(waited.values())], "part-2.tsv")
    later = table(brought("snowplow", folder, tmp_path), "events").set_index("event_id")["occurred_at"]
    assert str(later["e2"]) == "2026-03-01 10:00:05"
    assert json.loads(events["properties"][0])["contexts"] == '{"data":[{"a":"x\\ty"}]}'
    assert table(out, "visits")[["visitor_id", "channel", "user_id"]].to_numpy().tolist() == [["d1", "paid_search", "ann"]]


@pytest.mark.parametrize(("text", "moment"), [
    ("1700000000", "2023-11-14 22:13:20"), ("1700000000123", "2023-11-14 22:13:20.123"), ("1700000000123456", "2023-11-14 22:13:20.123456"),
    ("1700000000123456000", "2023-11-14 22:13:20.123456"), ("1700000000.5", "2023-11-14 22:13:20.500"), ("2023-11-14T22:13:20Z", "2023-11-14 22:13:20"),
    ("2023-11-14 23:13:20.5+01:00", "2023-11-14 22:13:20.500"), ("2023-11-14 22:13:20 UTC", "2023-11-14 22:13:20"), ("2023-11-14T22:13:20", "2023-11-14 22:13:20"),
    ("2023-11-14T23:13:20+0100", "2023-11-14 22:13:20"), ("2023-11-14T22:13:20z", "2023-11-14 22:13:20"), ("2023-11-14 22:13:20 GMT", "2023-11-14 22:13:20"),
    ("2023-11-14", "2023-11-14 00:00:00"), ("0001-01-01 00:00:00", None), ("9999-12-31", None), ("-1", None), ("soon", None), ("", None), ("1e400", None),
    ("infinity", None), ("2023-02-30", None)])
def test_times_are_told_by_how_they_are_written(text, moment):
    [(found,)] = duckdb.execute(f"SELECT {any_time('$1')}", [text]).fetchall()
    assert found == (pd.Timestamp(moment) if moment else None)


def test_where_nobody_signs_in_every_browser_is_taken_for_a_person(tmp_path):
    rows = [ga4("page_view", 1661339279816517, "b1", ga_session_id=1), ga4("page_view", 1661339279816517, "b2", ga_session_id=1)]
    done = import_export("ga4", lines(tmp_path / "export", rows), out=tmp_path / "out")
    assert done.tables == {"users": 2, "events": 2}


def test_a_later_file_adds_its_rows_and_rewrites_only_its_month(tmp_path):
    january = [posthog(f"j{day}", "ann", f"2026-01-{day:02d}T10:00:00+00:00") for day in range(1, 20)]
    february = [posthog(f"f{day}", "ann", f"2026-02-{day:02d}T10:00:00+00:00") for day in range(1, 9)]
    export = lines(tmp_path / "export", january, "1.jsonl")
    out = tmp_path / "out"
    import_export("posthog", lines(export, february[:4], "2.jsonl"), out=out)
    stood = (out / "events" / "2026-01.parquet").stat().st_mtime_ns
    done = import_export("posthog", lines(export, [*february, january[-1]], "3.jsonl"), out=out)
    assert (done.read, done.new_files, done.known_files, done.tables["events"]) == (9, 1, 2, 27)
    # One row of January came again, so that month was looked at, and is as it was.
    assert len(table(out, "events")) == 27
    stood = (out / "events" / "2026-01.parquet").stat().st_mtime_ns
    import_export("posthog", lines(export, [posthog("f9", "ann", "2026-02-09T10:00:00+00:00")], "4.jsonl"), out=out)
    assert (out / "events" / "2026-01.parquet").stat().st_mtime_ns == stood
    assert len(table(out, "events")) == 28
    undisturbed = tmp_path / "at once"
    import_export("posthog", export, out=undisturbed)
    assert all((undisturbed / name).read_bytes() == (out / name).read_bytes() for name in ("users.parquet", "events/2026-01.parquet", "events/2026-02.parquet"))


CARRIED = {
    "posthog": "uuid id timestamp created_at event properties distinct_id inserted_at",
    "mixpanel": "event properties name time distinct_id insert_id mp_processing_time_ms device_id distinct_id_before_identity _fivetran_id",
    "amplitude": "$insert_id _insert_id uuid user_id device_id session_id event_type event_time client_event_time client_upload_time server_received_time "
                 "server_upload_time event_properties",
    "segment": "id anonymous_id user_id original_timestamp sent_at received_at timestamp event event_text",
    "ga4": "event_timestamp event_name event_params event_bundle_sequence_id user_id user_pseudo_id",
    "snowplow": "event_id event event_name user_id domain_userid network_userid domain_sessionid collector_tstamp derived_tstamp dvce_created_tstamp "
                "dvce_sent_tstamp etl_tstamp load_tstamp true_tstamp",
}
"""Columns that an event's own columns tell, or the links between ids."""


@pytest.mark.parametrize("kind", CARRIED)
def test_a_column_of_a_published_event_is_a_column_a_property_or_named_noise(kind, tmp_path):
    from plgkit.readers.feeds import reader
    from plgkit.readers.pieces import pieces
    from plgkit.readers.rows import batches

    import_export(kind, shared("data", "exports", kind), out=tmp_path)
    properties = set().union(*(json.loads(text) for text in table(tmp_path, "events")["properties"].dropna()))
    feeds = [feed for feed in reader(kind).feeds if "events" in feed.makes]
    expected = set(CARRIED[kind].split()) | {name for feed in feeds for name in feed.noise}
    for piece in pieces(shared("data", "exports", kind)):
        for text in [text for batch in batches(piece, reader(kind)) for text in batch.texts]:
            row = json.loads(text)
            if any(feed.fits(piece.name, row) for feed in feeds) and row.get("event") not in CONTROL:
                there = {name.removeprefix("properties.") for name, value in row.items() if value not in (None, "", "{}", [], {})}
                assert there <= properties | expected


def test_what_is_made_of_a_column_in_part_stays_in_the_properties(tmp_path):
    page = {"id": "1", "anonymous_id": "d", "user_id": "ann", "received_at": "2026-03-01 10:00:00", "timestamp": "2026-03-01 10:00:00", "name": "Prices",
            "referrer": "https://a.example", "context_user_agent": "Mozilla", "context_campaign_source": "news", "context_campaign_medium": "email"}
    import_export("segment", lines(tmp_path / "segment", [page], "pages.jsonl"), out=tmp_path / "a")
    assert only(tmp_path / "a") == {name: page[name] for name in list(page)[5:]}
    ga4 = {"event_name": "bought", "event_timestamp": "1772359200000000", "user_pseudo_id": "d", "user_id": "ann", "event_params": [], "device": {"category": "desktop"},
           "geo": {"country": "Austria"}, "ecommerce": {"purchase_revenue": 9.5}, "items": [{"item_id": "a"}], "event_value_in_usd": 9.5,
           "user_ltv": {"revenue": 20.5}, "app_info": {"version": "1"}}
    import_export("ga4", lines(tmp_path / "ga4", [ga4]), out=tmp_path / "b")
    assert only(tmp_path / "b") == {name: ga4[name] for name in list(ga4)[5:]}
    amplitude = {"event_type": "opened", "user_id": "ann", "event_time": "2026-03-01 10:00:00", "event_properties": {"size": 3}, "groups": {}, "uuid": "u",
                 "user_properties": '{"plan": "free"}', "group_properties": {"company": {"seats": 3}}, "ip_address": "192.0.2.1", "app": 7, "amplitude_id": "12"}
    import_export("amplitude", lines(tmp_path / "amplitude", [amplitude]), out=tmp_path / "c")
    assert only(tmp_path / "c") == {"size": 3, "user_properties": {"plan": "free"}} | {name: amplitude[name] for name in list(amplitude)[7:]}
    row = posthog("a", "ann", "2026-03-01T10:00:00+00:00") | {"elements_chain": "a.button", "person_properties": {"email": "a@example.com"}}
    import_export("posthog", lines(tmp_path / "posthog", [row]), out=tmp_path / "d")
    assert only(tmp_path / "d") == {"elements_chain": "a.button", "person_properties": {"email": "a@example.com"}, "person_id": "p-ann"}
    snowplow = {"event_id": "1", "collector_tstamp": "2026-03-01 10:00:00", "event": "page_view", "user_id": "ann", "useragent": "Mozilla", "mkt_medium": "cpc",
                "mkt_source": "google"}
    import_export("snowplow", lines(tmp_path / "snowplow", [snowplow]), out=tmp_path / "e")
    assert only(tmp_path / "e") == {"useragent": "Mozilla", "mkt_medium": "cpc", "mkt_source": "google"}


def test_a_property_and_a_column_of_one_name_both_stay_and_properties_that_are_no_object_too(tmp_path):
    row = posthog("a", "ann", "2026-03-01T10:00:00+00:00", plan="own") | {"plan": {"is": 'a "column"'}, "person_id": None}
    import_export("posthog", lines(tmp_path / "export", [row, row | {"uuid": "b", "properties": [1, "x"]}, row | {"uuid": "c", "properties": 7, "plan": None}]),
                  out=tmp_path / "out")
    found = table(tmp_path / "out", "events").set_index("event_id")["properties"].map(json.loads).to_dict()
    assert found == {"a": {"plan": "own", "column.plan": {"is": 'a "column"'}}, "b": {"plan": {"is": 'a "column"'}, "properties": [1, "x"]}, "c": {"properties": 7}}


def test_amplitude_needs_no_device_where_it_says_who_it_was(tmp_path):
    rows = [{"event_type": "opened", "event_time": f"2026-03-0{day} 10:00:00", "uuid": str(day)} | who for day, who in enumerate(
        ({"amplitude_id": 5}, {"user_id": "ann", "amplitude_id": 5}, {"user_id": "bob"}), 1)]
    events = table(brought("amplitude", lines(tmp_path / "export", rows), tmp_path), "events")
    assert events[["event_id", "user_id"]].to_numpy().tolist() == [["1", "ann"], ["2", "ann"], ["3", "bob"]]


def only(out: Path) -> dict:
    """The properties of the one event."""
    found, = table(out, "events")["properties"]
    return json.loads(found)


def test_tables_whose_columns_are_in_capitals_are_read_as_those_in_small_letters(tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "PAGES.csv").write_text("ID,ANONYMOUS_ID,USER_ID,RECEIVED_AT,TIMESTAMP,NAME\n1,d,ann,2026-03-01 10:00:00,2026-03-01 10:00:00,Prices\n")
    pd.DataFrame([{"ID": "2", "USER_ID": "ann", "EVENT": "opened", "RECEIVED_AT": "2026-03-02 10:00:00", "PLAN": "free"}]).to_parquet(tmp_path / "export" / "TRACKS.parquet")
    events = table(brought("rudderstack", tmp_path / "export", tmp_path), "events")
    assert events[["event_id", "event", "properties"]].to_numpy().tolist() == [["1", "page viewed", '{"name":"Prices"}'], ["2", "opened", '{"plan":"free"}']]
