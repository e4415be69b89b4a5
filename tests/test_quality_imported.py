"""What an import left beside its tables is told with the data, each with what it does; the data's own state is not changed by it."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from conftest import shared

from plgkit import quality
from plgkit.notebook import reserved, who_is_who
from plgkit.readers.run import import_export
from plgkit.sources import imported
from plgkit.sources.connect import connect


def events(people: int = 3) -> pd.DataFrame:
    return pd.DataFrame({"user_id": [f"u{n}" for n in range(people)], "event": "opened", "occurred_at": pd.Timestamp("2025-01-06 23:30")})


@pytest.fixture
def folder(tmp_path):
    events().to_parquet(tmp_path / "events.parquet")
    return tmp_path


def left(folder, *, aside: str = "", **state) -> None:
    (folder / ".import").mkdir(exist_ok=True)
    (folder / ".import" / "gathered.json").write_text(json.dumps({"rows": {"events": 3}, **state}))
    if aside:
        (folder / "set_aside.csv").write_text("file,line,reason,row\n" + aside)


def test_rows_set_aside_are_counted_by_reason_and_a_file_that_breaks_off_is_told_by_itself(folder):
    left(folder, aside='a.jsonl,2,it is no JSON object,"{""x"": 1,\nsecond line"\na.jsonl,5,it is no JSON object,\nb.jsonl,1,it is no JSON object,\n'
         'c.jsonl,9,the file breaks off here (no end); bring the whole file and import again,\n')
    found = {each.what: (each.level, each.rows) for each in connect(folder).findings}
    assert found["c.jsonl, line 9: the file breaks off here (no end); bring the whole file and import again"] == ("warning", 1)
    assert found["set aside on import: it is no JSON object (in 2 files, most in a.jsonl)"] == ("warning", 3)
    told = quality.set_aside(connect(folder)).set_index("what")
    assert told.loc["set aside on import: it is no JSON object (in 2 files, most in a.jsonl)", "effect"].startswith(
        "in no table, 50% of all rows brought in: engagement.active_people, ")
    assert told.filter(like="c.jsonl", axis=0)["effect"].iloc[0].startswith("what comes after this line is in no table, nobody knows how many rows: ")
    assert reserved(told.reset_index()).endswith("; 1 file of the export breaks off")


def test_doubles_conflicts_and_circles_are_told_with_their_effect(folder):
    link = {"one": "browser", "other": "bob", "at": "", "how": "identify", "why": "'browser' already belongs to 'ann'"}
    left(folder, doubles={"events": {"2025-01": 1, "2025-02": 0}},
         identity={"links": 4, "conflicts": [link, {**link, "other": "cho"}], "conflicts_in_all": 2, "circles": [["x", "y"]], "circles_in_all": 1})
    data = connect(folder)
    told = quality.set_aside(data).set_index("what")
    assert told.loc["came again and count once: events with an id that was there, most in 2025-01", "effect"].startswith(
        "counted twice, the row would add 33.3% to events: engagement.active_people, ")
    known = quality.identity(data)
    assert known[["what", "n"]].values.tolist() == [
        ["links between ids that contradict earlier ones", 2], ["circles of ids that each name the next", 1]]
    assert known["effect"].iloc[0].startswith("1 id stays with the person joined first: ")
    assert known["effect"].iloc[1] == "2 ids count as 1 person: were they several, sign-ups and active people are too low"
    assert who_is_who(known) == "2 of 4 links between ids contradict earlier ones; 1 circle of ids each naming the next"


def test_what_an_import_left_changes_neither_the_state_of_the_data_nor_a_definition(folder):
    from plgkit.metrics import engagement

    before = connect(folder)
    left(folder, aside="a.jsonl,2,it is no JSON object,\n", doubles={"events": {"2025-01": 7}})
    after = connect(folder)
    assert len(after.findings) == len(before.findings) + 2
    assert (after.version, after.overview.to_dict()) == (before.version, before.overview.to_dict())
    assert engagement.active_people.define(after).facts == engagement.active_people.define(before).facts


def test_notes_of_an_import_that_cannot_be_read_are_said_and_stop_nothing(folder):
    left(folder)
    (folder / ".import" / "gathered.json").write_text("{")
    (folder / "set_aside.csv").write_text("nothing of this kind\n")
    assert [each.what for each in imported.findings(folder)] == [
        "set_aside.csv cannot be read: what the import set aside is not known",
        ".import/gathered.json cannot be read: what the import merged and joined is not known"]


def test_the_snowplow_samples_contradictions_reach_the_data_report(tmp_path):
    done = import_export("snowplow", shared("data", "exports", "snowplow"), out=tmp_path / "out")
    known = quality.identity(connect(tmp_path / "out")).set_index("what")
    assert known.loc["links between ids that contradict earlier ones", "n"] == done.conflicts == 9


def test_sorts_of_rows_that_no_table_is_made_of_are_named(folder):
    left(folder)
    for place, rows in (("a", 16), ("b", 4)):
        (folder / ".import" / "stripe" / place).mkdir(parents=True)
        (folder / ".import" / "stripe" / place / "state.json").write_text(json.dumps({"unused": {"charge table": rows}}))
    assert [(each.level, each.rows, each.what) for each in imported.findings(folder)] == [("info", 20, "no table is made of charge table")]
