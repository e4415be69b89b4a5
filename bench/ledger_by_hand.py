"""The questions of `bench/ledger.py` as somebody would write them in SQL, with the same rule for changes at one instant."""

from __future__ import annotations

MOVEMENTS = """
WITH last AS (
  SELECT account_id, date_trunc('month', day)::DATE AS period, arg_max(mrr_minor, row(changed_at, mrr_minor)) AS closing
  FROM kept.subscriptions GROUP BY ALL),
moved AS (
  SELECT account_id, period, closing, lag(closing, 1, 0) OVER before AS opening,
    coalesce(max(closing) OVER (before ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) > 0 AS paid
  FROM last WINDOW before AS (PARTITION BY account_id ORDER BY period)),
summed AS (
  SELECT period,
    sum(CASE WHEN opening = 0 AND NOT paid THEN closing ELSE 0 END) AS new,
    sum(CASE WHEN opening = 0 AND paid THEN closing ELSE 0 END) AS reactivation,
    sum(CASE WHEN opening > 0 AND closing > opening THEN closing - opening ELSE 0 END) AS expansion,
    sum(CASE WHEN closing > 0 AND closing < opening THEN opening - closing ELSE 0 END) AS contraction,
    sum(CASE WHEN closing = 0 THEN opening ELSE 0 END) AS churn
  FROM moved GROUP BY period),
run AS (SELECT *, sum(new + reactivation + expansion - contraction - churn) OVER (ORDER BY period) AS closing FROM summed)
SELECT period, coalesce(lag(closing) OVER (ORDER BY period), 0) AS opening,
  new, reactivation, expansion, contraction, churn, closing FROM run ORDER BY period"""

MRR = """
WITH last AS (
  SELECT account_id, date_trunc('month', day)::DATE AS period, arg_max(mrr_minor, row(changed_at, mrr_minor)) AS closing
  FROM kept.subscriptions GROUP BY ALL),
moved AS (
  SELECT period, closing, lag(closing, 1, 0) OVER (PARTITION BY account_id ORDER BY period) AS opening FROM last),
summed AS (
  SELECT period, sum(closing - opening) AS more, sum((closing > 0)::INT - (opening > 0)::INT) AS accounts
  FROM moved GROUP BY period)
SELECT period, sum(more) OVER (ORDER BY period) AS value, sum(accounts) OVER (ORDER BY period) AS n FROM summed
ORDER BY period"""

_STANDING = """
WITH spans AS (
  SELECT account_id, changed_at, mrr_minor, day,
    lead(day, 1, DATE '2200-01-01') OVER (PARTITION BY account_id ORDER BY changed_at, mrr_minor) AS next_day
  FROM kept.subscriptions),
months AS (SELECT unnest(generate_series(date_trunc('month', min(day)), {last}, INTERVAL 1 MONTH))::DATE AS period
  FROM kept.subscriptions),
standing AS (
  SELECT account_id, period, mrr_minor FROM spans JOIN months
    ON day < period + INTERVAL 1 MONTH AND next_day >= least(period + INTERVAL 1 MONTH, {end}) WHERE mrr_minor > 0)"""

_BACK = _STANDING + """
SELECT base.period + INTERVAL {months} MONTH AS period, {sums} FROM standing AS base LEFT JOIN standing AS now
  ON now.account_id = base.account_id AND now.period = base.period + INTERVAL {months} MONTH
WHERE base.period + INTERVAL {months} MONTH <= {last} GROUP BY 1 ORDER BY 1"""

NRR = _BACK.replace("{sums}", "sum(coalesce(now.mrr_minor, 0)) AS numerator, sum(base.mrr_minor) AS denominator").replace(
    "{months}", "12")
GROSS_CHURN = _BACK.replace(
    "{sums}", "sum(greatest(base.mrr_minor - coalesce(now.mrr_minor, 0), 0)) AS numerator, sum(base.mrr_minor) AS denominator"
).replace("{months}", "1")

COHORTS = _STANDING + """,
began AS (SELECT account_id, date_trunc('month', min(day))::DATE AS cohort FROM spans WHERE mrr_minor > 0 GROUP BY ALL),
held AS (
  SELECT cohort, period, sum(mrr_minor) AS numerator FROM standing JOIN began USING (account_id) WHERE period >= cohort GROUP BY ALL)
SELECT cohort, date_diff('month', cohort, period) AS age, numerator,
  first_value(numerator) OVER (PARTITION BY cohort ORDER BY period) AS denominator FROM held ORDER BY 1, 2"""

LIFETIMES = """
WITH spans AS (
  SELECT account_id, changed_at, mrr_minor, day,
    lead(day, 1, DATE '2200-01-01') OVER (PARTITION BY account_id ORDER BY changed_at, mrr_minor) AS next_day
  FROM kept.subscriptions),
begun AS (SELECT account_id, min(changed_at) AS began_at, min(day) AS start FROM spans WHERE mrr_minor > 0 GROUP BY ALL),
lives AS (
  SELECT account_id, start,
    min(CASE WHEN mrr_minor = 0 AND changed_at > began_at AND next_day > day THEN day END) AS stop
  FROM spans JOIN begun USING (account_id) GROUP BY ALL),
months AS (
  SELECT (year({last_day}) - year(start)) * 12 + month({last_day}) - month(start) - (day(start) > day({last_day}))::INT AS closed,
    CASE WHEN stop IS NULL THEN 0 ELSE greatest((year(stop) - year(start)) * 12 + month(stop) - month(start)
      + (day(stop) > day(start))::INT, 1) END AS ended
  FROM lives)
SELECT count(*) AS n, sum((ended BETWEEN 1 AND closed)::INT) AS stopped FROM months"""
