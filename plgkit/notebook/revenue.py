"""Words for revenue: the lines behind a movement, who grew, what is kept, and what a cohort came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.errors import UnequalLines
from plgkit.notebook import words
from plgkit.notebook.comparing import span
from plgkit.notebook.picking import latest, period
from plgkit.notebook.reading import last

if TYPE_CHECKING:
    from plgkit.sources.data import Data

MOVED = {"new": "new revenue"}
FOR = {"seats": "for seats", "plan": "for another plan", "several": "for seats and plan at once", "price": "at a higher price",
       "usage": "for usage", "add_on": "for add-ons", "unknown": "for what the data do not name"}
_MINOR = 100


def behind(data: Data, moves: pd.DataFrame, grain: str = "month") -> pd.DataFrame:
    """The lines of the ledger behind the largest movement of the last period that is over, the largest first.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    moves
        What `expansion.mrr_movements` gives for these data.
    grain
        Length of its periods.

    Raises
    ------
    UnequalLines
        If the lines do not come to the movement, to the cent.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.metrics import expansion
    >>> moves = expansion.mrr_movements(samples.tiny())
    >>> behind(samples.tiny(), moves)[["period", "movement", "account_id", "amount"]]
          period movement account_id  amount
    0 2025-02-01    churn         a2    50.0
    """
    from plgkit.metrics.ledger import MOVEMENTS
    from plgkit.metrics.ledger.lines import ledger

    row = last(moves)
    sizes = pd.to_numeric(row.reindex(MOVEMENTS)).fillna(0.0)
    if not sizes.max() > 0:
        return pd.DataFrame(columns=["period", "movement", "account_id", "before", "after", "amount", "kind"])
    movement = str(sizes.idxmax())
    lines = ledger(data, period=pd.Timestamp(row["period"]).date(), movement=movement, grain=grain)
    lines = lines.sort_values(["amount", "account_id"], ascending=[False, True], ignore_index=True)
    if _minor(lines["amount"]) != _minor(sizes[[movement]]):
        raise UnequalLines(movement, row["period"], lines=lines["amount"].sum(), number=sizes[movement])
    return lines


def _minor(amounts: pd.Series) -> int:
    return int((amounts * _MINOR).round().astype("int64").sum())


def moved_most(lines: pd.DataFrame, grain: str = "month", *, currency: str = "USD") -> str:
    """Say which movement was the largest, and which account moved most of it.

    Examples
    --------
    >>> lines = pd.DataFrame({"period": pd.to_datetime(["2026-06-01"] * 2), "movement": "new", "account_id": ["a7", "a1"],
    ...                       "amount": [846.0, 36.0]})
    >>> moved_most(lines)
    'The largest movement of June 2026 is new revenue with $882: 2 lines of the ledger come to it to the cent, and the largest is a7 \
with $846 (96%)'
    >>> moved_most(lines.head(1))
    'The largest movement of June 2026 is new revenue with $846, a single line of the ledger: a7'
    >>> moved_most(lines.head(0))
    'Nothing moved in the last period that is over'
    """
    if lines.empty:
        return "Nothing moved in the last period that is over"
    top, whole = lines.iloc[0], lines["amount"].sum()
    said = (f"The largest movement of {period(top['period'], grain)} is {MOVED.get(top['movement'], top['movement'])} with "
            f"{told(whole, currency)}")
    if len(lines) == 1:
        return f"{said}, a single line of the ledger: {top['account_id']}"
    return (f"{said}: {words.counted(len(lines), 'line')} of the ledger come to it to the cent, and the largest is "
            f"{top['account_id']} with {told(top['amount'], currency)} ({words.share(top['amount'] / whole)})")


def grew(growth: pd.DataFrame, kinds: pd.DataFrame, grain: str = "month", *, currency: str = "USD") -> str:
    """Say how many accounts grew, by how much, and what for.

    Examples
    --------
    >>> growth = pd.DataFrame({"period": pd.to_datetime(["2026-04-01"]), "numerator": [4], "denominator": [70], "value": [0.06]})
    >>> kinds = pd.DataFrame({"period": pd.to_datetime(["2026-04-01"] * 2), "kind": ["plan", "seats"], "amount": [100.0, 300.0],
    ...                       "share": [0.25, 0.75]})
    >>> grew(growth, kinds, "quarter")
    'In the second quarter of 2026, 4 of 70 paying accounts (6%) came to pay more, $400 a month in all: 75% for seats and 25% for \
another plan'
    >>> grew(growth.assign(numerator=0), kinds.head(0), "quarter")
    'In the second quarter of 2026, none of 70 paying accounts came to pay more'
    >>> grew(growth.head(0), kinds.head(0))
    'No account has paid for long enough to pay more'
    """
    row = last(growth)
    if words.unknown(row["value"]):
        return "No account has paid for long enough to pay more"
    when, paying = period(row["period"], grain), words.counted(row["denominator"], "paying account")
    own = kinds[kinds["period"] == row["period"]].sort_values(["amount", "kind"], ascending=[False, True])
    if own.empty:
        return f"In {when}, none of {paying} came to pay more"
    parts = [f"{words.share(each.share)} {FOR.get(each.kind, each.kind)}" for each in own.itertuples()]
    return (f"In {when}, {words.count(row['numerator'])} of {paying} ({words.share(row['value'])}) came to pay more, "
            f"{told(own['amount'].sum(), currency)} a month in all: {words.listed(parts)}")


def by_hand(mix: pd.DataFrame, grain: str = "month") -> str:
    """Say by whose hand new and expansion revenue came, in the last period in which there was any.

    Examples
    --------
    >>> mix = pd.DataFrame({"period": pd.to_datetime(["2026-04-01"] * 3), "movement": ["expansion", "new", "new"],
    ...                     "motion": ["self_serve", "sales", "self_serve"], "value": [1.0, 0.4, 0.6], "complete": True})
    >>> by_hand(mix, "quarter")
    'Of the new revenue of the second quarter of 2026, 60% came by self_serve and 40% by sales; of expansion, 100% by self_serve.'
    >>> by_hand(mix.head(0))
    'No revenue has come yet.'
    """
    rows = latest(mix).sort_values(["movement", "value", "motion"], ascending=[False, False, True]) if len(mix) else mix
    if rows.empty:
        return "No revenue has come yet."
    said = {movement: words.listed(f"{words.share(each.value)} {'came ' if not place and movement == 'new' else ''}by {each.motion}"
                                   for place, each in enumerate(own.itertuples()))
            for movement, own in rows.groupby("movement", sort=False)}
    parts = [f"of {'the new revenue' if name == 'new' else name}{f' of {period(rows.period.iloc[0], grain)}' if not place else ''}, {each}"
             for place, (name, each) in enumerate(said.items())]
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def retained(net: pd.DataFrame, gross: pd.DataFrame, months: int, grain: str = "month", *, standing: str = "") -> str:
    """Say what those who paid so long ago pay now, net and gross; without a base it is undefined.

    Examples
    --------
    >>> net = pd.DataFrame({"period": pd.to_datetime(["2026-06-01"]), "value": [1.12], "low": [0.87], "high": [1.35], "n": [20]})
    >>> retained(net, net.assign(value=0.89, low=0.72, high=0.99), 12)
    'The 20 accounts that paid 12 months before the end of June 2026 now pay 112% of it (87% to 135%), and 89% (72% to 99%) without \
what any of them added'
    >>> retained(net.head(0), net.head(0), 12)
    'Undefined: nobody paid 12 months ago, and there is nothing to hold what is paid now against'
    """
    now, held = last(net), last(gross)
    if words.unknown(now["value"]):
        return f"Undefined: nobody paid {words.counted(months, 'month')} ago, and there is nothing to hold what is paid now against"
    who = "The only account that" if now["n"] == 1 else f"The {words.count(now['n'])} accounts that"
    return (f"{who} paid {words.counted(months, 'month')} before the end of {period(now['period'], grain)} now "
            f"{'pays' if now['n'] == 1 else 'pay'} {words.share(now['value'])} of it{within(now)}{f', {standing}' if standing else ''}, "
            f"and {words.share(held['value'])}{within(held)} without what any of them added")


def aged(net: pd.DataFrame, gross: pd.DataFrame, age: int, grain: str = "month", *, least: int = 5) -> str:
    """Say what cohorts pay at an age, of what they paid at first.

    Examples
    --------
    >>> net = pd.DataFrame({"x": [0, 1, 2], "value": [1.0, 1.1, 1.4], "low": [None, 0.9, None], "high": [None, 1.3, None],
    ...                     "at_risk": [60, 40, 2], "cohorts": [3, 2, 1]})
    >>> aged(net, net.assign(value=0.8), 6)
    '1 month on, the 2 cohorts old enough (40 accounts) pay 110% of what they paid at first (90% to 130%); without what any of them \
added, 80%'
    >>> aged(net.head(0), net.head(0), 6)
    'No cohort is old enough yet to tell what it keeps'
    """
    known = net[(net["x"].between(1, age)) & (net["at_risk"] >= least) & net["value"].notna()]
    if known.empty:
        return "No cohort is old enough yet to tell what it keeps"
    row = known.iloc[-1]
    held = gross.loc[gross["x"] == row["x"], "value"]
    who = "the only cohort" if row["cohorts"] == 1 else f"the {words.count(row['cohorts'])} cohorts"
    return (f"{words.counted(row['x'], grain)} on, {who} old enough ({words.counted(row['at_risk'], 'account')}) "
            f"{'pays' if row['cohorts'] == 1 else 'pay'} {words.share(row['value'])} of what {'it' if row['cohorts'] == 1 else 'they'} "
            f"paid at first{within(row)}; without what any of them added, {words.share(held.iloc[0] if len(held) else np.nan)}")


def leaked(money: pd.DataFrame, logos: pd.DataFrame, periods: int, grain: str = "month") -> str:
    """Say what was lost in a period on average, of revenue and of accounts, and which period was the worst.

    Examples
    --------
    >>> months = pd.to_datetime(["2026-04-01", "2026-05-01"])
    >>> money = pd.DataFrame({"period": months, "numerator": [0.0, 30.0], "denominator": [100.0, 200.0], "value": [0.0, 0.15]})
    >>> logos = pd.DataFrame({"period": months, "numerator": [0, 1], "denominator": [9, 11], "value": [0.0, 0.09]})
    >>> leaked(money, logos, 12)
    'Over the last 2 months, 10.0% of revenue and 5.0% of accounts were lost a month; the worst for revenue was May 2026 with 15%, \
when 1 of 11 accounts left'
    >>> leaked(money.assign(numerator=0.0, value=0.0), logos.assign(numerator=0, value=0.0), 12)
    'Over the last 2 months nothing was lost'
    >>> leaked(money.head(0), logos.head(0), 12)
    'No account has paid for long enough to be lost'
    """
    own, who = (_lately(each, periods) for each in (money, logos))
    if own.empty or who.empty:
        return "No account has paid for long enough to be lost"
    said = f"Over the last {words.counted(len(own), grain)}"
    if not own["numerator"].sum() > 0:
        return f"{said} nothing was lost"
    worst = own.loc[own["value"].astype(float).idxmax()]
    left = who[who["period"] == worst["period"]].iloc[0]
    return (f"{said}, {words.share(own['numerator'].sum() / own['denominator'].sum(), 1)} of revenue and "
            f"{words.share(who['numerator'].sum() / who['denominator'].sum(), 1)} of accounts were lost a {grain}; the worst for revenue "
            f"was {period(worst['period'], grain)} with {words.share(worst['value'])}, when {words.count(left['numerator'])} of "
            f"{words.counted(left['denominator'], 'account')} left")


def net_loss(net: pd.DataFrame, grain: str = "month") -> str:
    """Say what is lost in the last period once what old customers brought is taken off.

    Examples
    --------
    >>> net = pd.DataFrame({"period": pd.to_datetime(["2026-04-01"]), "value": [-0.071]})
    >>> net_loss(net, "quarter")
    'In the second quarter of 2026, those who had paid before brought more than was lost: 7.1% of what they paid at its start.'
    >>> net_loss(net.assign(value=0.02), "quarter")
    'In the second quarter of 2026, 2.0% is lost after all that those who had paid before brought.'
    >>> net_loss(net.head(0))
    'Nobody has paid for long enough to lose or to bring more.'
    """
    row = last(net)
    if words.unknown(row["value"]):
        return "Nobody has paid for long enough to lose or to bring more."
    if row["value"] < 0:
        return (f"In {period(row['period'], grain)}, those who had paid before brought more than was lost: {words.share(-row['value'], 1)} "
                "of what they paid at its start.")
    return f"In {period(row['period'], grain)}, {words.share(row['value'], 1)} is lost after all that those who had paid before brought."


def soon(rate: pd.DataFrame, days: int, grain: str = "month") -> str:
    """Say how many of those who found value came to pay more soon after.

    Examples
    --------
    >>> rate = pd.DataFrame({"period": pd.to_datetime(["2026-01-01"]), "denominator": [261], "value": [0.004], "low": [0.001],
    ...                      "high": [0.021]})
    >>> soon(rate, 90, "quarter")
    'Of 261 accounts activated in the first quarter of 2026, 0.4% were paying more within 90 days than they had paid before (0.1% to 2.1%).'
    >>> soon(rate.head(0), 90)
    'No account activated long enough ago to have come to pay more.'
    """
    row = last(rate)
    if words.unknown(row["value"]):
        return "No account activated long enough ago to have come to pay more."
    return (f"Of {words.counted(row['denominator'], 'account')} activated in {period(row['period'], grain)}, {words.share(row['value'], 1)} "
            f"were paying more within {words.counted(days, 'day')} than they had paid before ({span(row, 'share')}).")


def in_need(signs: pd.DataFrame) -> str:
    """Say how soon accounts show a sign that they need more.

    Examples
    --------
    >>> signs = pd.DataFrame({"n": [2573], "events": [431], "median_among": [7.16]})
    >>> in_need(signs)
    '431 of 2,573 accounts showed a sign of needing more (seats nearly full, a limit hit, a premium feature tried), half of them \
within 7.2 days of their start.'
    >>> in_need(signs.assign(events=0))
    'No account has shown a sign of needing more yet.'
    """
    if signs.empty or not signs["events"].iloc[0] > 0:
        return "No account has shown a sign of needing more yet."
    row = signs.iloc[0]
    return (f"{words.count(row['events'])} of {words.counted(row['n'], 'account')} showed a sign of needing more (seats nearly full, a limit "
            f"hit, a premium feature tried), half of them within {words.show(row['median_among'], 'days')} of their start.")


def gained(ratio: pd.DataFrame, periods: int, grain: str = "month", *, currency: str = "USD") -> str:
    """Say how much came for each unit lost, over the last periods together.

    Examples
    --------
    >>> ratio = pd.DataFrame({"period": pd.to_datetime(["2026-04-01", "2026-05-01"]), "numerator": [30.0, 60.0],
    ...                       "denominator": [0.0, 30.0], "value": [None, 2.0]})
    >>> gained(ratio, 12)
    'Together, $90.00 came for $30.00 lost: 3.0 for each one, by new accounts and by those that grew or came back.'
    >>> gained(ratio.head(0), 12)
    'Nothing has come or gone yet.'
    """
    own = over(ratio).tail(periods)
    came, went = (float(own[name].sum()) for name in ("numerator", "denominator"))
    if not came + went > 0:
        return "Nothing has come or gone yet."
    if not went > 0:
        return f"Together, {told(came, currency)} came and nothing was lost."
    return (f"Together, {told(came, currency)} came for {told(went, currency)} lost: {words.number(came / went, 1)} for each one, "
            "by new accounts and by those that grew or came back.")


def followed(steps: pd.DataFrame) -> pd.DataFrame:
    """Of all cohorts on the way from first value to revenue kept, the last that has come to its end; else the oldest.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.metrics import expansion
    >>> followed(expansion.journey(samples.tiny(), expand_within_days=30, months=1))["step"].tolist()
    ['activated', 'paid', 'paid without activating', 'expanded', 'revenue kept']
    """
    if steps.empty:
        return steps
    kept = steps[(steps["step"] == "revenue kept") & steps["value"].notna() & (steps["immature"] == 0)]
    chosen = kept["period"].max() if len(kept) else steps["period"].min()
    return steps[steps["period"] == chosen].reset_index(drop=True)


def path(cohort: pd.DataFrame, months: int, grain: str = "quarter", *, currency: str = "USD") -> str:
    """Say how one cohort of accounts went from its start to what it pays later.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.metrics import expansion
    >>> steps = expansion.journey(samples.tiny(), expand_within_days=30, months=1)
    >>> path(followed(steps), 1)
    'Of 3 accounts created in the first quarter of 2025, 1 activated (33%), 1 of these came to pay (100%), and 1 of these came to \
pay more (100%); 1 month after the first payment it is $30.00 a month, of $20.00 at first (150%)'
    >>> path(steps.head(0), 12)
    'No account is old enough yet to be followed'
    """
    if cohort.empty or not cohort["denominator"].iloc[0] > 0:
        return "No account is old enough yet to be followed"
    rows = cohort.set_index("step")
    start, kept = rows.loc["activated"], rows.loc["revenue kept"]
    parts = [f"Of {words.counted(start['denominator'], 'account')} created in {period(start['period'], grain)}, "
             f"{words.count(start['numerator'])} activated ({words.share(start['value'])})"]
    for step, does in (("paid", "came to pay"), ("expanded", "came to pay more")):
        row = rows.loc[step]
        if row["denominator"] > 0:
            parts.append(f"{words.count(row['numerator'])} of {'these' if row['immature'] == 0 else _waited(row)} {does} "
                         f"({words.share(row['value'])})")
    said = f"{', '.join(parts[:-1])}{', and ' if len(parts) > 1 else ''}{parts[-1]}"
    if words.unknown(kept["value"]):
        return f"{said}; what is paid {words.counted(months, 'month')} on is not known yet"
    who = "it is" if kept["immature"] == 0 else "those that have had the time pay"
    return (f"{said}; {words.counted(months, 'month')} after the first payment {who} {told(kept['numerator'], currency)} a month, of "
            f"{told(kept['denominator'], currency)} at first ({words.share(kept['value'])})")


def _waited(row: pd.Series) -> str:
    return f"the {words.count(row['denominator'])} that have had their time"


def over(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of periods that are over."""
    return frame[frame["complete"].astype(bool)] if "complete" in frame else frame


def _lately(frame: pd.DataFrame, periods: int) -> pd.DataFrame:
    """The last periods that are over, without those before the first account paid."""
    return over(frame)[lambda each: each["denominator"] > 0].tail(periods)


def within(row: pd.Series) -> str:
    """An interval in brackets, or nothing where there is none."""
    known = not any(words.unknown(row.get(name)) for name in ("low", "high"))
    return f" ({words.share(row['low'])} to {words.share(row['high'])})" if known else ""


def told(amount: float, currency: str) -> str:
    """Money as measures give it, in words."""
    return words.show(amount, "currency", currency=currency)
