"""The first playbook written for a source."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plgkit.playbook import Playbook, SourceTable, first_playbook, read_playbook

REAL = Path(__file__).parents[2] / "shared" / "data"
ROWS = 40


def source(name: str, frame: pd.DataFrame) -> SourceTable:
    return SourceTable(name, {each: str(kind) for each, kind in frame.dtypes.items()}, frame, len(frame))


def table(name: str, /, **columns: object) -> SourceTable:
    """A source of forty rows from columns of values that repeat."""
    full = {key: [str(values).format(n) if isinstance(values, str) else values[n % len(values)] for n in range(ROWS)]
            for key, values in columns.items()}
    return source(name, pd.DataFrame(full))


def guessed(*sources: SourceTable) -> Playbook:
    return read_playbook(first_playbook({each.name: each for each in sources}))


def real(path: str) -> Playbook:
    if not (REAL / path).exists():
        pytest.skip(f"{path} is not here")
    return guessed(source(Path(path).name, pd.read_csv(REAL / path)))


def people_events(name: str = "log.csv", /, **more: object) -> SourceTable:
    return table(name, **{"distinct_id": ["a", "b", "c", "d"], "event_name": ["opened", "saved"],
                          "time": "2026-01-05 10:00:{0:02d}"} | more)


def test_a_clickstream_is_taken_apart_into_events_and_people():
    playbook = real("rete_ecom/ecom.csv.gz")
    events, users = playbook.tables["events"], playbook.tables["users"]
    assert (events.file, events.columns) == ("ecom.csv.gz", {"occurred_at": "timestamp"})
    assert users.columns == {"signed_up_at": "timestamp", "channel": "acquisition_channel"}
    assert (users.keep, users.extra) == ("first", ["user_cohort"])
    assert events.extra == ["platform", "user_lifecycle"]
    assert playbook.channels.paid == ["paid_search"]
    assert playbook.features.core == ["product_view", "catalog", "search", "filter_results", "add_to_cart"]
    assert playbook.activation.event == playbook.conversion.checkout_finished == "purchase"


def test_commits_have_accounts_and_leave_out_bots():
    playbook = real("oss_commits/commits.csv")
    assert playbook.tables["events"].columns == {"occurred_at": "ts", "event_id": "insert_id"}
    assert playbook.tables["accounts"].columns == {"created_at": "ts"}
    assert playbook.leave_out.users == {"actor": ["bot"]}
    assert playbook.activation.event is None


def test_rows_without_a_name_of_what_was_done_are_one_event():
    playbook = real("dbt_growth_accounting/users.csv.gz")
    events = playbook.tables["events"]
    assert events.columns == {"user_id": "userid", "occurred_at": "event_time"}
    assert events.constants == {"event": "active"}
    assert playbook.data.duplicates == "exact"


@pytest.mark.parametrize(("tool", "columns"), [
    ("PostHog", {"user_id": "distinct_id", "event": "event", "occurred_at": "timestamp", "event_id": "uuid"}),
    ("Mixpanel", {"user_id": "distinct_id", "event": "name", "occurred_at": "time", "event_id": "$insert_id"}),
    ("Amplitude", {"user_id": "user_id", "event": "event_type", "occurred_at": "event_time", "event_id": "$insert_id",
                   "received_at": "server_upload_time", "session_id": "session_id"}),
    ("RudderStack", {"user_id": "user_id", "event": "event", "occurred_at": "timestamp", "event_id": "id",
                     "received_at": "received_at"}),
    ("GA4", {"user_id": "user_pseudo_id", "event": "event_name", "occurred_at": "event_timestamp"}),
])
def test_exports_of_other_tools_are_known(tool, columns):
    kinds = {"event": ["opened", "saved"], "event_id": "row{0}", "user_id": ["a", "b"], "session_id": ["s", "t"]}
    rows = table("export.csv", **{theirs: kinds.get(ours, "2026-01-05 10:00:{0:02d}") for ours, theirs in columns.items()})
    renamed = {ours: theirs for ours, theirs in columns.items() if ours != theirs}
    assert guessed(rows).tables["events"].columns == renamed


def test_payments_of_clients_are_no_visits():
    paid = table("transactions.csv", date="2026-01-05 10:00:{0:02d}", client_id="c{0}", value_usd="{0}.5")
    playbook = guessed(paid)
    assert "visits" not in playbook.tables
    assert playbook.tables["events"].constants == {"event": "active"}
    seen = table("seen.csv", date="2026-01-05 10:00:{0:02d}", client_id="c{0}", landing_page="/")
    assert guessed(seen).tables["visits"].columns == {"visitor_id": "client_id", "visited_at": "date"}


def test_a_column_that_is_mostly_empty_is_passed_over():
    rows = people_events(user_id=[None, None, None, "u"])
    assert guessed(rows).tables["events"].columns["user_id"] == "distinct_id"


def test_a_users_table_is_taken_before_the_first_events():
    users = table("people.csv", uid="u{0}", created_at="2026-01-05", utm_source=["ads", "search"], plan=["free", "pro"])
    found = guessed(people_events(), users).tables["users"]
    assert (found.file, found.keep, found.extra) == ("people.csv", "all", ["plan"])
    assert found.columns == {"user_id": "uid", "signed_up_at": "created_at", "channel": "utm_source"}


def test_daily_files_of_the_same_columns_are_one_table():
    text = first_playbook({name: people_events(name) for name in ("log-01.csv.gz", "log-02.csv.gz")})
    assert read_playbook(text).tables["events"].file == "log-0*.csv.gz"
    assert "Not used" not in text


def test_a_table_of_a_database_is_named_as_one():
    assert guessed(people_events("raw.events")).tables["events"].table == "raw.events"


def test_every_event_is_put_where_its_name_belongs():
    names = ["report_created", "email_sent", "slack_connected", "limit_hit", "pricing_viewed", "card_added",
             "trial_started", "checkout_opened"]
    playbook = guessed(people_events(event_name=names))
    assert playbook.activation.event == "report_created"
    assert playbook.activity.except_ == ["email_sent"]
    assert playbook.features.integration == ["slack_connected"]
    assert (playbook.limits.event, playbook.pricing.event, playbook.payment.event) == ("limit_hit", "pricing_viewed", "card_added")
    assert (playbook.trial.start_event, playbook.conversion.checkout_started) == ("trial_started", "checkout_opened")


def test_a_source_that_is_not_understood_says_so():
    text = first_playbook({"x.csv": table("x.csv", alpha="{0}")})
    assert read_playbook(text).tables == {}
    assert "# Not used: 'x.csv' with alpha. None of plgkit's tables looked like it.\n" in text
    assert "# No table looked like events. Name one under [tables.events]: nearly every measure needs it.\n" in text


_odd = st.sampled_from(["event", "user_id", "ts", "role", "country", "", " ", "a\nb", 'q"', "#", "$x", "a.b", "\x7f", "é\u2028"])


@settings(deadline=None)
@given(st.dictionaries(_odd, st.lists(_odd, min_size=3, max_size=3), max_size=6), _odd)
def test_no_name_and_no_value_makes_an_unreadable_playbook(columns, name):
    times = {"when": ["2026-01-05", "2026-01-06", "2026-01-07"]}
    frame = pd.DataFrame({key: values * 10 for key, values in (columns | times).items()})
    for each in (name, f"{name}.csv"):
        read_playbook(first_playbook({each: source(each, frame)}))


def test_a_source_without_rows_is_understood_by_its_names():
    empty = source("events.csv", pd.DataFrame({"uid": [], "action": [], "ts": []}))
    assert guessed(empty).tables["events"].columns == {"user_id": "uid", "event": "action", "occurred_at": "ts"}
