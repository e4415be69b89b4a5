"""Every number of the notebook about expansion, worked out again in plain pandas on the company that comes along."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from plgkit import connect, notebook
from plgkit.metrics import expansion
from plgkit.samples import bundled_path
from plgkit.sources.data import Data

DAY = pd.Timedelta(days=1)
WITHIN, PAY_WITHIN, GROW = 7, 90, 180
MARGIN, HORIZON = 0.82, 60
GAINS, LOSSES = ["new", "reactivation", "expansion"], ["contraction", "churn"]
SIGNS = {"hits": "limit_hit", "tries": "premium_tried", "looks": "pricing_viewed"}


@pytest.fixture(scope="module")
def data() -> Data:
    return connect(bundled_path())


@pytest.fixture(scope="module")
def end(data) -> pd.Timestamp:
    return pd.Timestamp(data.end)


@pytest.fixture(scope="module")
def changes(data) -> pd.DataFrame:
    return data.run(data.subscriptions).sort_values(["account_id", "changed_at", "mrr_minor"], ignore_index=True)


@pytest.fixture(scope="module")
def users(data) -> pd.DataFrame:
    rows = data.run(data.users.select("user_id", "account_id", "signed_up_at"))
    return rows.assign(account_id=rows["account_id"].fillna(rows["user_id"]))


@pytest.fixture(scope="module")
def events(data, users) -> pd.DataFrame:
    rows = data.run(data.events.select("user_id", "event", "occurred_at", "day"))
    return rows.merge(users, on="user_id")


@pytest.fixture(scope="module")
def accounts(data, changes, events) -> pd.DataFrame:
    """Accounts with their first payment, and when the first of their people activated."""
    rows = data.run(data.accounts.select("account_id", "created_at", "day"))
    first = changes[changes["mrr_minor"] > 0].groupby("account_id").first()[["changed_at", "day"]]
    rows = rows.merge(first.rename(columns={"changed_at": "paid_at", "day": "paid_day"}), how="left", on="account_id")
    done = events[(events["event"] == "card_finished") & (events["occurred_at"] >= events["signed_up_at"])]
    return rows.assign(activated_at=rows["account_id"].map(done.groupby("account_id")["occurred_at"].min()))


def local_day(times: pd.Series) -> pd.Series:
    return times.dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None).dt.normalize()


def quarter(days: pd.Series) -> pd.Series:
    return days.dt.to_period("Q").dt.start_time


def standing(changes: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """What stands for each account at the end of a day."""
    return changes[changes["day"] <= day].groupby("account_id").last()


def paid(changes: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    held = standing(changes, day)["mrr_minor"]
    return held[held > 0]


def ends(data: Data, grain: str) -> dict[pd.Timestamp, pd.Timestamp]:
    """The last day of each period since the first payment."""
    periods = pd.period_range("2025-01-01", data.as_of, freq=grain[0].upper())
    return {each.start_time: each.end_time.normalize() for each in periods}


def grown(changes: pd.DataFrame) -> pd.DataFrame:
    before = changes.groupby("account_id")["mrr_minor"].shift(fill_value=0)
    rows = changes[(before > 0) & (changes["mrr_minor"] > before)]
    return rows[["account_id", "changed_at"]].rename(columns={"changed_at": "grown_at"})


def moved(changes: pd.DataFrame, start: pd.Timestamp, last: pd.Timestamp) -> dict[str, pd.Series]:
    """The movements of a period, account by account."""
    then, now = paid(changes, start - DAY), paid(changes, last)
    names = then.index.union(now.index)
    then, now = then.reindex(names, fill_value=0), now.reindex(names, fill_value=0)
    earlier = changes[(changes["day"] < start) & (changes["mrr_minor"] > 0)]["account_id"]
    came, known = (then == 0) & (now > 0), pd.Series(names.isin(earlier), index=names)
    more, both = now - then, (then > 0) & (now > 0)
    made = {"new": now[came & ~known], "reactivation": now[came & known], "expansion": more[both & (more > 0)],
            "contraction": -more[both & (more < 0)], "churn": then[(then > 0) & (now == 0)]}
    return {name: each[each > 0] for name, each in made.items()}


@pytest.mark.parametrize("grain", ["month", "quarter"])
def test_the_waterfall_its_lines_and_what_came_for_each_one_lost(data, changes, grain):
    found = expansion.mrr_movements(data, grain=grain).set_index("period")
    ratio = expansion.revenue_quick_ratio(data, grain=grain).set_index("period")
    lines = notebook.behind(data, found.reset_index(), grain)
    for start, last in ends(data, grain).items():
        moves = moved(changes, start, last)
        row = found.loc[start]
        assert row[GAINS + LOSSES].to_dict() == pytest.approx({name: each.sum() / 100 for name, each in moves.items()})
        assert row[["opening", "closing"]].tolist() == pytest.approx(
            [paid(changes, start - DAY).sum() / 100, paid(changes, last).sum() / 100])
        came, went = (sum(moves[name].sum() for name in names) for names in (GAINS, LOSSES))
        assert ratio.loc[start, ["numerator", "denominator"]].tolist() == pytest.approx([came / 100, went / 100])
    largest = max(moves, key=lambda name: moves[name].sum())
    assert set(lines["movement"]) == {largest}
    assert lines.set_index("account_id")["amount"].to_dict() == pytest.approx((moves[largest] / 100).to_dict())


def test_revenue_and_on_whom_it_rests(data, changes):
    revenue, largest = (each(data).set_index("period") for each in (expansion.mrr, expansion.concentration))
    by_plan = expansion.mrr(data, by="plan").set_index(["period", "plan"])
    for start, last in ends(data, "month").items():
        held = paid(changes, last).sort_values(ascending=False)
        assert revenue.loc[start, ["value", "n"]].tolist() == pytest.approx([held.sum() / 100, len(held)])
        tops = [held.head(math.ceil(share * len(held) / 100)).sum() / held.sum() for share in (1, 5, 10)]
        assert largest.loc[start, ["largest", "top_1", "top_5", "top_10"]].tolist() == pytest.approx([held.iloc[0] / held.sum(), *tops])
    plans = held.groupby(standing(changes, last)["plan"]).agg(["sum", "size"])
    assert by_plan.loc[start, "value"].to_dict() == pytest.approx((plans["sum"] / 100).to_dict())
    assert by_plan.loc[start, "n"].to_dict() == plans["size"].to_dict()


def test_who_grew_in_what_and_by_whose_hand(data, changes):
    growth = expansion.account_expansion(data, of="revenue", grain="quarter").set_index("period")
    kinds, mix = (each(data, grain="quarter").set_index("period") for each in (expansion.by_kind, expansion.motion_mix))
    began = changes[changes["mrr_minor"] > 0].groupby("account_id")["motion"].first()
    for start, last in ends(data, "quarter").items():
        moves, then, now = moved(changes, start, last), standing(changes, start - DAY), standing(changes, last)
        more = moves["expansion"]
        if start in growth.index:
            assert growth.loc[start, ["numerator", "denominator"]].tolist() == [len(more), len(paid(changes, start - DAY))]
        told = pd.DataFrame({name: pd.Series(now.loc[more.index, name].ne(then.loc[more.index, name])) for name in ("plan", "seats")})
        named = np.select([told["plan"] & told["seats"], told["plan"], told["seats"]], ["several", "plan", "seats"], "price")
        amounts = (more / 100).groupby(named).sum()
        if len(more):
            assert kinds.loc[[start]].set_index("kind")["amount"].to_dict() == pytest.approx(amounts.to_dict())
        for movement in ("new", "expansion"):
            hand = now.loc[moves[movement].index, "motion"]
            hand = hand.mask(hand != began.loc[hand.index], "hybrid") if movement == "expansion" else hand
            shares = moves[movement].groupby(hand).sum() / moves[movement].sum()
            found = mix[(mix["movement"] == movement) & (mix.index == start)].set_index("motion")["value"]
            assert found.to_dict() == pytest.approx(shares.to_dict())


def test_what_those_who_paid_a_year_ago_pay_now_and_the_trap(data, changes):
    net, gross = (each(data, months=12).set_index("period") for each in (expansion.nrr, expansion.grr))
    ways = notebook.survivors(data).set_index(["way", "period"])["value"]
    wrong, right, stayed = (ways.loc[name] for name in (notebook.worth.NAIVE, notebook.worth.ALL, notebook.worth.STAYED))
    for start, last in ends(data, "month").items():
        then = paid(changes, last + DAY - pd.DateOffset(months=12) - DAY) if start >= pd.Timestamp("2026-01-01") else pd.Series(dtype="int64")
        now = paid(changes, last).reindex(then.index, fill_value=0)
        assert net.loc[start, "n"] == len(then)
        if then.empty:
            assert math.isnan(net.loc[start, "value"])
            assert start not in right.index
            continue
        assert net.loc[start, "value"] == pytest.approx(now.sum() / then.sum())
        assert gross.loc[start, "value"] == pytest.approx(np.minimum(now, then).sum() / then.sum())
        still = now[now > 0]
        assert right.loc[start] == pytest.approx(net.loc[start, "value"])
        assert wrong.loc[start] == pytest.approx(still.mean() / then.mean())
        assert stayed.loc[start] == pytest.approx(still.mean() / then[still.index].mean())
    assert (wrong >= right).all()
    assert (wrong > right).any()


def test_revenue_by_cohort_and_its_curve(data, accounts, changes):
    began = accounts.dropna(subset="paid_day").set_index("account_id")["paid_day"].dt.to_period("M").dt.start_time
    starts = list(ends(data, "month").items())
    held = {start: paid(changes, last) for start, last in starts}
    expected = {}
    for cohort in sorted(set(began)):
        names = began.index[began == cohort]
        first = held[cohort].reindex(names, fill_value=0)
        later = [start for start, _ in starts if start >= cohort]
        for age, start in enumerate(later):
            now = held[start].reindex(names, fill_value=0)
            expected[cohort, age] = (now.sum() / 100, np.minimum(now, first).sum() / 100, first.sum() / 100)
    whole = pd.DataFrame(expected, index=["net", "gross", "first"]).T
    for of in ("net", "gross"):
        found = expansion.revenue_cohorts(data, of=of).set_index(["cohort", "age"])
        assert found["numerator"].to_dict() == pytest.approx(whole[of].to_dict())
        assert found["denominator"].to_dict() == pytest.approx(whole["first"].to_dict())
        together = whole.groupby(level=1).sum()
        curve = expansion.revenue_curve(data, of=of).set_index("x")
        assert curve["value"].to_dict() == pytest.approx((together[of] / together["first"]).to_dict())


def test_what_is_lost_in_a_period(data, changes):
    money = expansion.gross_churn(data).set_index("period")
    logos = expansion.gross_churn(data, of="accounts").set_index("period")
    net = expansion.net_churn(data, grain="quarter").set_index("period")
    for grain in ("month", "quarter"):
        for start, last in ends(data, grain).items():
            moves, base = moved(changes, start, last), paid(changes, start - DAY)
            lost = sum(moves[name].sum() for name in LOSSES)
            if grain == "quarter":
                back = moves["expansion"].sum() + moves["reactivation"].sum()
                assert net.loc[start, ["numerator", "denominator"]].tolist() == pytest.approx([(lost - back) / 100, base.sum() / 100])
                continue
            assert money.loc[start, ["numerator", "denominator"]].tolist() == pytest.approx([lost / 100, base.sum() / 100])
            assert logos.loc[start, ["numerator", "denominator"]].tolist() == [len(moves["churn"]), len(base)]


def test_one_cohort_from_its_start_to_what_it_pays_later(data, accounts, changes, end):
    rows = accounts.assign(period=quarter(accounts["day"]))
    settled = rows["created_at"] + WITHIN * DAY < end
    did = rows["activated_at"] - rows["created_at"] <= WITHIN * DAY
    soon = rows["paid_at"] <= rows["activated_at"] + PAY_WITHIN * DAY
    waited = rows["activated_at"] + PAY_WITHIN * DAY < end
    more = rows.merge(grown(changes), on="account_id")
    more = more[(more["grown_at"] >= more["paid_at"]) & (more["grown_at"] - more["paid_at"] <= GROW * DAY)]
    later = rows["paid_day"] + pd.DateOffset(months=12)
    payer = settled & did & waited & soon
    late = rows["paid_at"] <= rows["created_at"] + (WITHIN + PAY_WITHIN) * DAY
    closed = rows["created_at"] + (WITHIN + PAY_WITHIN) * DAY < end
    steps = {"activated": (settled, did), "paid": (settled & did & waited, soon),
             "paid without activating": (settled & ~did & closed, late),
             "expanded": (payer & (rows["paid_at"] + GROW * DAY < end), rows["account_id"].isin(more["account_id"]))}
    found = expansion.journey(data, expand_within_days=GROW, months=12).set_index(["step", "period"])
    for step, (there, hit) in steps.items():
        for period in sorted(set(rows["period"])):
            own = there & (rows["period"] == period)
            assert found.loc[(step, period), ["numerator", "denominator"]].tolist() == [(own & hit).sum(), own.sum()], (step, period)
    for period in sorted(set(rows["period"])):
        own = rows[payer & (rows["period"] == period) & (later <= pd.Timestamp(data.as_of))]
        then, now = (sum(paid(changes, day).get(name, 0) for name, day in zip(own["account_id"], days, strict=True)) / 100
                     for days in (own["paid_day"], later[own.index]))
        assert found.loc[("revenue kept", period), ["numerator", "denominator"]].tolist() == pytest.approx([now, then])


def test_expansion_soon_after_activation(data, accounts, changes, end):
    rows = accounts.dropna(subset="activated_at")
    rows = rows.assign(period=quarter(local_day(rows["activated_at"])), mature=rows["activated_at"] + GROW * DAY < end)
    more = rows.merge(grown(changes), on="account_id")
    more = more[(more["grown_at"] >= more["activated_at"]) & (more["grown_at"] - more["activated_at"] <= GROW * DAY)]
    rows = rows.assign(hit=rows["account_id"].isin(more["account_id"]))
    found = expansion.activation_to_expansion(data, within_days=GROW, grain="quarter").set_index("period")
    for period, own in rows.groupby("period"):
        assert found.loc[period, ["numerator", "denominator", "immature"]].tolist() == [
            (own["hit"] & own["mature"]).sum(), own["mature"].sum(), (~own["mature"]).sum()]


def test_the_first_sign_of_needing_more(data, accounts, changes, users, events):
    joined = users.sort_values("signed_up_at").groupby("account_id")["signed_up_at"].apply(list)
    shown = events[events["event"].isin(["limit_hit", "premium_tried"])].groupby("account_id")["occurred_at"].min().to_dict()
    following = changes.groupby("account_id")["changed_at"].shift(-1)
    for row, until in zip(changes.itertuples(), following, strict=True):
        if not (row.mrr_minor > 0 and row.seats > 0):
            continue
        needed = math.ceil(0.8 * row.seats - 1e-9)
        people = joined.get(row.account_id, [])
        at = max(people[needed - 1], row.changed_at) if len(people) >= needed else None
        if at is not None and (pd.isna(until) or at < until):
            shown[row.account_id] = min(at, shown.get(row.account_id, at))
    rows = accounts[accounts["account_id"].isin(shown)]
    waits = (rows["account_id"].map(shown) - rows["created_at"]).dt.total_seconds().clip(lower=0) / 86_400
    found = expansion.time_to_expansion_signal(data).iloc[0]
    assert [found["n"], found["events"]] == [len(accounts), len(rows)]
    assert found["median_among"] == pytest.approx(waits.median())


def months(start: pd.Timestamp, day: pd.Timestamp) -> int:
    return (day.year - start.year) * 12 + day.month - start.month


def over_by(start: pd.Timestamp, day: pd.Timestamp) -> int:
    """Months of a life that are over: one that began on the 31st ends after the last day of a shorter month."""
    return months(start, day) - (start.day > day.day)


@pytest.fixture(scope="module")
def lives(data, changes) -> pd.DataFrame:
    """The life of each account that ever paid, in whole months: how many are over, and in which it left."""
    as_of, rows = pd.Timestamp(data.as_of), []
    for _, own in changes.groupby("account_id"):
        start = own.loc[own["mrr_minor"] > 0, "day"].min()
        daily = own.groupby("day")["mrr_minor"].last()
        gone = daily.index[(daily == 0) & (daily.index > start)]
        if pd.isna(start):
            continue
        left = max(months(start, gone[0]) + (gone[0].day > start.day), 1) if len(gone) else 0
        rows.append((start, over_by(start, as_of), left, daily.iloc[-1]))
    return pd.DataFrame(rows, columns=["start", "over", "left", "minor"])


def test_lifetime_value_by_three_methods(data, lives, changes):
    from scipy.optimize import minimize

    found = expansion.lifetime_value(data, horizon=HORIZON).set_index("method")
    each = MARGIN * lives.loc[lives["minor"] > 0, "minor"].mean() / 100
    lately = list(ends(data, "month").items())[-12:]
    churned = sum(len(moved(changes, *period)["churn"]) for period in lately)
    watched = sum(len(paid(changes, start - DAY)) for start, _ in lately)
    assert found.loc["formula", "value"] == pytest.approx(each * watched / churned)

    ages, over, left = np.arange(1, lives["over"].max() + 1), *(lives[name].to_numpy()[:, None] for name in ("over", "left"))
    there = (over >= ages) & ((left == 0) | (left >= ages))
    gone = there & (left == ages)
    at_risk, leaving = there.sum(axis=0), gone.sum(axis=0)
    assert found.loc["survival", "stopped"] == leaving.sum()
    staying = np.concatenate([[1.0], np.cumprod(1 - leaving / at_risk)])
    assert found.loc["survival", "value"] == pytest.approx(each * staying.sum())

    def unlikely(logs: np.ndarray) -> float:
        alpha, beta = np.exp(logs)
        hazard = alpha / (alpha + beta + ages - 1)
        return -float(leaving @ np.log(hazard) + (at_risk - leaving) @ np.log1p(-hazard))

    best = min((minimize(unlikely, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 9000})
                for start in ([0.0, 3.0], [3.0, 8.0], [-1.0, 1.0])), key=lambda each: each.fun)
    alpha, beta = np.exp(best.x)
    later = np.arange(HORIZON - 1)
    whole = 1 + np.cumprod((beta + later) / (alpha + beta + later)).sum()
    assert found.loc["sbg", "value"] == pytest.approx(each * whole, rel=0.01)


def test_what_came_of_those_who_paid_half_a_year_ago(data, lives):
    then = pd.Timestamp(data.as_of) - pd.DateOffset(months=6)
    own = lives[lives["start"] <= then]
    closed = own["start"].map(lambda start: over_by(start, then))
    own, closed = (each[(own["left"] == 0) | (own["left"] > closed)] for each in (own, closed))
    found = expansion.forecast(data, months=6).set_index("x")
    assert found["at_risk"].tolist() == [len(own)] * 7
    for month in range(7):
        assert found.loc[month, "actual"] == pytest.approx(((own["left"] == 0) | (own["left"] > closed + month)).mean())


def test_the_accounts_to_speak_with(data, accounts, changes, users, events):
    as_of = pd.Timestamp(data.as_of)
    late = events[events["day"] > as_of - 28 * DAY]
    rows = accounts[["account_id"]].set_index("account_id")
    for name, event in SIGNS.items():
        rows[name] = late[late["event"] == event].groupby("account_id").size()
    active = events[~events["event"].isin(["digest_emailed", "survey_shown"])].drop_duplicates(["user_id", "day"])
    rows["now"] = active[active["day"] > as_of - 28 * DAY].groupby("account_id").size()
    rows["before"] = active[(active["day"] > as_of - 56 * DAY) & (active["day"] <= as_of - 28 * DAY)].groupby("account_id").size()
    rows["people"] = users.groupby("account_id").size()
    held = standing(changes, as_of)
    rows["minor"], rows["seats"] = held["mrr_minor"], held["seats"].where(held["mrr_minor"] > 0)
    rows = rows.fillna(0)
    near = (rows["seats"] > 0) & (rows["people"] >= 0.8 * rows["seats"] - 1e-9)
    up = (rows["before"] > 0) & (rows["now"] >= 1.5 * rows["before"]) & (rows["now"] - rows["before"] >= 5)
    rows["signs"] = near.astype(int) + up + (rows["hits"] >= 2) + (rows["tries"] > 0) + (rows["looks"] >= 2)
    expected = rows.reset_index().sort_values(["signs", "minor", "people", "account_id"], ascending=[False, False, False, True]).head(20)
    found = expansion.next_best_accounts(data)
    assert found["account_id"].tolist() == expected["account_id"].tolist()
    assert found["signs"].tolist() == expected["signs"].tolist()
    assert found["mrr"].tolist() == pytest.approx((expected["minor"] / 100).tolist())
