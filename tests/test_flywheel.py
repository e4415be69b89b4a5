"""The flywheel: it says what came as the measures do, what it is fitted to, and nothing of what came later."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import plgkit
from plgkit import charts, flywheel, samples
from plgkit.errors import BadParameter, MissingTable, ShortHistory, UnknownLever
from plgkit.flywheel import counting, fitting, turning
from plgkit.metrics import acquisition, engagement, expansion

T = 8


@pytest.fixture(scope="module")
def acme():
    return plgkit.connect(samples.bundled_path())


@pytest.fixture(scope="module")
def steady() -> counting.Counts:
    """Each of forty groups: 8 sign-ups a month, 2 of them invited; half activate and stay for half, the others go at once.

    All found their accounts. Of the activated, one in four pays 30 at once; nobody ever pays more or less. Each sends one
    invitation as a newcomer, of which half are taken at once.
    """
    groups = counting.GROUPS
    made = {name: np.zeros((groups, T, 2)) for name in ("signups", "size")}
    made["signups"][:] = (6, 2)
    made["size"][:] = (4, 4)
    active, payments, money = np.zeros((groups, T, 2, T)), np.zeros((groups, T, 2, T)), np.zeros((groups, T, len(counting.MONEY)))
    for born in range(T):
        active[:, born, :, 0] = 4
        active[:, born, 1, 1:T - born] = 2
    payments[:, :, 1, 0] = 1
    for name, value in (("new", 30), ("started", 1), ("firsts", 900), ("first_fourths", 810_000)):
        money[:, :, counting.MONEY.index(name)] = value
    sent, accepted = np.zeros((groups, T, 3)), np.zeros((groups, T, counting.LAGS))
    sent[:, :, 0], accepted[:, :, 0] = 4, 2
    return counting.Counts(
        pd.date_range("2025-01-01", periods=T, freq="MS"), made["signups"], made["signups"], made["signups"] / 2, made["size"], active,
        active, payments, sent, accepted, money)


def test_counts_can_be_checked_by_hand(tiny, monkeypatch):
    monkeypatch.setattr(counting, "LEAST", 2)
    known = counting._counts(tiny)
    assert known.signups.sum(axis=0).tolist() == [[3, 1], [0, 0]]  # Bob was invited
    assert known.activated.sum() == 2
    assert known.active.sum(axis=(0, 2)).tolist() == [[4, 2], [0, 0]]  # Ann and Cho come back in February
    assert known.founders.sum(axis=(0, 2)).tolist() == [[3, 2], [0, 0]]
    assert known.payments.sum(axis=(0, 1, 3)).tolist() == [1, 1]  # Cho activates too late to count
    assert known.sent.sum(axis=(0, 1)).tolist() == [2, 1, 0]
    assert known.accepted.sum(axis=(0, 1)).tolist() == [1, 0, 0]
    money = dict(zip(counting.MONEY, known.money.sum(axis=(0, 1)), strict=True))
    assert money == {"new": 70, "reactivation": 0, "expansion": 10, "contraction": 0, "churn": 50, "started": 2, "firsts": 20**2 + 50**2,
                     "moves": 10**2 + 50**2, "first_fourths": 20**4 + 50**4, "move_fourths": 10**4 + 50**4}


def test_counts_are_the_same_elsewhere(tiny, tiny_elsewhere, monkeypatch):
    monkeypatch.setattr(counting, "LEAST", 2)
    here, there = (dataclasses.asdict(counting._counts(data)) for data in (tiny, tiny_elsewhere))
    assert all(np.array_equal(here[name], there[name]) for name in here)


def test_rates_are_those_of_the_counts(steady):
    rates = fitting.fit(steady, draws=60)
    assert rates.activates[0].tolist() == [0.5, 0.5]
    assert rates.stays[0, 1, :T] == pytest.approx([1.0] + [0.5] * (T - 1))
    assert rates.stays[0, 1, T:] == pytest.approx([0.5] * 12)
    assert (rates.stays[0, 0, 1:] == 0).all()
    assert rates.pays[0, :, 0].tolist() == [0.0, 0.25]
    assert rates.invites[0].tolist() == [1.0, 0.0, 0.0]
    assert rates.accepted[0].tolist() == [0.5, 0.0, 0.0]
    assert (rates.first[0].tolist(), rates.shrinks[0].tolist()) == ([30.0, 0.0], [0.0, 0.0])


def test_the_wheel_turns_as_one_reckons_by_hand(steady):
    rates = fitting.fit(steady, draws=60)
    # As many sign-ups by themselves a day as in the months before, whatever the trend says: 6 a group and 30 days.
    rates.own[:] = (np.log(6 * 40 / 30), 0, 0)
    course = turning.turn(steady, rates, turning.luck(60, 2, 0), turning.beside(steady, rates))
    own = 240 * np.array([30, 31]) / 30
    # Half of the newcomers bring half a newcomer each, who bring others: own / (1 - 1/4).
    came = own / 0.75
    assert course.signups[0] == pytest.approx(came)
    stay = 40 * 2 * np.array([T, T]) + [0, came[0] / 4]
    assert course.people[0] == pytest.approx(stay + came)
    assert course.revenue[0] == pytest.approx(40 * 30 * T + np.cumsum(came / 2 * 0.25 * 30))


def test_what_came_is_what_the_measures_say(acme):
    frame = flywheel.flywheel(acme, months=1, draws=50)
    came = frame[~frame["forecast"]].pivot(index="period", columns="outcome", values="value")
    for name, measure in (("signups", acquisition.signups), ("people", engagement.active_people), ("revenue", expansion.mrr)):
        assert came[name].to_numpy() == pytest.approx(measure(acme, grain="month")["value"].to_numpy()), name


def test_a_forecast_knows_nothing_of_the_months_held_back(acme):
    tables = {name: acme.run(acme.everything[name]) for name in ("users", "events", "invites")}
    before = {"users": "signed_up_at", "events": "occurred_at", "invites": "sent_at"}
    cut = {name: rows[rows[before[name]] < "2026-04-01 04:00"].drop(columns="day") for name, rows in tables.items()}
    known = plgkit.connect(cut, as_of="2026-03-31", playbook=acme.playbook.model_copy(update={"tables": {}}))
    told = flywheel.flywheel(known, months=3, draws=50)
    tested = flywheel.backtest(dataclasses.replace(acme, everything={name: acme.everything[name] for name in tables}), draws=50)
    told = told[told["forecast"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(told[["period", "outcome", "value", "low", "high"]], tested[["period", "outcome", "value", "low", "high"]],
                                  check_exact=False, rtol=1e-9)


def test_the_same_question_has_the_same_answer(acme):
    assert flywheel.flywheel(acme, months=2, draws=50).equals(flywheel.flywheel(acme, months=2, draws=50))


def test_a_month_that_is_not_over_is_not_looked_at(acme):
    within = plgkit.connect(samples.bundled_path(), as_of="2026-06-17")
    until = plgkit.connect(samples.bundled_path(), as_of="2026-05-31")
    assert flywheel.flywheel(within, months=1, draws=50).equals(flywheel.flywheel(until, months=1, draws=50))


@pytest.mark.parametrize("rate", ["activation.rate", "retention.curve", "conversion.free_to_paid", "expansion.gross_churn"])
def test_a_rate_moves_the_outcomes_the_way_it_should(acme, rate):
    sign = -1 if rate == "expansion.gross_churn" else 1
    last = {by: flywheel.what_if(acme, rate, by=by, months=6, draws=50).groupby("outcome").tail(1).set_index("outcome")
            for by in (0.01, 0.0, -0.01)}
    assert (last[0.0]["difference"] == 0).all()
    assert (sign * last[0.01].loc["revenue", ["difference", "low"]] > 0).all()
    assert sign * last[-0.01].loc["revenue", "difference"] < 0
    people = last[0.01].loc["people", "difference"]
    assert people > 0 if rate in ("activation.rate", "retention.curve") else people == 0


def test_levers_are_ranked_by_what_they_bring(acme):
    ranked = flywheel.levers(acme, months=6, draws=50)
    assert ranked["rank"].tolist() == list(range(1, len(ranked) + 1))
    assert ranked["revenue"].is_monotonic_decreasing
    assert ranked["first"].sum() == pytest.approx(1)
    assert ((ranked["changed"] / ranked["value"]).round(6) == np.where(ranked["lever"] == "expansion.gross_churn", 0.9, 1.1)).all()
    assert charts.levers(ranked).figure.plgkit_description["alt"].startswith("What each rate, a tenth better, would bring after 6 months:")


def test_without_payments_and_invitations_people_are_forecast_alone(acme):
    known = dataclasses.replace(acme, everything={name: acme.everything[name] for name in ("users", "events")}, answers={}, _memo={}, _kept={})
    ranked = flywheel.levers(known, months=3, draws=50)
    assert set(ranked["lever"]) == {"acquisition.signups", "activation.rate", "retention.curve"}
    assert ranked["revenue"].isna().all()
    assert set(flywheel.flywheel(known, months=1, draws=50)["outcome"]) == {"signups", "people"}
    with pytest.raises(MissingTable):
        flywheel.what_if(known, "conversion.free_to_paid")


def test_too_short_a_history_is_told(tiny):
    with pytest.raises(ShortHistory) as caught:
        flywheel.flywheel(tiny)
    assert str(caught.value) == ("The flywheel needs at least 6 complete months, and these data have 2 complete months up to their last day. "
                                 "Give more history, or ask again later.")


def test_what_cannot_be_asked_is_named(acme):
    with pytest.raises(UnknownLever) as caught:
        flywheel.what_if(acme, "activation.day1_rate")
    assert str(caught.value) == "The flywheel does not turn by 'activation.day1_rate'. Did you mean 'activation.rate'?"
    with pytest.raises(BadParameter) as caught:
        flywheel.what_if(acme, "activation.rate", by=0.9, draws=50)
    assert str(caught.value) == "by is 0.9; expected a change that leaves activation.rate, now 0.4841, between 0 and 1."
    with pytest.raises(BadParameter) as caught:
        flywheel.levers(acme, per="percent")
    assert str(caught.value) == "per is 'percent'; expected tenth or point."


def test_charts_say_what_came_and_what_was_forecast(acme):
    tested = flywheel.backtest(acme, draws=50)
    for frame in (flywheel.flywheel(acme, months=2, draws=50), tested):
        for outcome in ("people", "revenue", "signups"):
            assert "expected" in charts.flywheel(frame, outcome=outcome).figure.plgkit_description["alt"]


def test_the_command_answers_one_question_at_a_time():
    from click.testing import CliRunner

    from plgkit.cli.flywheel import flywheel_command

    asked = CliRunner().invoke(flywheel_command, [str(samples.bundled_path()), "--if", "activation.rate", "--months", "2"])
    assert asked.exit_code == 0
    assert "Newcomers who activate: from 48.4% to 49.4% would bring" in asked.stderr
    assert asked.stdout.split("\n")[1].split()[:2] == ["2026-08-01", "signups"]
    both = CliRunner().invoke(flywheel_command, ["--levers", "--backtest"])
    assert (both.exit_code, "ask different questions: give one of them" in both.stderr) == (2, True)


def test_the_kept_back_tests_say_what_the_page_says():
    kept = pd.read_csv(Path(__file__).resolve().parents[1] / "docs" / "flywheel.csv").set_index(["outcome", "held", "ahead"])
    quarter = kept.xs(3, level="held")["inside"]
    assert (quarter.loc[["people", "signups"]] >= 0.85).all()
    assert (quarter.loc["revenue"] >= 0.85).all()
    assert (kept["inside"] >= 0.75).all()
