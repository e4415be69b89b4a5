"""Every kind of source gives the same tables; what cannot be opened says so."""

from __future__ import annotations

import datetime as dt
import gzip
import tempfile
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pytest

from plgkit.errors import BadParameter, BadSource, MissingTable, NoData, UnknownEvent
from plgkit.metrics import activation
from plgkit.playbook import Playbook
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames
from plgkit.sources.connect import connect

WORDS = Playbook(**PLAYBOOK)


def written(folder, kind: str):
    """The tiny company as files of one kind."""
    for name, frame in frames().items():
        if kind == "parquet":
            frame.to_parquet(folder / f"{name}.parquet")
        elif kind == "csv.gz":
            frame.to_csv(folder / f"{name}.csv.gz", index=False)
        elif kind == "csv":
            frame.to_csv(folder / f"{name}.csv", index=False)
        else:
            text = frame.to_json(orient="records", lines=True, date_format="iso", date_unit="us")
            with gzip.open(folder / f"{name}.jsonl.gz", "wt") as stream:
                stream.write(text)
    return folder


def in_a_file(path):
    with duckdb.connect(str(path)) as connection:
        for name, frame in frames().items():
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
    return path


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz", "jsonl.gz"])
def test_files_of_every_kind_give_the_same_measure(tiny, tmp_path, kind):
    data = connect(written(tmp_path, kind), as_of=AS_OF, playbook=WORDS)
    pd.testing.assert_frame_equal(activation.rate(data, by="channel"), activation.rate(tiny, by="channel"))
    assert data.overview["rows"].tolist() == tiny.overview["rows"].tolist()


def test_what_is_kept_has_the_types_of_what_is_not(tiny, tmp_path):
    kept = connect(written(tmp_path, "parquet"), as_of=AS_OF, playbook=WORDS)
    for name, rows in tiny.rollups.items():
        assert kept.rollups[name].schema() == rows.schema()


def test_a_duckdb_file_and_a_connection_give_the_same_measure(tiny, tmp_path):
    path = in_a_file(tmp_path / "tiny.duckdb")
    for source in (path, ibis.duckdb.connect(path, read_only=True)):
        data = connect(source, as_of=AS_OF, playbook=WORDS)
        pd.testing.assert_frame_equal(activation.rate(data), activation.rate(tiny))


def test_the_playbook_beside_the_files_is_read(tmp_path):
    log = pd.DataFrame({"uid": ["ann", "bob"], "what": ["open", "save"], "ts": ["2025-01-05T23:30:00Z", "2025-01-07T00:00:00Z"]})
    log.to_csv(tmp_path / "log.csv", index=False)
    (tmp_path / "playbook.toml").write_text(
        '[product]\ntime_zone = "America/New_York"\n[tables.events]\nfile = "log.csv"\n'
        'columns = { user_id = "uid", event = "what", occurred_at = "ts" }\n')
    data = connect(tmp_path)
    assert data.event_names == ["open"]
    assert data.as_of == dt.date(2025, 1, 5)
    assert [str(day.date()) for day in data.run(data.events.select("day")).day] == ["2025-01-05"]


def test_times_without_a_zone_are_read_in_the_zone_that_the_playbook_names(tmp_path):
    pd.DataFrame({"user_id": ["a", "b"], "event": "x", "occurred_at": ["2025-07-01 00:30:00", "2025-07-01T00:30:00+09:00"]}
                 ).to_csv(tmp_path / "events.csv", index=False)
    (tmp_path / "playbook.toml").write_text('[tables.events]\ntimes_in = "America/New_York"\n')
    data = connect(tmp_path, as_of="2025-07-02")
    times = data.run(data.events.order_by("user_id")).occurred_at
    assert [str(each) for each in times] == ["2025-07-01 04:30:00", "2025-06-30 15:30:00"]


def test_a_day_is_complete_when_its_last_hour_holds_a_row():
    def last(*moments: str) -> dt.date:
        return connect({"events": pd.DataFrame({"user_id": "a", "event": "x", "occurred_at": pd.to_datetime(list(moments))})}).as_of

    assert last("2025-01-05 10:00", "2025-01-06 22:59") == dt.date(2025, 1, 5)
    assert last("2025-01-05 10:00", "2025-01-06 23:00") == dt.date(2025, 1, 6)


def test_a_few_times_in_the_future_are_not_the_end_of_the_data():
    times = [*pd.date_range("2025-01-01", periods=2400, freq="h"), pd.Timestamp("2031-05-05")]
    data = connect({"events": pd.DataFrame({"user_id": "a", "event": "x", "occurred_at": times})})
    assert data.as_of == dt.date(2025, 4, 10)
    assert [(each.level, each.rows, each.what) for each in data.findings] == [
        ("warning", 1, "lie over 180 days after all others: times in the future, behind the last day counted")]


def test_rows_after_as_of_are_not_there():
    events = pd.DataFrame({"user_id": ["a", "b"], "event": ["x", "y"],
                           "occurred_at": pd.to_datetime(["2025-01-05 23:59:59.999999", "2025-01-06 00:00:00.000000"])})
    data = connect({"events": events}, as_of="2025-01-05")
    assert data.event_names == ["x"]
    assert len(data.run(data.users)) == 1
    assert len(data.run(data.activity)) == 1


def test_the_summary_says_what_is_here_and_what_is_missing():
    events = pd.DataFrame({"user_id": ["a", None], "event": "x", "occurred_at": pd.to_datetime(["2025-01-05", "2025-01-05"])})
    assert repr(connect({"events": events})) == (
        "My product: data through 05 Jan 2025 (UTC), from data frames\n"
        "  events                   1 rows  05 Jan 2025 - 05 Jan 2025, 1 set aside\n"
        "  users                    1 rows  05 Jan 2025 - 05 Jan 2025, from first events\n"
        "  missing: accounts, visits, subscriptions, invites, surveys, spend, exposures")


def test_data_cannot_be_changed(tiny):
    with pytest.raises(AttributeError):
        tiny.as_of = dt.date(2025, 1, 1)


def test_a_missing_table_says_which_and_what_to_do():
    data = connect({"users": frames()["users"]}, as_of=AS_OF)
    with pytest.raises(MissingTable) as caught:
        _ = data.events
    assert str(caught.value) == (
        "This needs the table 'events' (one row per thing a person did), which these data do not have. "
        "They have: users. Name its file under [tables.events] in playbook.toml.")


def test_a_misspelt_event_is_named_with_the_nearest_one(tiny):
    with pytest.raises(UnknownEvent) as caught:
        activation.rate(tiny, event="report_create")
    assert str(caught.value) == "No event 'report_create' in table 'events'. Did you mean 'report_created'?"


def test_an_event_that_comes_only_later_is_not_done_yet_rather_than_unknown():
    events = pd.DataFrame({"user_id": ["a", "a"], "event": ["opened", "exported"],
                           "occurred_at": pd.to_datetime(["2026-01-05 10:00", "2026-02-05 10:00"])})
    found = activation.rate(connect({"events": events}, as_of="2026-01-31"), event="exported", within_days=7, grain="month")
    assert found[["numerator", "denominator"]].to_numpy().tolist() == [[0, 1]]


@pytest.mark.parametrize(("source", "message"), [
    ("nowhere", "There is no 'nowhere' in {folder}/. Did you mean 'nowhere.csv'?"),
    ("notes.txt", "'notes.txt' ends in nothing known. Known are: .parquet, .csv, .csv.gz, .tsv, .tsv.gz, .jsonl, "
                  ".jsonl.gz, .ndjson, .ndjson.gz, .json, .json.gz, .duckdb, .ddb, .db."),
    ("broken.duckdb", "'broken.duckdb' could not be opened as a DuckDB file: "),
    ("broken.parquet", "broken.parquet could not be read as the table 'events': "),
    ("nowhere.csv", "The table 'events' has no column 'user_id' (who did it). It has: a, b. "
                    "Say which one it is: [tables.events] columns = {{ user_id = \"...\" }}."),
])
def test_what_cannot_be_opened_says_why(tmp_path, source, message):
    (tmp_path / "nowhere.csv").write_text("a,b\n1,2\n")
    for name in ("notes.txt", "broken.duckdb", "broken.parquet"):
        (tmp_path / name).write_text("no data")
    with pytest.raises(BadSource) as caught:
        connect(tmp_path / source)
    assert str(caught.value).startswith(message.format(folder=tmp_path.name))


@pytest.mark.parametrize("kind", ["csv.gz", "jsonl.gz"])
def test_a_compressed_file_that_breaks_off_or_is_damaged_is_refused_and_read_when_it_is_whole(tmp_path, kind):
    written(tmp_path, kind)
    path = next(tmp_path.glob(f"events.{kind}"))
    whole = path.read_bytes()
    for part, what in [(whole[:-len(whole) // 2], "breaks off before its end"), (whole[:-8] + bytes(8), "is damaged (CRC check failed")]:
        path.write_bytes(part)
        with pytest.raises(BadSource) as caught:
            connect(tmp_path, as_of=AS_OF, playbook=WORDS)
        assert str(caught.value).startswith(f"events.{kind} {what}")
        assert str(caught.value).endswith(", so that rows would be missing. Fetch it again; nothing of it was kept.")
    path.write_bytes(whole)
    assert len(connect(tmp_path, as_of=AS_OF, playbook=WORDS).run(connect(tmp_path, as_of=AS_OF, playbook=WORDS).events)) == 21


def test_a_folder_without_tables_is_no_data(tmp_path):
    with pytest.raises(NoData) as caught:
        connect(tmp_path)
    assert str(caught.value).startswith(f"No file in {tmp_path.name}/ is named like a table (events, users, accounts,")


def test_as_of_must_be_a_day(tiny):
    for wrong in ("yesterday", "2025-02-30", dt.datetime(2025, 1, 1, 12)):
        with pytest.raises(BadParameter) as caught:
            connect(frames(), as_of=wrong)
        assert str(caught.value) == f"as_of is {str(wrong)!r}; expected a day such as '2026-06-30', the last one counted."


def test_what_many_answers_need_is_worked_out_once_and_still_read_in_full(tiny):
    """Leads ask for the moments of all signals; the query that is shown says how those are found."""
    from plgkit.metrics import pql

    pql.leads(tiny, grain="month")
    assert tiny.once("moments", lambda: "made anew") == "made anew"
    with tiny.answering():
        assert tiny.once("moments", lambda: "made anew") is tiny.once("moments", lambda: "made anew")
        assert tiny.once("moments", lambda: "made anew") != "made anew"
    assert "plgkit_once" not in pql.leads.sql(tiny, grain="month")


def test_processes_that_share_a_machine_take_little_memory_and_spill_where_temporary_files_go(tmp_path, monkeypatch):
    written(tmp_path, "parquet")
    alone = connect(tmp_path, as_of=AS_OF, playbook=WORDS).connection.con
    monkeypatch.setenv("PLGKIT_SHARING", "1")
    shared_out = connect(tmp_path, as_of=AS_OF, playbook=WORDS).connection.con
    limits = [each.execute("SELECT current_setting('memory_limit')").fetchone()[0] for each in (alone, shared_out)]
    assert limits[1] == "420.0 MiB" != limits[0]
    spill = Path(alone.execute("SELECT current_setting('temp_directory')").fetchone()[0])
    assert spill.parent == Path(tempfile.gettempdir())
    assert not spill.exists()
