"""Words for the flywheel: where it turns to, whether its forecasts held, and what to do next."""

from __future__ import annotations

import pandas as pd

from plgkit.charts.units import number
from plgkit.notebook import words

_OF = {"people": "active people", "revenue": "a month of recurring revenue", "signups": "sign-ups a month"}


def foreseen(forecast: pd.DataFrame) -> str:
    """Say where the flywheel turns to if all goes on as it does.

    Examples
    --------
    >>> rows = pd.DataFrame({"period": pd.to_datetime(["2026-06-01", "2027-06-01"] * 2), "outcome": ["people"] * 2 + ["revenue"] * 2,
    ...                      "value": [1428.0, 3244.4, 15200.8, 43528.0], "low": [None, 2704.0, None, 29881.0],
    ...                      "high": [None, 4015.0, None, 59904.0], "forecast": [False, True] * 2})
    >>> foreseen(rows)
    'If all goes on as it does, June 2027 has 3,244 active people (2,704 to 4,015; 1,428 in June 2026) and 43,528 USD a month of \
recurring revenue (29,881 to 59,904; 15,201 in June 2026).'
    """
    currency, parts = forecast.attrs.get("currency", "USD"), []
    for name in ("people", "revenue"):
        rows = forecast[forecast["outcome"] == name]
        if rows.empty:
            continue
        now, then = rows[~rows["forecast"]].iloc[-1], rows[rows["forecast"]].iloc[-1]
        money = f" {currency}" if name == "revenue" else ""
        parts.append(f"{_whole(then['value'])}{money} {_OF[name]} ({_whole(then['low'])} to {_whole(then['high'])}; "
                     f"{_whole(now['value'])} in {words.month(now['period'])})")
    return f"If all goes on as it does, {words.month(forecast['period'].max())} has {' and '.join(parts)}."


def raised(asked: pd.DataFrame) -> str:
    """Say what raising one rate would bring.

    Examples
    --------
    >>> rows = pd.DataFrame({"period": pd.to_datetime(["2027-06-01"] * 3), "outcome": ["signups", "people", "revenue"],
    ...                      "difference": [4.2, 37.5, 545.8], "low": [3.1, 28.7, 100.6], "high": [6.2, 49.5, 1137.7]})
    >>> rows.attrs = {"what": "Newcomers who activate", "now": 0.484, "to": 0.494, "currency": "USD"}
    >>> raised(rows)
    'Newcomers who activate: from 48.4% to 49.4% would bring 38 active people (29 to 50) and 546 USD a month of recurring revenue \
(101 to 1,138) more by June 2027, if the other rates stay as they are.'
    """
    last, currency, parts = asked[asked["period"] == asked["period"].max()].set_index("outcome"), asked.attrs.get("currency", "USD"), []
    for name in ("people", "revenue"):
        if name in last.index:
            row, money = last.loc[name], f" {currency}" if name == "revenue" else ""
            parts.append(f"{_whole(row['difference'])}{money} {_OF[name]} ({_whole(row['low'])} to {_whole(row['high'])})")
    was, to = (_rate(asked.attrs[name]) for name in ("now", "to"))
    return (f"{asked.attrs['what']}: from {was} to {to} would bring {' and '.join(parts)} more by "
            f"{words.month(asked['period'].max())}, if the other rates stay as they are.")


def held(trial: pd.DataFrame) -> str:
    """Say whether what came lay within what had been forecast.

    Examples
    --------
    >>> rows = pd.DataFrame({"period": pd.to_datetime(["2026-05-01", "2026-06-01"] * 2), "outcome": ["people"] * 2 + ["revenue"] * 2,
    ...                      "value": [1323.0, 1420.0, 10817.0, 12065.0], "low": [1214.0, 1294.0, 8486.0, 9233.0],
    ...                      "high": [1426.0, 1556.0, 14280.0, 16103.0], "actual": [1357.0, 1428.0, 14300.0, 15201.0],
    ...                      "inside": [True, True, False, True]})
    >>> held(rows)
    'Told 2 months before, June 2026 was to have 1,420 active people (1,294 to 1,556) and had 1,428; it was to have 12,065 USD a month \
of recurring revenue (9,233 to 16,103) and had 15,201. Of 4 monthly forecasts, 3 held what came.'
    """
    currency, months, parts = trial.attrs.get("currency", "USD"), trial["period"].nunique(), []
    last = trial[trial["period"] == trial["period"].max()].set_index("outcome")
    for name in ("people", "revenue"):
        if name in last.index:
            row, money = last.loc[name], f" {currency}" if name == "revenue" else ""
            parts.append(f"was to have {_whole(row['value'])}{money} {_OF[name]} ({_whole(row['low'])} to {_whole(row['high'])}) and had "
                         f"{_whole(row['actual'])}")
    judged = trial[trial["outcome"].isin(["people", "revenue"])]
    return (f"Told {words.counted(months, 'month')} before, {words.month(trial['period'].max())} {'; it '.join(parts)}. "
            f"Of {words.counted(len(judged), 'monthly forecast')}, {words.count(judged['inside'].sum())} held what came.")


def pulled(ranked: pd.DataFrame) -> str:
    """Say which rate to raise first, what that brings, and how sure it is that none brings more.

    Examples
    --------
    >>> rows = pd.DataFrame({"lever": ["conversion.free_to_paid", "activation.rate"], "what": ["Free accounts that pay",
    ...     "Newcomers who activate"], "value": [0.0416, 0.484], "changed": [0.0458, 0.532], "people": [0.0, 187.0],
    ...     "people_low": [0.0, 143.0], "people_high": [0.0, 247.0], "revenue": [2939.5, 2826.6], "revenue_low": [1650.0, 1535.0],
    ...     "revenue_high": [4399.0, 4261.0], "first": [0.44, 0.31]})
    >>> rows.attrs = {"months": 12, "per": "tenth", "currency": "USD"}
    >>> pulled(rows)
    'Each a tenth better, most revenue comes from this rate: free accounts that pay, from 4.2% to 4.6%, brings 2,940 USD a month in \
12 months (1,650 to 4,399). None brings more in 44% of the crowds drawn anew; next is newcomers who activate (2,827 USD). Most active \
people come from newcomers who activate (187).'
    >>> pulled(rows.head(0))
    'No rate is known well enough to say what raising it would bring.'
    """
    if ranked.empty:
        return "No rate is known well enough to say what raising it would bring."
    money = bool(ranked["revenue"].notna().any())
    order, currency, months = "revenue" if money else "people", ranked.attrs["currency"], ranked.attrs["months"]
    unit = f" {currency}" if money else " active people"
    top, step = ranked.iloc[0], "a tenth better" if ranked.attrs["per"] == "tenth" else "a point better"
    said = (f"Each {step}, most {'revenue comes' if money else 'active people come'} from this rate: {_low(top['what'])}, from "
            f"{_rate(top['value'])} to {_rate(top['changed'])}, brings {_whole(top[order])}{unit}{' a month' if money else ''} in "
            f"{words.counted(months, 'month')} ({_whole(top[f'{order}_low'])} to {_whole(top[f'{order}_high'])}). None brings more in "
            f"{words.share(top['first'])} of the crowds drawn anew")
    if len(ranked) > 1:
        said += f"; next is {_low(ranked.iloc[1]['what'])} ({_whole(ranked.iloc[1][order])}{unit})"
    most = ranked.loc[ranked["people"].idxmax()]
    return said + (f". Most active people come from {_low(most['what'])} ({_whole(most['people'])})." if money else ".")


def _low(what: str) -> str:
    return what[0].lower() + what[1:]


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _rate(value: float) -> str:
    return words.share(value, 1) if value <= 1 else number(round(value))
