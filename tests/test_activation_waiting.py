"""Waiting for the moment of value, leaving before it, and groups compared, against following each person."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import plain
import pytest

from plgkit.errors import MissingSetting
from plgkit.metrics import activation
from plgkit.sources.connect import connect
from plgkit.stats import compare, survival

DAY = 86_400


@pytest.fixture(scope="module")
def data():
    return plain.usual()


def waits(silent_days: int) -> pd.DataFrame:
    """Each person's seconds until activating or the end, and until leaving where that came first."""
    tables = plain.frames()
    events = plain.known(tables, "events", "occurred_at")
    active = events[events["event"] != "mailed"]
    last, rows = dt.date.fromisoformat(plain.AS_OF), []
    for user in plain.known(tables, "users", "signed_up_at").itertuples():
        done = events[(events["user_id"] == user.user_id) & (events["event"] == "shared")]["occurred_at"]
        came = done[done >= user.signed_up_at].min()
        days = [user.day, *sorted({day for day in active[active["user_id"] == user.user_id]["day"] if day > user.day})]
        gaps = [day for day, after in itertools.pairwise(days) if (after - day).days > silent_days]
        quiet = (last - days[-1]).days >= silent_days
        left_day = gaps[0] if gaps else days[-1] if quiet else None
        first = left_day is not None and (pd.isna(came) or (plain.day(came) - left_day).days > silent_days)
        clock = user.signed_up_at.tz_localize("UTC").tz_convert(plain.ZONE)
        until = ((left_day - user.day).days + silent_days + 1) * DAY - (
            clock.hour * 3600 + clock.minute * 60 + clock.second) if first else np.nan
        end = plain.end() if pd.isna(came) else came
        rows.append({"channel": "(none)" if pd.isna(user.channel) else user.channel, "period": pd.Timestamp(plain.period(user.day, "month")),
                     "seconds": (end - user.signed_up_at).total_seconds(), "came": pd.notna(came), "left": until})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("silent_days", [2, 5, 14])
def test_who_left_first_and_the_shares_by_a_day_agree_with_following_each_person(data, silent_days):
    people = waits(silent_days)
    found = activation.time_to_value(data, silent_days=silent_days, up_to_days=21).iloc[0]
    assert found["left"] == people["left"].notna().sum() > 0
    gone = people["left"].notna()
    cause = np.where(gone, "left", np.where(people["came"], "came", None))
    ends = survival.aalen_johansen(people["left"].fillna(people["seconds"]), cause)
    ends = ends[ends["time"] <= 21 * DAY].groupby("cause").last()
    assert found[["reached_share", "reached_low", "reached_high"]].tolist() == pytest.approx(
        ends.loc["came", ["value", "low", "high"]].tolist())
    assert found["left_share"] == pytest.approx(ends.loc["left", "value"])


def test_who_activated_who_left_and_who_is_on_the_way_are_all_at_every_hour(data):
    for by in (None, "channel"):
        found = activation.outcomes(data, silent_days=5, up_to_days=21, by=by).fillna({"low": 0})
        times = sorted(set(found["x"]))
        for _, group in found.groupby(by or (lambda _: 0)):
            values = [part.set_index("x")["value"].reindex(times).ffill() for _, part in group.groupby("outcome")]
            np.testing.assert_allclose(sum(values), 1.0)
    ends = found.groupby(["channel", "outcome"])["value"].last().unstack()
    shares = activation.time_to_value(data, silent_days=5, up_to_days=21, by="channel").set_index("channel")
    known = shares[shares["reached_share"].notna()]
    np.testing.assert_allclose(ends.loc[known.index, "activated"], known["reached_share"])
    np.testing.assert_allclose(ends.loc[known.index, "left first"], known["left_share"])


def events(*rows: tuple[str, str, str], as_of: str = "2025-03-31"):
    frame = pd.DataFrame(rows, columns=["user_id", "event", "occurred_at"])
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"], format="ISO8601")
    return connect({"events": frame}, as_of=as_of)


def test_who_is_silent_too_long_has_left_even_if_they_come_back_and_activate():
    data = events(("ann", "seen", "2025-01-01"), ("ann", "shared", "2025-01-08"),     # six silent days
                  ("bob", "seen", "2025-01-01"), ("bob", "shared", "2025-01-09"),     # seven
                  ("cho", "seen", "2025-01-01"), ("cho", "seen", "2025-01-20"), ("cho", "seen", "2025-03-25"))
    found = activation.time_to_value(data, event="shared", silent_days=7).iloc[0]
    assert found[["n", "events", "left"]].tolist() == [3, 2, 2]
    assert found[["reached_share", "left_share"]].tolist() == pytest.approx([1 / 3, 2 / 3])
    curves = activation.outcomes(data, event="shared", silent_days=7)
    assert curves[curves["outcome"] == "left first"]["x"].tolist() == [0, 8 * 24, 28 * 24]


def test_a_silence_that_is_not_over_is_no_leaving():
    rows = [("ann", "seen", "2025-03-20"), ("bob", "shared", "2025-03-20")]
    left = [activation.time_to_value(events(*rows, as_of=day), event="shared", silent_days=7)["left"][0]
            for day in ("2025-03-26", "2025-03-27")]
    assert left == [0, 1]


def test_where_nobody_was_watched_so_long_the_share_is_missing():
    found = activation.time_to_value(events(("ann", "shared", "2025-03-25")), event="shared", up_to_days=28)
    assert found[["reached_share", "left_share"]].isna().all(axis=None)


def test_groups_are_compared_as_person_by_person(data):
    people = waits(14)
    found = activation.time_to_value_compared(data).set_index("channel")
    test = survival.logrank(people["seconds"], people["came"], people["channel"])
    assert found["p"].tolist() == pytest.approx([test.p] * len(found))
    assert found[["observed", "expected"]].to_numpy() == pytest.approx(test.groups[["observed", "expected"]].to_numpy())
    alone = [survival.logrank(people["seconds"], people["came"], people["channel"] == each).p for each in found.index]
    assert found["p_others"].tolist() == pytest.approx(compare.benjamini_hochberg(alone).tolist())
    alike = activation.time_to_value(data, by="channel").set_index("channel")
    pd.testing.assert_frame_equal(found[["n", "events", "value", "low", "high"]], alike[["n", "events", "value", "low", "high"]])


def test_periods_of_sign_up_are_compared_like_groups(data):
    people = waits(14)
    found = activation.time_to_value_compared(data, grain="month")
    assert found["period"].tolist() == sorted(set(people["period"]))
    assert found["p"][0] == pytest.approx(survival.logrank(people["seconds"], people["came"], people["period"]).p)


def test_curves_of_periods_are_those_of_their_people(data):
    people = waits(14)
    found = activation.time_to_value_curve(data, grain="month")
    for period, own in people.groupby("period"):
        curve = survival.kaplan_meier(own["seconds"], own["came"])
        ends = found[found["period"] == period]
        assert ends["value"].iloc[-1] == pytest.approx(1 - curve[curve["time"] <= 14 * DAY]["survival"].iloc[-1])


def test_a_single_group_is_compared_with_nobody():
    found = activation.time_to_value_compared(events(("ann", "shared", "2025-01-01")), event="shared")
    assert (found["channel"].tolist(), found["p"].isna().all()) == (["(none)"], True)


@pytest.mark.parametrize("within_days", [1, 7])
def test_conversion_agrees_with_following_each_person(data, within_days):
    tables = plain.frames()
    rows, window, expected = plain.known(tables, "events", "occurred_at"), pd.Timedelta(days=within_days), {}
    for user in plain.known(tables, "users", "signed_up_at").itertuples():
        own = rows[(rows["user_id"] == user.user_id) & (rows["occurred_at"] >= user.signed_up_at)]
        entered = own[own["event"] == plain.STEPS[0]]["occurred_at"].min()
        if pd.isna(entered):
            continue
        hit = (own[own["event"] == "shared"]["occurred_at"] <= entered + window).any()
        old = entered + window < plain.end()
        cell = expected.setdefault(plain.period(plain.day(entered), "month"), [0, 0, 0])
        cell[0], cell[1], cell[2] = cell[0] + (old and hit), cell[1] + old, cell[2] + (not old)
    found = activation.conversion(data, within_days=within_days, grain="month")
    assert dict(zip(found["period"].dt.date, found[["numerator", "denominator", "immature"]].to_numpy().tolist(),
                    strict=True)) == expected


def test_a_trial_enters_too_and_who_has_activated_before_counts(tiny):
    # Ann, Bob and Cho fill in the profile; only Dan does nothing that enters.
    assert activation.conversion(tiny)[["numerator", "denominator"]].sum().tolist() == [2, 3]
    assert activation.conversion(tiny, entry="checkout_started")[["numerator", "denominator"]].sum().tolist() == [2, 3]


def test_nobody_enters_what_no_word_names():
    with pytest.raises(MissingSetting) as caught:
        activation.conversion(events(("ann", "shared", "2025-01-01")), event="shared")
    assert str(caught.value) == (
        "Nobody is known to enter: this needs [onboarding] steps or [trial] start_event in the playbook. "
        'Set it in playbook.toml, for example: [onboarding] steps = ["signed_up", "source_connected", "report_created"]')
