"""Who lasts how long, who is slipping away, whether the curve is flat, and the activated against the others."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import plain
import pytest
from test_retention_growth import active_days, data, pays, tables

from plgkit.errors import BadParameter
from plgkit.metrics import retention
from plgkit.sources.connect import connect
from plgkit.stats import intervals

DAY = dt.timedelta(days=1)
LAST = dt.date.fromisoformat(plain.AS_OF)


def spells(of: str, silent: int) -> list[tuple[int, bool]]:
    """Days until the first silence, and whether it came, of everybody who began early enough."""
    users = plain.known(tables(), "users", "signed_up_at")
    unit = "user_id" if of == "people" else "account_id"
    starts = users.assign(account_id=users["account_id"].fillna(users["user_id"])).groupby(unit)["day"].min()
    days, cut, found = active_days(unit), LAST - silent * DAY, []
    for name, start in starts.items():
        if start > cut:
            continue
        mine = [start, *sorted(day for day in days.get(name, ()) if day > start)]
        last = next((here for here, then in itertools.pairwise(mine) if (then - here).days > silent), mine[-1])
        found.append(((min(last, cut) - start).days + 1, last <= cut))
    return found


@pytest.mark.parametrize("of", ["people", "accounts"])
@pytest.mark.parametrize("silent", [7, 20])
def test_survival_is_the_product_of_the_shares_that_go_on(of, silent):
    rows = spells(of, silent)
    found = retention.survival(data(), of=of, silent_days=silent)
    assert len(rows) > 20
    left, expected = 1.0, {0: (1.0, len(rows))}
    for day in sorted({day for day, reached in rows if reached}):
        at_risk = sum(each >= day for each, _ in rows)
        left *= 1 - sum(each == (day, True) for each in rows) / at_risk
        expected[day] = (left, at_risk)
    known = found[found["x"].isin(list(expected))]
    assert known["x"].tolist() == sorted(expected)
    np.testing.assert_allclose(known["value"], [expected[day][0] for day in sorted(expected)])
    assert known["at_risk"].tolist() == [expected[day][1] for day in sorted(expected)]
    assert found["x"].max() == max(day for day, _ in rows)


def test_payment_lasts_from_the_first_payment_to_the_first_day_without():
    changes = plain.known(tables(), "subscriptions", "changed_at").sort_values("changed_at", kind="stable")
    days = []
    for _, rows in changes.groupby("account_id"):
        paid = rows[rows["mrr"] > 0]
        if len(paid):
            ended = rows[(rows["mrr"] == 0) & (rows["changed_at"] > paid["changed_at"].iloc[0])]
            days.append(((ended["day"].iloc[0] if len(ended) else LAST + DAY) - paid["day"].iloc[0]).days)
    found = retention.survival(data(), stop="payment")
    assert found["at_risk"].iloc[0] == len(days)
    assert found["x"].max() == max(days)


def test_segments_are_compared_by_a_log_rank_test():
    found = retention.survival_compared(data(), of="people", silent_days=7, at_days=20)
    assert found["n"].sum() == len(spells("people", 7))
    assert found["stopped"].sum() == pytest.approx(found["expected"].sum())
    curve = retention.survival(data(), of="people", silent_days=7, by="channel")
    assert curve.attrs["logrank"]["p"] == found["p"].iloc[0]
    for row in found.itertuples():
        mine = curve[(curve["channel"] == row.channel) & (curve["x"] <= 20)].iloc[-1]
        assert (mine["value"], mine["low"], mine["high"]) == (row.there, row.there_low, row.there_high)


def test_people_do_not_pay():
    with pytest.raises(BadParameter) as caught:
        retention.survival(data(), of="people", stop="payment")
    assert str(caught.value) == "of is 'people'; expected accounts where the stop is that of payment."


def test_accounts_at_risk_are_those_used_half_as_much_as_usual():
    events = plain.known(tables(), "events", "occurred_at")
    events = events[events["event"] != "mailed"]
    events = events.assign(account_id=events["account_id"].fillna(events["user_id"]))
    days = events.drop_duplicates(["user_id", "day"])
    recent, opens = LAST - 9 * DAY, LAST - 59 * DAY
    expected = {}
    for account, rows in days.groupby("account_id"):
        span = (recent - max(rows["day"].min(), opens)).days
        before = rows["day"].between(opens, recent - DAY).sum()
        now = (rows["day"] >= recent).sum()
        if span >= 28 and before * 10 / span >= 1 and now <= 0.5 * before * 10 / span:
            expected[account] = (before * 10 / span, now, (LAST - rows["day"].max()).days)
    found = retention.at_risk(data(), recent_days=10, usual_days=50, least_days=1)
    assert len(expected) > 3
    assert {row.account_id: (row.usual, row.recent, row.quiet_days) for row in found.itertuples()} == {
        account: pytest.approx(row) for account, row in expected.items()}
    for row in found.itertuples():
        assert (row.mrr > 0) == pays(row.account_id, LAST + DAY)
        assert row.low <= row.change <= row.high
    assert found["mrr"].is_monotonic_decreasing


def test_the_activated_and_the_others_are_counted_from_the_day_after_the_time_to_activate():
    users, days = plain.known(tables(), "users", "signed_up_at"), active_days()
    shared = plain.known(tables(), "events", "occurred_at").query("event == 'shared'")
    window, expected = pd.Timedelta(days=7), {}
    for user in users.itertuples():
        if user.signed_up_at + window >= plain.end():
            continue
        times = shared.loc[shared["user_id"] == user.user_id, "occurred_at"]
        hit = times.between(user.signed_up_at, user.signed_up_at + window).any()
        for age in range(1, 5):
            first = user.day + (8 + 7 * (age - 1)) * DAY
            if first + 6 * DAY <= LAST:
                cell = expected.setdefault(("activated" if hit else "not activated", age), [0, 0])
                cell[0] += any(first <= day <= first + 6 * DAY for day in days.get(user.user_id, ()))
                cell[1] += 1
    found = retention.by_activation(data(), horizon=4)
    assert {(row.group, row.x): [round(row.value * row.at_risk), row.at_risk] for row in found.itertuples()} == expected
    here, there = expected["activated", 2], expected["not activated", 2]
    row = found.query("x == 2").iloc[0]
    assert (row["difference_low"], row["difference_high"]) == intervals.newcombe(*here, *there)


def cohort_of(shape: list[float], people: int) -> dict[str, pd.DataFrame]:
    """One cohort of which each week a share is active: those below the shape by a number of their own."""
    rng = np.random.default_rng(3)
    place = rng.random((people, 1)) * 0.7 + rng.random((people, len(shape))) * 0.3
    who, week = np.nonzero(place < np.array(shape))
    at = pd.Timestamp("2025-01-06 12:00") + pd.to_timedelta(7 * week, unit="D")
    return {"events": pd.DataFrame({"user_id": who.astype(str), "event": "opened", "occurred_at": at})}


@pytest.mark.parametrize(("shape", "verdict"), [
    ([0.3 + 0.6 * np.exp(-0.6 * age) for age in range(25)], "levelled off"),
    ([(1 + age) ** -0.5 for age in range(25)], "still falling"),
    ([0.95**age for age in range(25)], "still falling")])
def test_a_plateau_is_seen_where_there_is_one_and_not_where_the_curve_falls(shape, verdict):
    tables = cohort_of([1.0, *shape[1:]], 3000)
    found = retention.plateau(connect(tables, as_of="2025-06-29")).iloc[0]
    assert found["verdict"] == verdict
    assert found["fall_low"] <= found["fall"] <= found["fall_high"]
    if verdict == "levelled off":
        assert found["low"] <= found["value"] <= found["high"]
        weeks = tables["events"]["occurred_at"].sub(pd.Timestamp("2025-01-06 12:00")).dt.days // 7
        assert found["value"] == pytest.approx((weeks.value_counts().sort_index() / 3000).loc[13:24].mean())
    else:
        assert np.isnan(found["value"])


def test_a_few_people_prove_no_plateau():
    found = retention.plateau(connect(cohort_of([1.0] + [0.4] * 24, 25), as_of="2025-06-29")).iloc[0]
    assert found["verdict"] == "cannot tell"


def test_day_n_after_activating_counts_from_the_day_of_activation():
    moments = plain.known(tables(), "events", "occurred_at").query("event == 'shared'")
    signed = plain.known(tables(), "users", "signed_up_at").set_index("user_id")["signed_up_at"]
    moments = moments[moments["occurred_at"] >= moments["user_id"].map(signed)]
    first, days, expected = moments.groupby("user_id")["day"].min(), active_days(), [0, 0]
    for user, day in first.items():
        if day + 7 * DAY <= LAST:
            expected[0] += day + 7 * DAY in days[user]
            expected[1] += 1
    found = retention.activated_day_n(data(), day=7)
    assert found[["numerator", "denominator"]].sum().tolist() == expected
    assert found["immature"].sum() == len(first) - expected[1]
