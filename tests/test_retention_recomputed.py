"""Every number that the retention notebook says of a real shop, worked out again with plain pandas."""

from __future__ import annotations

import json
import re
from html import unescape

import numpy as np
import pandas as pd
import plain
import pytest
from conftest import shared

from plgkit import reports
from plgkit.metrics import retention
from plgkit.sources.connect import connect

DAY = pd.Timedelta(days=1)
LAST = pd.Timestamp("2024-06-28")
NOT_PEOPLE = ["error_page", "payment_error", "checkout_bug"]
NORMAL = 1.959963984540054


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page on the shop, as sentences, and the status with its tiles."""
    folder = tmp_path_factory.mktemp("shop")
    result = reports.run(str(shared("data", "rete_ecom")), playbook=plain.playbook("rete_ecom"), out=folder, only=("retention",))
    written = folder / result.as_of / f"{result.reports[0].name}.html"
    found = re.findall(r"<h2[^>]*>(.*?)</h2>", written.read_text())
    return [unescape(each) for each in found], json.loads(written.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def shop():
    """The shop as plgkit opens it."""
    return connect(shared("data", "rete_ecom"), playbook=plain.playbook("rete_ecom"))


@pytest.fixture(scope="module")
def events():
    """The rows as they stand in the file, with each person's start."""
    rows = pd.read_csv(shared("data", "rete_ecom", "ecom.csv.gz"), parse_dates=["timestamp"]).drop_duplicates()
    rows = rows[rows["timestamp"] < LAST + DAY]
    return rows.assign(day=rows["timestamp"].dt.floor("D"), start=rows.groupby("user_id")["timestamp"].transform("min"))


@pytest.fixture(scope="module")
def people(events):
    """One row per person: start and channel."""
    first = events.sort_values("timestamp", kind="stable").groupby("user_id").first()
    return first[["start", "acquisition_channel"]].assign(day=first["start"].dt.floor("D"))


@pytest.fixture(scope="module")
def active(events):
    """One row per person and active day."""
    return events[~events["event"].isin(NOT_PEOPLE)].drop_duplicates(["user_id", "day"])[["user_id", "day"]]


def wilson(back: float, people: float) -> tuple[float, float]:
    share, z2 = back / people, NORMAL**2
    middle = (share + z2 / (2 * people)) / (1 + z2 / people)
    half = NORMAL * np.sqrt(share * (1 - share) / people + z2 / (4 * people**2)) / (1 + z2 / people)
    return middle - half, middle + half


def apart(one: tuple[float, float], other: tuple[float, float]) -> str:
    """In words, whether two shares' intervals are clear of each other."""
    (low, high), (bottom, top) = wilson(*one), wilson(*other)
    return "too close to tell apart" if low <= top and bottom <= high else "more than chance would leave"


def triangle(people: pd.DataFrame, active: pd.DataFrame, frequency: str) -> pd.DataFrame:
    """Everybody back by cohort and age, and the sizes of the cohorts, over ages that have ended."""
    cohort = people["start"].dt.to_period(frequency)
    ages = pd.DataFrame({"user_id": active["user_id"], "at": active["day"].dt.to_period(frequency)}).drop_duplicates()
    ages["cohort"] = ages["user_id"].map(cohort)
    ages["age"] = [(at - start).n for at, start in zip(ages["at"], ages["cohort"], strict=True)]
    back = ages.groupby(["cohort", "age"]).size().rename("back")
    full = pd.Period(LAST + DAY, frequency) - 1
    rows = [(start, age, back.get((start, age), 0), size) for start, size in cohort.value_counts().sort_index().items()
            for age in range(1, (full - start).n + 1)]
    return pd.DataFrame(rows, columns=["cohort", "age", "back", "size"])


def test_cohorts_halves_and_the_curve(page, shop, people, active):
    cells = triangle(people, active, "M")
    found = retention.cohorts(shop, unit="month", first_age=1, horizon=10).query("mature")
    assert found[["age", "numerator", "denominator"]].to_numpy().tolist() == cells[["age", "back", "size"]].to_numpy().tolist()
    first = cells[cells["age"] == 1]
    sums = [half[["back", "size"]].sum() for half in (first.iloc[:2], first.iloc[2:])]
    (a, n), (b, m) = sums
    assert page[0][0] == (f"Of {m} people in the newer half of the cohorts, {b / m:.0%} were back one month later, against {a / n:.0%} of "
                          f"{n} in the older half: {apart((a, n), (b, m))}.")
    pooled = cells.groupby("age")[["back", "size"]].sum()
    pooled = pooled[pooled["size"] >= 30]
    assert page[0][1] == ("Whether the curve levels off cannot be told yet. One month after signing up "
                          f"{pooled.back[1] / pooled['size'][1]:.0%} are active, at the highest age known "
                          f"{(pooled.back / pooled['size']).iloc[-1]:.0%} of {pooled['size'].iloc[-1]} people old enough.")


def test_the_level_of_the_weekly_curve(shop, people, active):
    cells = triangle(people, active, "W-SUN")
    old = cells.groupby("age")["size"].sum()
    last = old[old >= 0.25 * len(people)].index.max()
    same = cells[cells["cohort"].isin(cells.loc[cells["age"] == last, "cohort"]) & cells["age"].between(last // 2 + 1, last)]
    shares = same.groupby("age")["back"].sum() / old[last]
    slope = np.polyfit(shares.index, shares, 1)[0]
    found = retention.plateau(shop, unit="week").iloc[0]
    assert (found["first_age"], found["last_age"], found["people"]) == (last // 2 + 1, last, old[last])
    assert found["at_end"] == pytest.approx(shares.mean())
    assert found["fall"] == pytest.approx(-slope * (len(shares) - 1) / shares.mean())


def test_segments(page, people, active):
    parts = {name: triangle(mine, active[active["user_id"].isin(mine.index)], "M").query("age == 1")[["back", "size"]].sum()
             for name, mine in people.groupby("acquisition_channel")}
    shares = {name: back / size for name, (back, size) in parts.items() if size >= 30}
    most, least = max(shares, key=shares.get), min(shares, key=shares.get)
    assert page[0][2] == (f"One month on, {shares[most]:.0%} of the people by {most} are active and {shares[least]:.0%} of those by {least}: "
                          f"{apart(parts[most], parts[least])}.")


def test_the_activated_and_the_others(page, events, people, active):
    bought = events[(events["event"] == "purchase") & (events["timestamp"] <= events["start"] + 30 * DAY)]["user_id"]
    judged = people[people["start"] + 30 * DAY < LAST + DAY]
    days = active.assign(after=(active["day"] - active["user_id"].map(people["day"])).dt.days - 31)
    week = days[days["after"] // 7 == 11]["user_id"]
    old = judged[judged["day"] + (31 + 83) * DAY <= LAST]
    groups = [old[old.index.isin(bought)], old[~old.index.isin(bought)]]
    (a, n), (b, m) = [(mine.index.isin(week).sum(), len(mine)) for mine in groups]
    assert page[0][3] == (f"In week 12 after the time to activate, {a / n:.0%} of the activated and {b / m:.0%} of the others are active: "
                          f"{apart((a, n), (b, m))}.")


def test_back_on_day_seven(page, people, active):
    back = active[active["day"] == active["user_id"].map(people["day"]) + 7 * DAY]["user_id"]
    months = people["start"].dt.to_period("M")
    may, april = (people[months == month].index for month in ("2024-05", "2024-04"))
    now, before = may.isin(back).mean(), april.isin(back).mean()
    assert page[0][4].startswith(f"{now:.1%} of {len(may)} people who joined in May 2024 were active 7 days later, "
                                 f"{100 * abs(now - before):.1f} points {'more' if now > before else 'less'} than the month before")


def test_growth_accounting_and_the_quick_ratio(page, shop, active):
    months = active.groupby(active["day"].dt.to_period("M"))["user_id"].agg(set)
    here, before = months["2024-05"], months["2024-04"]
    earlier = set().union(*months[:"2024-04"])
    new, back, gone = len(here - earlier), len((here & earlier) - before), len(before - here)
    share = wilson(new + back, new + back + gone)
    low, high = (each / (1 - each) for each in share)
    assert page[0][5] == (f"In May 2024, {new} new people and {back} returning ones stand against {gone} who stayed away: {len(here)} are "
                          f"active, and {(new + back) / gone:.2f} came for each one lost ({low:.2f} to {high:.2f}).")
    end = pd.Timestamp("2024-05-31")
    idle = (end - active[active["day"] <= end].groupby("user_id")["day"].max()).dt.days
    found = retention.growth_accounting(shop, grain="month", inactive=[7, 30]).set_index("period").loc["2024-05-01"]
    assert [found.on_last_day, found.idle_1_7, found.idle_8_30, found.idle_over_30] == pd.cut(
        idle, [-1, 0, 7, 30, 999]).value_counts(sort=False).tolist()


def lasted(people: pd.DataFrame, active: pd.DataFrame) -> pd.DataFrame:
    """Days until each person's first silence of 28 days, and whether it came."""
    cut = LAST - 28 * DAY
    days = pd.concat([active, people.rename_axis("user_id").reset_index()[["user_id", "day"]]]).drop_duplicates()
    days = days.sort_values(["user_id", "day"])
    days["gap"] = (days.groupby("user_id")["day"].shift(-1) - days["day"]).dt.days
    stop = days[(days["gap"] > 28) | days["gap"].isna()].groupby("user_id")["day"].first()
    start = people["day"][people["day"] <= cut]
    stop = stop[start.index]
    return pd.DataFrame({"days": (stop.clip(upper=cut) - start).dt.days + 1, "stopped": stop <= cut,
                         "channel": people["acquisition_channel"][start.index]})


def left_after(rows: pd.DataFrame, day: int) -> tuple[float, float, float]:
    """Kaplan and Meier's share still there, with Greenwood's variance on the log-log scale."""
    left, variance = 1.0, 0.0
    for each in sorted(rows.loc[rows["stopped"] & (rows["days"] <= day), "days"].unique()):
        at_risk, gone = (rows["days"] >= each).sum(), ((rows["days"] == each) & rows["stopped"]).sum()
        left *= 1 - gone / at_risk
        variance += gone / (at_risk * (at_risk - gone))
    half = NORMAL * np.sqrt(variance) / -np.log(left)
    return left, left ** np.exp(half), left ** np.exp(-half)


def test_how_long_they_last(page, shop, people, active):
    rows = lasted(people, active)
    left, low, high = left_after(rows, 90)
    assert page[0][6] == f"{left:.0%} of {len(rows)} people are still active after 90 days ({low:.1%} to {high:.1%})."
    found = retention.survival_compared(shop, silent_days=28).set_index("channel")
    for channel, mine in rows.groupby("channel"):
        assert (found.n[channel], found.stopped[channel]) == (len(mine), mine["stopped"].sum())
        if mine["days"].max() >= 90:
            assert found.there[channel] == pytest.approx(left_after(mine, 90)[0])


def test_who_is_slipping_away(page, shop, active):
    recent, opens = LAST - 27 * DAY, LAST - 111 * DAY
    first = active.groupby("user_id")["day"].min()
    span = (recent - first.clip(lower=opens)).dt.days
    before = active[active["day"].between(opens, recent - DAY)].groupby("user_id").size().reindex(first.index, fill_value=0)
    now = active[active["day"] >= recent].groupby("user_id").size().reindex(first.index, fill_value=0)
    usual = before * 28 / span
    risky = (span >= 28) & (usual >= 4) & (now <= usual / 2)
    high = np.array([wilson(a, a + b)[1] if a + b else np.nan for a, b in zip(now, before, strict=True)])
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = (high / (1 - high) / (28 / span) - 1 < 0) & risky
    assert page[0][7] == (f"{risky.sum()} people lost 50% or more of the usual use, {sure.sum()} of them more than chance would leave.")
    found = retention.at_risk(shop).set_index("account_id")
    assert set(found.index) == set(first.index[risky])
    np.testing.assert_allclose(found["change"], (now / usual - 1)[found.index])


def test_the_trap(page, people, active):
    cells = triangle(people, active, "W-SUN").query("age == 1")
    once, each = cells["back"].sum() / cells["size"].sum(), (cells["back"] / cells["size"]).mean()
    twice = (cells["back"] * cells["size"]).sum() / (cells["size"] ** 2).sum()
    week = pd.Period(LAST, "W-SUN")
    young = people[people["start"].dt.to_period("W-SUN") == week - 1]
    seen = active[active["day"] >= week.start_time]["user_id"]
    early = (cells["back"].sum() + young.index.isin(seen).sum()) / (cells["size"].sum() + len(young))
    ways = [each, twice, early]
    assert page[0][8] == (f"Of the two made-up cohorts 60% are back, not the 56% of weighing twice; in these data it is {once:.1%}, and the other ways say "
                          f"between {min(ways):.1%} and {max(ways):.1%}.")


def test_the_tiles(page, active):
    months = active.groupby(active["day"].dt.to_period("M"))["user_id"].agg(set)
    tiles = {each["measure"]: each for each in page[1]["measures"]}
    lost = len(months["2024-04"] - months["2024-05"]) / len(months["2024-04"])
    assert tiles["retention.user_churn"]["value"] == pytest.approx(lost)
    assert tiles["retention.paying_accounts"]["missing"]
