"""Growth accounting of windows, accounts and the inactive, and retention of those who pay or do not, by sets of people."""

from __future__ import annotations

import datetime as dt
import functools

import numpy as np
import pandas as pd
import plain
import pytest

from plgkit.errors import BadParameter
from plgkit.metrics import retention
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.sources.data import Data

DAY = dt.timedelta(days=1)
LAST = dt.date.fromisoformat(plain.AS_OF)
MOVES = ["active", "new", "retained", "resurrected", "churned"]


@functools.cache
def tables() -> dict[str, pd.DataFrame]:
    """The random company with accounts of three people and what they pay; every seventh person has no account."""
    made, rng = dict(plain.frames()), np.random.default_rng(8)
    users = made["users"]
    numbers = np.arange(len(users))
    users = users.assign(account_id=np.where(numbers % 7 == 0, None, [f"a{number // 3:02d}" for number in numbers]))
    rows = []
    for account in sorted(set(users["account_id"].dropna())):
        first = users.loc[users["account_id"] == account, "signed_up_at"].min()
        for mrr in rng.choice([0, 20, 30], rng.integers(0, 4)):
            first += pd.Timedelta(days=int(rng.integers(1, 30)), hours=5)
            rows.append((account, first, float(mrr), rng.choice(["team", "business"])))
    events = made["events"].merge(users[["user_id", "account_id"]], on="user_id")
    paid = pd.DataFrame(rows, columns=["account_id", "changed_at", "mrr", "plan"])
    return made | {"users": users, "events": events, "subscriptions": paid}


@functools.cache
def data() -> Data:
    return connect(tables(), as_of=plain.AS_OF, playbook=Playbook(**plain.PLAYBOOK))


def active_days(unit: str = "user_id") -> dict[str, set[dt.date]]:
    """The days on which each person, or anybody of an account, was active; a person alone is an account."""
    events = plain.known(tables(), "events", "occurred_at")
    events = events[events["event"] != "mailed"]
    events = events.assign(account_id=events["account_id"].fillna(events["user_id"]))
    return {name: set(rows["day"]) for name, rows in events.groupby(unit)}


def pays(account: object, before: dt.date) -> bool:
    """Whether an account pays at the end of the day before."""
    rows = plain.known(tables(), "subscriptions", "changed_at")
    rows = rows[(rows["account_id"] == account) & (rows["day"] < before)]
    return len(rows) > 0 and rows.sort_values("changed_at")["mrr"].iloc[-1] > 0


def within(days: set[dt.date], last: dt.date, number: int) -> bool:
    """Whether any day lies in the `number` days that end with `last`."""
    return any(last - number * DAY < day <= last for day in days)


@pytest.mark.parametrize("grain", ["day", "week", "month"])
def test_moves_of_trailing_windows_are_those_between_two_sets_of_people(grain):
    found, days = retention.growth_accounting(data(), grain=grain, trailing_days=28), active_days()
    assert len(found) > 3
    before: set[str] = set()
    for row in found.itertuples():
        start = row.period.date()
        last = min(plain.following(start, grain) - DAY, LAST)
        now = {user for user, mine in days.items() if within(mine, last, 28)}
        new = {user for user in now if min(days[user]) >= start}
        assert [getattr(row, name) for name in MOVES] == [
            len(now), len(new), len(now & before), len(now - before - new), len(before - now)]
        before = now


@pytest.mark.parametrize("grain", ["week", "month"])
def test_everybody_ever_active_is_in_one_state_of_inactivity(grain):
    found, days = retention.growth_accounting(data(), grain=grain, inactive=[7, 30]), active_days()
    for row in found.itertuples():
        last = min(plain.following(row.period.date(), grain) - DAY, LAST)
        idle = [(last - max(day for day in mine if day <= last)).days for mine in days.values() if min(mine) <= last]
        assert (row.on_last_day, row.idle_1_7, row.idle_8_30, row.idle_over_30) == (
            sum(gap == 0 for gap in idle), sum(1 <= gap <= 7 for gap in idle), sum(8 <= gap <= 30 for gap in idle),
            sum(gap > 30 for gap in idle))


def test_segments_of_windows_and_states_add_up_to_the_whole():
    asked = {"trailing_days": 28, "inactive": [7, 30], "grain": "month"}
    whole = retention.growth_accounting(data(), **asked).set_index("period").drop(columns=["complete", "settled"])
    parts = retention.growth_accounting(data(), by="channel", **asked).groupby("period")[list(whole.columns)].sum()
    pd.testing.assert_frame_equal(parts, whole, check_dtype=False)


def test_an_account_is_active_while_anybody_in_it_is():
    found = retention.growth_accounting(data(), count="accounts").set_index("period")
    for start, moves in plain.growth(active_days("account_id"), "week").items():
        assert found.loc[pd.Timestamp(start), list(moves)].to_dict() == moves


@pytest.mark.parametrize(("asked", "said"), [
    ({"count": "teams"}, "count is 'teams'; expected one of people, accounts."),
    ({"inactive": [30, 7]}, "inactive is [30, 7]; expected rising whole numbers of days, such as [7, 30]."),
    ({"trailing_days": 28, "event": "signed_in"},
     "trailing_days is 28; expected none where one event or accounts are looked at.")])
def test_what_growth_accounting_cannot_say_is_refused(tiny, asked, said):
    with pytest.raises(BadParameter) as caught:
        retention.growth_accounting(tiny, **asked)
    assert str(caught.value) == said


def test_history_that_begins_in_the_middle_is_warned_of():
    users = plain.frames()["users"]
    some = plain.frames()["events"].query("occurred_at >= '2025-03-10 12:00'")
    late = connect({"users": users, "events": some}, as_of=plain.AS_OF, playbook=Playbook(**plain.PLAYBOOK))
    found = retention.growth_accounting(late)
    first = late.overview.set_index("table").loc["events", "first"]
    assert found.attrs["warning"] == (
        f"The data begin on {first:%d %b %Y}, and who was active before that day counts as new when first seen: take the "
        "new people of the first four weeks with care. People have signed up since 29 Jan 2025.")
    words = plain.PLAYBOOK | {"product": plain.PLAYBOOK["product"] | {"started_on": first.date()}}
    known = connect({"users": users, "events": some}, as_of=plain.AS_OF, playbook=Playbook(**words))
    assert "warning" not in retention.growth_accounting(known).attrs


@pytest.mark.parametrize("grain", ["week", "month"])
def test_free_people_are_those_whose_account_paid_nothing_at_the_end_of_the_period_before(grain):
    days = active_days()
    accounts = plain.known(tables(), "users", "signed_up_at").set_index("user_id")["account_id"]
    found = retention.free_people(data(), grain=grain)
    assert found["denominator"].sum() > 10
    for row in found.itertuples():
        start = row.period.date()
        end = min(plain.following(start, grain), LAST + DAY)
        free = [user for user in accounts.index if not pays(accounts[user], start)
                and any(plain.period(day, grain) == plain.period(start - DAY, grain) for day in days.get(user, ()))]
        back = sum(any(start <= day < end for day in days[user]) for user in free)
        over = plain.following(start, grain) <= LAST + DAY
        assert (row.numerator, row.denominator, row.immature) == ((back, len(free), 0) if over else (0, 0, len(free)))


@pytest.mark.parametrize(("grain", "months"), [("week", None), ("month", None), ("month", 1)])
def test_renewal_is_of_the_accounts_that_paid_at_the_earlier_time(grain, months):
    found = retention.paying_accounts(data(), grain=grain, months=months)
    assert found["denominator"].sum() > 4
    for row in found.itertuples():
        start = row.period.date()
        end = plain.following(start, grain)
        if end > LAST + DAY:
            assert row.denominator == 0
            continue
        before = (pd.Timestamp(end) - pd.DateOffset(months=months)).date() if months else start
        paid = [account for account in set(tables()["subscriptions"]["account_id"]) if pays(account, before)]
        assert (row.numerator, row.denominator) == (sum(pays(account, end) for account in paid), len(paid))
