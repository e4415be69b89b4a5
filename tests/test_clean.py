"""No row is dropped silently: each is used, or set aside with its reason and counted."""

from __future__ import annotations

import os
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plgkit.errors import BadData, BadSource
from plgkit.playbook import Playbook
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames
from plgkit.sources.connect import connect

T = pd.Timestamp


def events(*rows: tuple, columns: str = "user_id event occurred_at event_id received_at") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


def reasons(data) -> dict[str, int]:
    return {f"{each.table}: {each.what}": each.rows for each in data.findings}


def test_every_bad_row_is_set_aside_with_its_reason():
    good = ("ann", "x", T("2025-01-05 10:00"), "e1", T("2025-01-05 10:00"))
    data = connect({
        "users": pd.DataFrame({"user_id": ["ann", "ann", "eve"], "is_internal": [False, False, True],
                               "signed_up_at": [T("2025-01-05"), T("2025-01-09"), T("2025-01-05")]}),
        "events": events(
            good,
            good,
            (None, "x", T("2025-01-05"), "e2", None),
            ("ann", "x", pd.NaT, "e3", None),
            ("zoe", "x", T("2025-01-05"), "e4", None),
            ("eve", "x", T("2025-01-05"), "e5", None),
            ("ann", "x", T("2031-01-05"), "e6", T("2025-01-05")),
            ("ann", "x", T("2024-12-31"), "e7", None),
            ("ann", "x", T("2025-01-05"), "e8", T("2025-01-08")),
            ("ann", "x", T("2025-01-05 10:05"), "e9", T("2025-01-05 10:04")),
        ),
    }, playbook=Playbook(product={"started_on": "2025-01-01"}), as_of="2025-01-31")
    assert reasons(data) == {
        "users: a double: user_id equal to an earlier row": 1,
        "users: left out: internal people": 1,
        "events: a double: event_id equal to an earlier row": 1,
        "events: left out: rows of people left out": 1,
        "events: occurred_at is before the product started": 1,
        "events: occurred_at is missing": 1,
        "events: occurred_at is over a day after received_at": 1,
        "events: user_id is missing": 1,
        "events: user_id is not in users": 1,
        "events: received over 24 hours after they happened": 1,
        "events: occurred_at is after received_at by up to a day: a clock ahead of the server's": 1,
    }
    assert len(data.run(data.events)) == 3
    assert len(data.run(data.events)) + len(data.rejected().query("table == 'events'")) == 10


def test_text_that_cannot_be_read_is_kept_beside_the_reason(tmp_path):
    (tmp_path / "events.csv").write_text(
        "user_id,event,occurred_at\nann,x,2025-01-05T10:00:00Z\nann,x,yesterday\nann,x\n")
    data = connect(tmp_path)
    assert reasons(data) == {"events: events.csv, line 4: missing columns": 1, "events: occurred_at is not a time": 1}
    assert "yesterday" in data.rejected().row[0]


def test_a_broken_line_of_json_is_counted_with_its_number(tmp_path):
    (tmp_path / "events.jsonl").write_text(
        '{"user_id": "ann", "event": "x", "occurred_at": "2025-01-05T10:00:00Z"}\n{"user_id": "ann", \n[1]\n'
        '{"user_id": "bob", "event": null, "occurred_at": "2025-01-05T10:00:00Z"}\n')
    data = connect(tmp_path)
    assert reasons(data) == {"events: line 2 is no JSON object": 1, "events: line 3 is no JSON object": 1,
                             "events: event is missing": 1}


def test_what_cannot_be_read_in_an_optional_column_is_counted_and_the_row_kept(tmp_path):
    (tmp_path / "accounts.csv").write_text("account_id,created_at,employees\na1,2025-01-05,many\na2,2025-01-05,7\n")
    data = connect(tmp_path)
    assert reasons(data)["accounts: employees cannot be read and counts as missing"] == 1
    assert len(data.run(data.accounts)) == 2


def test_a_table_without_a_usable_row_stops_with_the_reasons():
    with pytest.raises(BadData) as caught:
        connect({"events": events((None, "x", T("2025-01-05"), "e1", None), (None, "x", T("2025-01-05"), "e2", None))})
    assert str(caught.value) == (
        "The data cannot be used:\n- events: no row can be used; the reasons are: user_id is missing")


def test_a_column_of_the_wrong_type_stops_before_any_row_is_read():
    with pytest.raises(BadSource) as caught:
        connect({"events": pd.DataFrame({"user_id": ["a"], "event": ["x"], "occurred_at": [True]})})
    assert str(caught.value) == (
        "The column 'occurred_at' of table 'events' has the type BOOLEAN; expected a time.")


def test_money_below_nothing_and_scores_off_the_scale_are_set_aside():
    tables = frames()
    tables["subscriptions"].loc[0, "mrr"] = -1
    tables["surveys"].loc[0, "score"] = 11
    data = connect(tables, as_of=AS_OF, playbook=Playbook(**PLAYBOOK))
    assert reasons(data) == {"subscriptions: mrr is below 0": 1, "surveys: score is not between 0 and 10": 1}


def test_people_can_be_left_out_by_pattern_and_by_column():
    words = Playbook(**{**PLAYBOOK, "leave_out": {"user_ids": ["a*"], "users": {"role": ["viewer"]}}})
    data = connect(frames(), as_of=AS_OF, playbook=words)
    assert data.run(data.users.select("user_id").order_by("user_id")).user_id.tolist() == ["cho", "dan"]
    assert set(data.run(data.events).user_id) == {"cho", "dan"}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["ann", "bob", None, ""]), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_used_and_set_aside_rows_add_up_whatever_their_order(people, random):
    rows = [(who, "x", T("2025-01-05") + pd.Timedelta(hours=n % 3), f"e{n % 5}", None) for n, who in enumerate(people)]
    rows.append(("cho", "x", T("2025-01-05"), "last", None))
    shuffled = rows.copy()
    random.shuffle(shuffled)
    first, second = connect({"events": events(*rows)}), connect({"events": events(*shuffled)})
    assert len(first.run(first.events)) + len(first.rejected()) == len(rows)
    assert reasons(first) == reasons(second)
    keys = ["user_id", "event_id"]
    pd.testing.assert_frame_equal(first.run(first.events).sort_values(keys, ignore_index=True),
                                  second.run(second.events).sort_values(keys, ignore_index=True))


def test_another_engine_sets_the_same_rows_aside(server):
    import engines

    tables = frames()
    tables["events"] = pd.concat([tables["events"], tables["events"].head(2),
                                  tables["events"].head(1).assign(user_id="nobody")], ignore_index=True)
    words = Playbook(**PLAYBOOK)
    here = connect(tables, as_of=AS_OF, playbook=words)
    there = connect(engines.load(server, tables), as_of=AS_OF, playbook=words)
    assert here.rejected()[["table", "reason"]].equals(there.rejected()[["table", "reason"]])
    keys = ["user_id", "occurred_at", "event"]
    pd.testing.assert_frame_equal(here.run(here.events).sort_values(keys, ignore_index=True),
                                  there.run(there.events).sort_values(keys, ignore_index=True))


def test_a_second_opening_reads_what_was_kept_and_a_changed_file_is_read_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "source"
    source.mkdir()
    frames()["events"].to_parquet(source / "events.parquet")
    first = connect(source, as_of=AS_OF)
    built = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.parquet")}
    again = connect(source, as_of=AS_OF)
    assert again.version == first.version
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.parquet")} == built
    frames()["events"].head(5).to_parquet(source / "events.parquet")
    changed = connect(source, as_of=AS_OF)
    assert changed.version != first.version
    assert len(changed.run(changed.events)) == 5


def test_two_processes_at_once_keep_a_state_of_the_data_once(tmp_path):
    source, where = tmp_path / "source", {**os.environ, "PLGKIT_CACHE": str(tmp_path / "cache")}
    source.mkdir()
    frames()["events"].to_parquet(source / "events.parquet")
    code = "import sys; from plgkit.sources.connect import connect; d = connect(sys.argv[1], as_of='2025-01-20'); print(len(d.run(d.events)))"
    runs = [subprocess.Popen([sys.executable, "-c", code, str(source)], env=where, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [run.communicate(timeout=60)[0].strip() for run in runs]
    assert said[0] == said[1] != ""
    assert len(list((tmp_path / "cache").rglob("events_*.duckdb"))) == 1
    assert list((tmp_path / "cache").rglob(".partial-*")) == []
