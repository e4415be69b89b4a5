"""What faults in the data do to the measures is worked out from the data: counted by hand on rows made for it."""

from __future__ import annotations

import pandas as pd

from plgkit import quality
from plgkit.metrics.registry import measures
from plgkit.notebook import against_plan, clocked, stood_still
from plgkit.playbook import Playbook
from plgkit.quality.holes import HOLES
from plgkit.schema import TABLES
from plgkit.sources.connect import connect


def opened(rows: list[tuple[str, str, str, float]], **words) -> object:
    """Events from user, name, time and minutes until they were received."""
    events = pd.DataFrame([(user, name, pd.Timestamp(at), pd.Timestamp(at) + pd.Timedelta(minutes=delay)) for user, name, at, delay in rows],
                          columns=["user_id", "event", "occurred_at", "received_at"])
    return connect({"events": events}, as_of=str(events["occurred_at"].max().date()), playbook=Playbook(**words))


def test_clocks_ahead_by_hours_are_told_by_the_days_they_move():
    told = quality.clocks(opened([("ann", "open", "2025-01-07 05:00", -600), ("ann", "open", "2025-01-07 15:00", -600), ("bob", "open", "2025-01-13 01:00", -600)]))
    assert told[["rows", "ahead", "other_day", "other_week", "worst_minutes"]].values.tolist() == [[3, 3, 2, 1, 600.0]]
    assert told["effect"].iloc[0] == (
        "ahead: 2 events (66.7%) on a later day than received, 1 in a later week, and rates with them; "
        "times of day wrong by up to 10 hours")
    assert clocked(told) == "100.0% of the events come from a clock ahead of the server's, 2 of them on another day; none shows a clock behind it"


def test_a_clock_that_is_always_behind_is_found_for_all_and_for_one_person():
    late = [("ann", "open", f"2025-01-0{day} 10:00", 120) for day in range(1, 7)]
    told = quality.clocks(opened(late))
    assert told["effect"].iloc[0].startswith("behind, or kept back: nothing is received within 2 hours; ")
    both = quality.clocks(opened([*late, *[("bob", "open", f"2025-01-0{day} 10:00", 0) for day in range(1, 7)]]))
    assert both["effect"].iloc[0] == (
        "behind, or kept back: 1 of 2 people, nothing of whom is received within the hour; 6 events (50%) may count a day early")


def test_events_new_gone_and_never_seen_say_whom_and_which_measures_they_touch():
    days = pd.date_range("2025-01-01", "2025-03-31").strftime("%Y-%m-%d 10:00")
    rows = [("ann", "open", day, 0) for day in days] + [("bob", "old_name", day, 0) for day in days[:40]] + [("cho", "pinged", day, 0) for day in days[-9:]]
    data = opened(rows, activation={"event": "opend"}, features={"core": ["old_name", "chart_made"]})
    told = quality.tracking(data).set_index("event")["effect"]
    assert told["opend"].startswith("nobody did it, so nobody is counted by it in activation.rate, ")
    assert told["opend"].endswith("; is it now called open?")
    assert told["old_name"].startswith("since 2025-02-09 nobody is counted by it in engagement.score, ")
    assert told["old_name"].endswith("1 person did it, 1 nothing else: that one looks lost (retention.cohorts, engagement.active_people)")
    assert told["pinged"] == (
        "since then 50% of all events, so engagement.sessions and counts of events rise with nobody doing more; 1 person is active by it alone, so "
        "engagement.active_people and retention.cohorts are higher by as many")
    assert told["open"] == "every row counts as use and nothing else"
    assert against_plan(quality.tracking(data)) == ("3 events come in; of those that the playbook names, chart_made and opend were never seen; old_name has vanished")


def test_late_rows_say_how_many_days_and_weeks_were_over():
    data = opened([("ann", "open", "2025-01-06 10:00", 0), ("ann", "open", "2025-01-06 23:30", 45), ("bob", "open", "2025-01-12 23:00", 600),
                   ("ann", "open", "2025-01-20 10:00", 0)])
    told = quality.late_rows(data).set_index("delay")
    assert told.loc["within an hour", ["rows", "after_day", "after_week"]].tolist() == [3, 1, 0]
    assert told.loc["within a day", "effect"] == (
        "1 row missed the day and 1 the week: engagement.active_people by day, and by week retention.cohorts too, read before, were too low")
    assert quality.moving_weeks(data)["effect"].iloc[0] == (
        "read on its last day, a week lacks 33.3% of its events: engagement.active_people is too low by 50%, and retention of that week by up to as much")


def test_a_silence_is_a_gap_also_where_no_day_can_be_judged():
    data = opened([("ann", "open", "2025-01-01 10:00", 0), ("ann", "open", "2025-03-01 10:00", 0)])
    found = quality.gaps(data)
    assert found[["days", "events"]].values.tolist() == [[58, 0]]
    assert stood_still(found, quality.volumes(data)) == (
        "No day can be judged: that takes four weeks before it with five events or more on its weekday; "
        "58 of all 60 days had no event at all, 58 of them in a row from 2 Jan 2025")


def test_every_column_that_may_be_empty_has_its_effect_and_names_measures_that_there_are():
    assert set(HOLES) == {(table, column.name) for table in TABLES for column in TABLES[table].columns if not column.required}
    words = {word.strip(",.;:()") for pair in HOLES.values() for text in pair for word in text.split()}
    stages = {name.partition(".")[0] for name in measures()}
    assert {word for word in words if word.partition(".")[0] in stages and "." in word} <= set(measures())


def test_a_robot_is_told_by_what_the_mean_is_with_and_without_it():
    days = pd.date_range("2025-01-01", periods=20)
    rows = [(f"u{n}", "open", f"{day:%Y-%m-%d} 10:00", 0) for n in range(10) for day in days] + [("bot", "open", f"2025-01-05 10:{n:02}", 0) for n in range(50)]
    told = quality.heavy_people(opened(rows))
    assert told[["user_id", "events", "usual"]].values.tolist() == [["bot", 50, 1]]
    assert told["effect"].iloc[0] == (
        "with it events a person are 22.7, without it 20.0 (20% of all): engagement.sessions and engagement.feature_adoption count it on 1 day, "
        "engagement.active_people as one; to leave it out: [leave_out] user_ids")


def test_what_an_empty_cell_does_is_told_with_how_many_there_are(tiny):
    told = quality.missing_values(tiny).set_index(["table", "column"])["effect"]
    assert told["users", "country"] == "a cut by country has 1 person (25%) under (none) (cuts by country)"
    assert told["accounts", "industry"] == "1 account gets no points for industry and ranks too low among leads (pql.scores and pql.leads)"
    assert told["invites", "accepted_at"] == "none: empty means not accepted (advocacy.invite_acceptance)"
