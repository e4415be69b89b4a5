"""Every row behind recurring revenue as a stretch of service with what it is worth a month."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import ibis
from ibis import _
from ibis.expr.types import IntegerValue, StringValue, Table

from plgkit.playbook import Playbook
from plgkit.sources import engine
from plgkit.sources.billing.months import rounded, with_months
from plgkit.sources.billing.words import BACKWARDS, NO_END, NO_SERVICE, PERIODS, check, meaning

if TYPE_CHECKING:
    from plgkit.sources.data import Data

FAR = "9999-12-31"
_NO_TIME = "timestamp(6)"
_COLUMNS = ["account_id", "subscription_id", "reference", "line_id", "issued_at", "kind", "status", "plan", "seats", "motion", "currency",
            "amount_minor", "from_at", "until_at", "months", "monthly_minor", "reason"]
_MEASURED = [*(name for name in _COLUMNS if name != "monthly_minor"), "canceled_at"]


def lines(data: Data, name: str) -> Table:
    """One row per period or line of an invoice, with what it adds to the account's recurring revenue, and when.

    Columns: account_id, subscription_id, reference (invoice or subscription), line_id, issued_at, kind, status,
    plan, seats, motion, currency, amount_minor (as it stands in the source), from_at, until_at, from_day, until_day
    (without this day; 9999-12-31 while it runs), months, mrr_minor (in the product's currency) and
    reason: why it is no recurring revenue, NULL where it is.

    An amount over m months is worth amount / m in each of them, rounded once, so that no movement
    comes from cents: 1,200 over a year is 100 a month. A part of a stretch is measured by what it is a
    part of: lines of one subscription that end together, and are not whole months, are parts of the
    longest of them, as charges and credits of a change in the middle of a month or year are.
    """
    rows, words = data.table(name), data.playbook
    check(rows, name, words)
    made = _periods(rows, words) if name == PERIODS else _invoices(data, rows)
    made = made.mutate(mrr_minor=worth(made.monthly_minor, made.currency, words))
    return engine.keep(data.connection, "billing_lines", _in_days(data, made, _bounds(data, rows)))


def _periods(rows: Table, words: Playbook) -> Table:
    status = meaning(rows.status, "status", words)
    end = _last_day_in(rows.ended_at, words)
    canceled = (status == "canceled").fill_null(False)
    end = ibis.coalesce(end, canceled.ifelse(rows.canceled_at, ibis.null(_NO_TIME)))
    rows = _with_next(rows.mutate(status=status, from_at=rows.started_at, until_at=end))
    rows = rows.mutate(until_at=_earliest(rows.until_at, rows.next_at))
    if words.revenue.churn_at == "cancellation":
        rows = _cut_at_cancellation(rows)
    reason = ibis.cases(
        *_not_counted(rows.status, words),
        ((rows.status == "canceled").fill_null(False) & rows.until_at.isnull(), NO_END),
        ((rows.until_at < rows.from_at).fill_null(False), BACKWARDS),
        else_=ibis.null("string"))
    return rows.mutate(
        reason=reason, reference=rows.subscription_id, line_id=ibis.null("string"), issued_at=rows.started_at,
        kind=ibis.literal("subscription"), amount_minor=rows.mrr_minor,
        monthly_minor=rows.mrr_minor, months=ibis.null("float64")).select(_COLUMNS)


def _with_next(rows: Table) -> Table:
    """Add when the next stretch of the same subscription begins: there are not two of one at once."""
    starts = rows.filter(_.subscription_id.notnull()).select("account_id", "subscription_id", "from_at").distinct()
    following = starts.from_at.lead().over(
        ibis.window(group_by=[starts.account_id, starts.subscription_id], order_by=starts.from_at))
    starts = starts.mutate(next_at=following).rename(its_account="account_id", its_id="subscription_id", its_start="from_at")
    return rows.left_join(starts, [rows.account_id == starts.its_account, rows.subscription_id == starts.its_id,
                                   rows.from_at == starts.its_start]).drop("its_account", "its_id", "its_start")


def _invoices(data: Data, rows: Table) -> Table:
    """Lines of invoices, each with its amount a month."""
    words, revenue = data.playbook, data.playbook.revenue
    start = ibis.coalesce(rows.service_from, rows.issued_at)
    end = _last_day_in(rows.service_to, words)
    if revenue.service_months:
        end = ibis.coalesce(end, start + ibis.interval(months=revenue.service_months))
    rows = rows.mutate(kind=meaning(rows.kind, "kind", words).fill_null("subscription"),
                       status=meaning(rows.status, "status", words), from_at=start, until_at=end)
    rows = rows.mutate(reason=ibis.cases(
        *_not_counted(rows.status, words), *_not_recurring(rows.kind, words),
        (rows.until_at.isnull(), NO_SERVICE),
        (rows.until_at <= rows.from_at, BACKWARDS),
        else_=ibis.null("string")))
    reference = ibis.coalesce(rows.invoice_id, rows.line_id, rows.subscription_id)
    rows = with_months(rows.mutate(reference=reference), "from_at", "until_at")
    rows = engine.keep(data.connection, "measured", _monthly(rows.select(*_MEASURED)))
    if len(data.run(rows.filter(_.part).select("account_id").limit(1))):
        rows = _settled(rows)
    if revenue.churn_at == "cancellation":
        rows = _cut_at_cancellation(rows)
    return rows.select(_COLUMNS)


def _monthly(rows: Table) -> Table:
    """Add the amount a month; parts of a stretch are measured by the whole that they are part of.

    A line of whole months is its own measure, also where an annual one ends with it, unless it is a proration.
    """
    counts = rows.reason.isnull()
    seconds = engine.seconds_between(rows.until_at, rows.from_at)
    together = ibis.window(group_by=[rows.account_id, rows.subscription_id, rows.until_at, counts])
    rows = rows.mutate(seconds=seconds, whole_seconds=seconds.max().over(together), whole_months=rows.months.max().over(together))
    own = ~counts | ((rows.months == rows.months.floor()) & (rows.kind != "proration"))
    months = own.ifelse(rows.months, rows.whole_months * rows.seconds / rows.whole_seconds)
    rows = rows.mutate(months=months, own=own)
    rows = rows.mutate(monthly_minor=counts.ifelse(rounded(rows.amount_minor / rows.months), 0))
    part = counts & ((rows.amount_minor < 0) | (~rows.own & (rows.seconds < rows.whole_seconds)))
    return rows.mutate(part=part).drop("own")


def _settled(rows: Table) -> Table:
    """Free the amounts of parts from the rounding of their cents.

    A credit for a part of a month takes back what a line that it ends with is worth, and the charge for
    a part is worth what the whole line after it is, where the rounding of a cent explains the difference.
    """
    same = ["account_id", "subscription_id", "monthly_minor", "months"]
    parts = rows.filter(_.part).select(*same, "from_at", "until_at").distinct()
    whole = rows.filter(_.reason.isnull() & (_.amount_minor > 0)).select(*same, "from_at", "until_at", "part").distinct()
    whole = whole.rename(**{f"its_{name}": name for name in whole.columns})
    alike = parts.account_id == whole.its_account_id
    known = parts.subscription_id.fill_null("") == whole.its_subscription_id.fill_null("")
    pairs = parts.inner_join(whole, [alike, known])
    gap = (pairs.monthly_minor.abs() - pairs.its_monthly_minor).abs()
    near = gap <= 1 + 0.5 / pairs.months + 0.5 / pairs.its_months
    back = (pairs.monthly_minor < 0) & (pairs.its_until_at == pairs.until_at) & (pairs.its_from_at <= pairs.from_at)
    ahead = (pairs.monthly_minor > 0) & ~pairs.its_part & (pairs.its_from_at == pairs.until_at)
    pairs = pairs.mutate(gap=gap).filter(near & (back | ahead))
    place = ibis.row_number().over(ibis.window(group_by=[pairs[name] for name in [*same, "from_at", "until_at"]],
                                               order_by=[pairs.gap, pairs.its_monthly_minor]))
    best = pairs.mutate(place=place).filter(_.place == 0).select(
        *same, "from_at", "until_at", worth=(_.monthly_minor < 0).ifelse(-_.its_monthly_minor, _.its_monthly_minor))
    best = best.mutate(subscription_id=best.subscription_id.fill_null(""))
    best = best.rename(**{f"its_{name}": name for name in best.columns if name != "worth"})
    joined = rows.left_join(best, [
        rows.account_id == best.its_account_id, rows.subscription_id.fill_null("") == best.its_subscription_id,
        rows.from_at == best.its_from_at, rows.until_at == best.its_until_at, rows.monthly_minor == best.its_monthly_minor,
        rows.part])
    settled = ibis.coalesce(joined.worth, joined.monthly_minor)
    return joined.mutate(monthly_minor=settled).drop("worth", "part", *[name for name in best.columns if name.startswith("its_")])


def _not_counted(status: StringValue, words: Playbook) -> list[tuple[ibis.Value, str]]:
    """The states in which nothing is paid."""
    without = {"trialing": "a trial", "unpaid": "unpaid", "uncollectible": "written off", "void": "void", "draft": "a draft"}
    if words.revenue.past_due == "stops":
        without["past_due"] = "past due"
    if words.revenue.paused == "stops":
        without["paused"] = "paused"
    return [((status == word).fill_null(False), f"it is {said}") for word, said in without.items()]


def _not_recurring(kind: StringValue, words: Playbook) -> list[tuple[ibis.Value, str]]:
    """The kinds that are no promise for next month."""
    without = {"tax": "tax", "one_off": "a one-off"}
    if words.revenue.usage == "leave_out":
        without["usage"] = "usage"
    if words.revenue.refunds == "ignore":
        without["refund"] = "a refund"
    if words.revenue.one_off_discounts == "ignore":
        without["one_off_discount"] = "a discount for once"
    return [(kind == word, f"it is {said}") for word, said in without.items()]


def _last_day_in(moment: ibis.Value, words: Playbook) -> ibis.Value:
    """The first instant without service: a day's last minute means its end."""
    late = (moment.hour() == 23) & (moment.minute() == 59)
    following = moment.truncate("D") + ibis.interval(days=1)
    other = moment + ibis.interval(days=1) if words.revenue.service_end == "last day" else moment
    return late.ifelse(following, other)


def _earliest(one: ibis.Value, other: ibis.Value) -> ibis.Value:
    return ibis.cases((one.isnull(), other), (other.isnull(), one), (other < one, other), else_=one)


def _cut_at_cancellation(rows: Table) -> Table:
    asked = (rows.canceled_at > rows.from_at).fill_null(False)
    return rows.mutate(until_at=_earliest(rows.until_at, asked.ifelse(rows.canceled_at, ibis.null(_NO_TIME))))


def worth(minor: IntegerValue, currency: StringValue, words: Playbook) -> IntegerValue:
    """An amount in the product's currency."""
    code, rates = currency.strip().upper(), words.revenue.rates
    if not rates:
        return minor
    return ibis.cases(*[(code == each, rounded(minor * rate)) for each, rate in sorted(rates.items())
                        if each != words.product.currency], else_=minor)


def _in_days(data: Data, rows: Table, bounds: tuple[dt.date, dt.date]) -> Table:
    """Add the days of the product's zone, and the currency in capitals."""
    zone, product = data.playbook.product.time_zone, data.playbook.product.currency

    def day(moment: ibis.Value) -> ibis.Value:
        return engine.local(moment, zone, first=bounds[0], last=bounds[1]).date()

    return rows.mutate(
        from_day=day(rows.from_at), until_day=ibis.coalesce(day(rows.until_at), ibis.date(FAR)),
        currency=rows.currency.strip().upper().fill_null(product)).drop("monthly_minor")


def _bounds(data: Data, rows: Table) -> tuple[dt.date, dt.date]:
    """The first and last day of all stretches; a playbook's months without an end may lead on from there."""
    if data.playbook.product.time_zone == "UTC":
        return data.as_of, data.as_of
    times = [name for name in ("started_at", "ended_at", "issued_at", "service_from", "service_to") if name in rows.columns]
    sane = [rows[each].between(ibis.timestamp("1970-01-01 00:00:00"), ibis.timestamp("2100-01-01 00:00:00")).ifelse(
        rows[each], ibis.null(_NO_TIME)) for each in times]
    found = engine.run(rows.aggregate(**{f"low_{n}": each.min() for n, each in enumerate(sane)},
                                      **{f"high_{n}": each.max() for n, each in enumerate(sane)})).iloc[0].dropna()
    if found.empty:
        return data.as_of, data.as_of
    months = data.playbook.revenue.service_months or 0
    return found.min().date(), max(found.max().date() + 31 * months * engine.DAY, data.as_of)


def known_by(rows: Table, data: Data) -> Table:
    """Periods and lines without what happened to them after `as_of`: an end, a wish to end."""
    def later(moment: ibis.Value) -> ibis.Value:
        return (moment >= data.end_literal).fill_null(False)

    canceled = later(rows.canceled_at)
    made = {"canceled_at": canceled.ifelse(ibis.null(_NO_TIME), rows.canceled_at)}
    if "ended_at" in rows.columns:
        ended = later(rows.ended_at)
        still = (ended | (canceled & rows.ended_at.isnull())) & (meaning(rows.status, "status", data.playbook) == "canceled")
        made |= {"ended_at": ended.ifelse(ibis.null(_NO_TIME), rows.ended_at),
                 "status": still.fill_null(False).ifelse(ibis.null("string"), rows.status)}
    return rows.mutate(**made)
