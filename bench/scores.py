"""Scores of generated accounts: plgkit against plain SQL on the same tables.

Both run in turn in one process, several times; the best time of each counts. What counts is the ratio, and that both give
the same score, tier and reasons for every account. The SQL is what one would write for DuckDB by hand, and like plgkit's answer
it ends as a pandas frame.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

PLAYBOOK = """
[product]
name = "Accounts"
[onboarding]
steps = ["profile_filled", "project_made", "teammate_invited"]
[features]
core = ["card_added", "comment_added", "file_attached", "report_made"]
create = ["card_added", "project_made"]
integration = ["integration_connected"]
premium = ["premium_tried"]
[limits]
event = "limit_hit"
[pricing]
event = "pricing_viewed"
[payment]
event = "payment_entered"
[fit]
employees_min = 50
employees_max = 1000
industries = ["software", "agency"]
"""
EVENTS = ["profile_filled", "project_made", "teammate_invited", "card_added", "comment_added", "file_attached", "report_made",
          "integration_connected", "premium_tried", "limit_hit", "pricing_viewed", "payment_entered", "signed_in"]
_WEIGHTS = [8, 7, 4, 30, 12, 5, 4, 1, 1, 1.5, 2, .5, 24]

BY_HAND = """
WITH people AS (SELECT user_id, coalesce(account_id, user_id) AS home FROM kept.users),
done AS (
  SELECT coalesce(e.account_id, p.home) AS account_id, e.event, e.day, e.occurred_at
  FROM kept.events e JOIN people p USING (user_id)),
alike AS (SELECT account_id, event, count(*) AS n FROM done WHERE event <> 'signed_in' GROUP BY ALL),
counted AS (
  SELECT account_id,
    count(*) FILTER (event IN ('profile_filled', 'project_made', 'teammate_invited')) AS steps,
    count(*) FILTER (event IN ('card_added', 'comment_added', 'file_attached', 'report_made')) AS features,
    coalesce(sum(n) FILTER (event IN ('card_added', 'project_made')), 0) AS items,
    coalesce(sum(n) FILTER (event = 'integration_connected'), 0) AS integrations,
    coalesce(sum(n) FILTER (event = 'premium_tried'), 0) AS premium,
    coalesce(sum(n) FILTER (event = 'limit_hit'), 0) AS limits,
    coalesce(sum(n) FILTER (event = 'pricing_viewed'), 0) AS prices,
    coalesce(sum(n) FILTER (event = 'payment_entered'), 0) AS payment
  FROM alike GROUP BY account_id),
days AS (SELECT account_id, day, min(occurred_at) AS first_at FROM done GROUP BY ALL),
early AS (
  SELECT d.account_id, max(d.day) AS last_active, count(*) FILTER (first_at <= created_at + INTERVAL 14 DAY) AS early
  FROM days d JOIN kept.accounts a USING (account_id) GROUP BY ALL),
runs AS (SELECT account_id, day - row_number() OVER (PARTITION BY account_id ORDER BY day)::INT AS run FROM days),
streaks AS (SELECT DISTINCT account_id FROM (SELECT account_id FROM runs GROUP BY account_id, run HAVING count(*) >= 7)),
sent AS (
  SELECT home AS account_id, count(*) AS invites FROM kept.invites JOIN people ON inviter_id = user_id
  WHERE kind IS DISTINCT FROM 'link' GROUP BY ALL),
paying AS (
  SELECT account_id, arg_max(mrr_minor, row(changed_at, mrr_minor)) > 0 AS paying FROM kept.subscriptions GROUP BY ALL),
met AS (
  SELECT a.account_id, coalesce(paying, false) AS paying, last_active,
    coalesce(payment, 0) >= 1 AS payment, coalesce(limits, 0) >= 1 AS limits, s.account_id IS NOT NULL AS streak,
    coalesce(invites, 0) >= 4 AS many, coalesce(features, 0) >= 3 AS features, coalesce(integrations, 0) >= 1 AS integration,
    coalesce(premium, 0) >= 1 AS premium, coalesce(items, 0) >= 10 AS items, coalesce(early, 0) >= 5 AS early,
    coalesce(invites, 0) BETWEEN 1 AND 3 AS few, coalesce(prices, 0) >= 2 AS prices,
    coalesce(employees BETWEEN 50 AND 1000, false) AS size, coalesce(industry IN ('software', 'agency'), false) AS industry,
    coalesce(steps, 0) >= 3 AS onboarded
  FROM kept.accounts a LEFT JOIN counted USING (account_id) LEFT JOIN early USING (account_id) LEFT JOIN sent USING (account_id)
  LEFT JOIN streaks s USING (account_id) LEFT JOIN paying USING (account_id)),
summed AS (
  SELECT *, 10.0 * size::INT + 10 * industry::INT AS fit,
    40.0 * payment::INT + 30 * limits::INT + 25 * streak::INT + 25 * many::INT + 20 * features::INT + 20 * integration::INT
      + 20 * premium::INT + 15 * items::INT + 15 * early::INT + 15 * few::INT + 15 * prices::INT + 10 * onboarded::INT AS signal_points
  FROM met)
SELECT account_id, (signal_points + fit)::DOUBLE AS score, signal_points::DOUBLE AS signal_points, fit::DOUBLE AS fit,
  CASE WHEN signal_points + fit >= 100 THEN 'account executive' WHEN signal_points + fit >= 65 THEN 'inside sales'
    WHEN signal_points + fit >= 41 THEN 'upgrade campaign' ELSE 'nurture' END AS tier, paying, last_active,
  concat_ws(', ', CASE WHEN payment THEN 'payment details entered (40)' END, CASE WHEN limits THEN 'free-plan limit hit (30)' END,
    CASE WHEN streak THEN 'active 7 days running (25)' END, CASE WHEN many THEN 'invited 4 or more people (25)' END,
    CASE WHEN features THEN '3 or more core features (20)' END, CASE WHEN integration THEN 'integration connected (20)' END,
    CASE WHEN premium THEN 'premium feature tried (20)' END, CASE WHEN items THEN '10 or more items created (15)' END,
    CASE WHEN early THEN 'active on 5 of the first 14 days (15)' END, CASE WHEN few THEN 'invited 1 to 3 people (15)' END,
    CASE WHEN prices THEN 'pricing page seen twice (15)' END, CASE WHEN size THEN 'company size in profile (10)' END,
    CASE WHEN industry THEN 'industry in profile (10)' END, CASE WHEN onboarded THEN 'onboarding completed (10)' END) AS reasons
FROM summed ORDER BY score DESC, account_id"""


def main() -> None:
    """Measure and print one line per contender."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--accounts", type=int, default=1_000_000)
    arguments.add_argument("--events", type=int, default=20, help="events per account, in the mean")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--cpu", action="store_true", help="count seconds of all cores instead, for a machine that is not idle")
    arguments.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.memory:
        _ask_alone(given.source)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PLGKIT_CACHE"] = str(Path(folder) / "cache")
        source = Path(folder) / "accounts"
        events = _write(source, given.accounts, given.events)
        print(f"{events:,} events of {given.accounts:,} accounts, {os.cpu_count()} cores")
        _race(source, given.repeats, time.process_time if given.cpu else time.perf_counter)


def _write(source: Path, accounts: int, events: int) -> int:
    """Accounts that begin all over a year; most do little and only at first, a few a lot. One in thirty pays."""
    random = np.random.default_rng(3)
    source.mkdir(parents=True)
    (source / "playbook.toml").write_text(PLAYBOOK)
    start = pd.Timestamp("2025-01-01")
    names = pd.Series(np.arange(accounts)).map("a{:07}".format)
    opened = random.uniform(0, 365, accounts)

    def moment(days: np.ndarray) -> pd.Series:
        return pd.Series(start + pd.to_timedelta((days * 86_400_000).astype("int64"), unit="ms"))

    pd.DataFrame({"account_id": names, "created_at": moment(opened), "employees": random.integers(1, 3000, accounts),
                  "industry": random.choice(["software", "agency", "retail", None], accounts)}).to_parquet(source / "accounts.parquet")
    people = np.concatenate([np.arange(accounts), random.integers(0, accounts, accounts // 3)])
    users = pd.Series(np.arange(len(people))).map("u{:07}".format)
    pd.DataFrame({"user_id": users, "account_id": names.to_numpy()[people], "signed_up_at": moment(opened[people])}).to_parquet(
        source / "users.parquet")
    number = np.minimum(random.negative_binomial(0.8, 0.8 / (0.8 + events * accounts / len(people)), len(people)), 3_000)
    who = np.repeat(np.arange(len(people)), number)
    wait = random.exponential(25, len(who))
    done = pd.DataFrame({
        "user_id": users.to_numpy()[who], "account_id": names.to_numpy()[people[who]],
        "event": pd.Categorical.from_codes(random.choice(len(EVENTS), len(who), p=np.array(_WEIGHTS) / sum(_WEIGHTS)), EVENTS),
        "occurred_at": moment(opened[people[who]] + wait)})
    done.to_parquet(source / "events.parquet", index=False)
    some = random.integers(0, len(people), accounts // 2)
    pd.DataFrame({"inviter_id": users.to_numpy()[some], "sent_at": moment(opened[people[some]] + random.exponential(9, len(some))),
                  "kind": random.choice(["invite", "link"], len(some), p=[.8, .2])}).to_parquet(source / "invites.parquet")
    payers = random.choice(accounts, accounts // 30, replace=False)
    pd.DataFrame({"account_id": names.to_numpy()[payers], "changed_at": moment(opened[payers] + random.exponential(40, len(payers))),
                  "mrr": random.choice([20.0, 60.0, 0.0], len(payers))}).to_parquet(source / "subscriptions.parquet")
    return len(done)


def _opened(source: Path):
    import plgkit

    return plgkit.connect(source, as_of="2026-12-31")


def ours(data) -> pd.DataFrame:
    """The public function, with nothing kept from the turn before."""
    from plgkit.metrics import pql

    data.answers.clear()
    return pql.scores(data)


def _race(source: Path, repeats: int, clock: Callable[[], float]) -> None:
    data = _opened(source)
    contenders = {"plgkit": lambda: ours(data), "SQL": lambda: data.connection.con.execute(BY_HAND).df()}
    best, pairs, answers = dict.fromkeys(contenders, float("inf")), [], {}
    for _ in range(repeats):
        took = {}
        for name, run in contenders.items():
            began = clock()
            answers[name] = run()
            took[name] = clock() - began
            best[name] = min(best[name], took[name])
        pairs.append(took["plgkit"] / took["SQL"])
    compared = ["account_id", "score", "signal_points", "fit", "tier", "paying", "reasons"]
    same = all((answers["plgkit"][name].to_numpy() == answers["SQL"][name].to_numpy()).all() for name in compared)
    print(f"\n{'scores':<12}{'seconds':>9}{'x SQL':>8}  every account the same: {'yes' if same else 'NO'}   {_memory(source):.2f} GiB peak")
    print(f"  {'plgkit':<10}{best['plgkit']:>9.3f}{best['plgkit'] / best['SQL']:>8.2f}  (median of pairs {np.median(pairs):.2f})")
    print(f"  {'SQL':<10}{best['SQL']:>9.3f}{1:>8.2f}", flush=True)


def _memory(source: Path) -> float:
    """Peak memory in GiB of a process of its own that opens the data and asks once."""
    command = [sys.executable, __file__, "--source", str(source), "--memory"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _ask_alone(source: Path) -> None:
    ours(_opened(source))
    # The largest of getrusage is inherited from the process that started this one.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) / 2**20)


if __name__ == "__main__":
    main()
