"""Recurly: its tables as CSV or Parquet, as data pipelines export them, or objects of its API as JSON.

Histories hold several versions of one row. Of invoices, lines, plans and accounts the last one counts; versions of a
subscription tell what it was worth when: its subtotal (units and add-ons, before tax) over the months of its plan.
What is in the first version held from the first day paid for, after a trial.

An account is named by its code, which the company gave it, so that it meets the events of the product; where no
table of accounts is there, by Recurly's id. Amounts are in major units and without tax; a discount is a line of its own,
taken to be a lasting one, since lines do not say how long a coupon holds (`[revenue] kinds` can say otherwise). Credits for
a change or an end correct the service they are for, other refunds are money given back. Set-up fees, manual charges and
credits and balances carried forward do not recur. Transactions, coupons and planned changes are known and not used:
what was invoiced counts, and changes show in the subscription once they hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.fields import field, reading
from plgkit.readers.times import any_time
from plgkit.readers.versions import LATEST, months, months_between, periods

_KEEPS = {
    "recurly_accounts": {"account_id": "VARCHAR", "said_at": "TIMESTAMP", "code": "VARCHAR", "created_at": "TIMESTAMP"},
    "recurly_plans": {"plan_id": "VARCHAR", "said_at": "TIMESTAMP", "code": "VARCHAR", "name": "VARCHAR", "months": "DOUBLE"},
    "recurly_subscriptions": {
        "subscription_id": "VARCHAR", "said_at": "TIMESTAMP", "account_id": "VARCHAR", "plan_id": "VARCHAR", "plan_code": "VARCHAR",
        "state": "VARCHAR", "started_at": "TIMESTAMP", "expires_at": "TIMESTAMP", "period_from": "TIMESTAMP", "period_to": "TIMESTAMP",
        "canceled_at": "TIMESTAMP", "trial_started_at": "TIMESTAMP", "trial_ended_at": "TIMESTAMP", "paused_at": "TIMESTAMP",
        "currency": "VARCHAR", "subtotal": "DECIMAL(24, 6)", "quantity": "BIGINT"},
    "recurly_invoices": {"invoice_id": "VARCHAR", "said_at": "TIMESTAMP", "issued_at": "TIMESTAMP", "account_id": "VARCHAR",
                         "origin": "VARCHAR", "state": "VARCHAR"},
    "recurly_lines": {
        "line_id": "VARCHAR", "said_at": "TIMESTAMP", "created_at": "TIMESTAMP", "account_id": "VARCHAR", "invoice_id": "VARCHAR",
        "subscription_id": "VARCHAR", "plan_id": "VARCHAR", "plan_code": "VARCHAR", "type": "VARCHAR", "state": "VARCHAR",
        "origin": "VARCHAR", "refund": "BOOLEAN", "proration": "DOUBLE", "currency": "VARCHAR", "subtotal": "DECIMAL(24, 6)",
        "discount": "DECIMAL(24, 6)", "quantity": "BIGINT", "service_from": "TIMESTAMP", "service_to": "TIMESTAMP"},
}


def _text(name: str) -> str:
    return field(f"l.{name}")


def _time(*names: str) -> str:
    """The first of several fields that is a time."""
    return f"coalesce({', '.join(any_time(_text(name)) for name in names)})"


def _number(name: str) -> str:
    return f"try_cast({_text(name)} AS DECIMAL(24, 6))"


def _id(of: str) -> str:
    """An id as tables have it, or inside an object as the API has it."""
    return f"coalesce({_text(f'{of}_id')}, {_text(f'{of}.id')})"


_SAID = _time("updated_at", "_fivetran_synced", "created_at")
_ACCOUNT = f"""
    SELECT {_text('id')} AS account_id, {_SAID} AS said_at, {_text('code')} AS code, {_time('created_at')} AS created_at FROM fields"""
_NAMED = f"""
    SELECT {_text('account.id')} AS account_id, CAST(NULL AS TIMESTAMP) AS said_at, {_text('account.code')} AS code FROM fields
    WHERE {_text('account.code')} IS NOT NULL"""
_PLAN = f"""
    SELECT {_text('id')} AS plan_id, {_SAID} AS said_at, {_text('code')} AS code, {_text('name')} AS name,
           {months(_text('interval_unit'), _text('interval_length'))} AS months FROM fields"""
_SUBSCRIPTION = f"""
    SELECT {_text('id')} AS subscription_id, {_SAID} AS said_at, {_id('account')} AS account_id, {_id('plan')} AS plan_id, {_text('plan.code')} AS plan_code,
           {_text('state')} AS state, {_time('activated_at', 'created_at')} AS started_at, {_time('expires_at')} AS expires_at,
           {_time('current_period_started_at', 'current_period_start')} AS period_from, {_time('current_period_ends_at', 'current_period_end')} AS period_to,
           {_time('canceled_at')} AS canceled_at, {_time('trial_started_at')} AS trial_started_at, {_time('trial_ends_at', 'trial_ended_at')} AS trial_ended_at,
           {_time('paused_at')} AS paused_at, {_text('currency')} AS currency, try_cast({_text('quantity')} AS BIGINT) AS quantity,
           coalesce({_number('subtotal')}, {_number('unit_amount')} * coalesce({_number('quantity')}, 1) + coalesce({_number('add_ons_total')}, 0)) AS subtotal
    FROM fields"""
_INVOICE = f"""
    SELECT {_text('id')} AS invoice_id, {_SAID} AS said_at, {_time('created_at')} AS issued_at, {_id('account')} AS account_id,
           {_text('origin')} AS origin, {_text('state')} AS state FROM fields"""
_LINE = f"""
    SELECT {_text('id')} AS line_id, {_SAID} AS said_at, {_time('created_at')} AS created_at, {_id('account')} AS account_id,
           {_text('invoice_id')} AS invoice_id, {_text('subscription_id')} AS subscription_id, {_text('plan_id')} AS plan_id, {_text('plan_code')} AS plan_code,
           {_text('type')} AS type, {_text('state')} AS state, {_text('origin')} AS origin, coalesce(lower({_text('refund')}) = 'true', false) AS refund,
           try_cast({_text('proration_rate')} AS DOUBLE) AS proration, {_text('currency')} AS currency,
           coalesce({_number('subtotal')}, {_number('unit_amount')} * coalesce({_number('quantity')}, 1), {_number('amount')} - coalesce({_number('tax')}, 0)) AS subtotal,
           {_number('discount')} AS discount, try_cast({_text('quantity')} AS BIGINT) AS quantity,
           {_time('start_date')} AS service_from, {_time('end_date')} AS service_to FROM fields"""
_IN_INVOICES = """
    SELECT json_merge_patch(json_object('invoice_id', l->>'$.id'), line) AS l
    FROM (SELECT l, unnest(json_extract(l, '$.line_items[*]') || json_extract(l, '$.line_items.data[*]')) AS line FROM whole)"""


def _makes(objects: str = "SELECT l FROM whole", **queries: str) -> dict[str, str]:
    """SELECTs over the row as one JSON object, `l`."""
    whole = "WITH whole AS (SELECT json_merge_patch(CAST(rest AS JSON), json_object('id', id)) AS l FROM rows)"
    return {f"recurly_{table}": f"{whole}, objects AS ({objects}) SELECT * FROM ({reading(query, 'objects')})" for table, query in queries.items()}


def _feeds(name: str, telling: tuple[str, ...], needs: tuple[str, ...], makes: dict[str, str]) -> tuple[Feed, Feed]:
    """A sort of row, as an object of the API and as a table."""
    missing = {"id": f"its {name} has no id"} | {each: f"its {name} has no {each}" for each in needs}
    return (Feed(f"{name} of the API", {"object": name}, ("id",), makes, needs={"id": missing["id"]}),
            Feed(f"{name} table", dict.fromkeys(("id", *telling)), ("id",), makes, needs={"id": missing["id"]}))


_FEEDS = (
    *_feeds("subscription", ("plan_id", "activated_at", "state"), (), _makes(subscriptions=_SUBSCRIPTION) | _makes(accounts=_NAMED)),
    *_feeds("line_item", ("invoice_id", "origin", "start_date", "end_date"), (), _makes(lines=_LINE)),
    *_feeds("invoice", ("number", "origin", "state"), (), _makes(invoices=_INVOICE, accounts=_NAMED) | _makes(_IN_INVOICES, lines=_LINE)),
    *_feeds("plan", ("interval_unit", "interval_length"), (), _makes(plans=_PLAN)),
    *_feeds("account", ("code", "bill_to"), (), _makes(accounts=_ACCOUNT)),
)
_OTHER = (
    Feed("planned change", {"subscription_id": None, "activate_at": None}, ("id",), {}),
    Feed("transaction", {"id": None, "voided_at": None, "original_transaction_id": None}, ("id",), {}),
    *(Feed(name, {"object": name}, ("id",), {}) for name in ("transaction", "subscription_change", "coupon", "coupon_redemption", "credit_payment", "add_on", "item")),
    *(Feed(f"{name} table", {"_fivetran_synced": None}, ("id",), {}, files=(f"*{name}*",)) for name in (
        "account_balance", "account_note", "add_on", "billing_info", "coupon", "credit_payment", "invoice_subscription", "plan_currency",
        "transaction")),
)
_CODES = "SELECT account_id, min(code) AS code FROM own_recurly_accounts WHERE code IS NOT NULL GROUP BY 1"
_ENDS = "coalesce(s.expires_at, CASE WHEN s.state IN ('canceled', 'expired') THEN coalesce(s.period_to, s.canceled_at) END)"
_MONTHS = f"coalesce(p.months, {months_between('s.period_from', 's.period_to')})"
_BEGAN = "greatest(s.started_at, s.trial_ended_at)"
_ONLY_TRIED = f"({_ENDS} <= s.trial_ended_at AND s.trial_started_at IS NOT NULL)"
_STATUS = "CASE s.state WHEN 'failed' THEN 'unpaid' WHEN 'expired' THEN 'canceled' WHEN 'future' THEN 'active' ELSE s.state END"
_TOLD = f"""
    SELECT s.subscription_id, {{said}} AS said_at, coalesce(c.code, s.account_id, s.subscription_id) AS account_id,
           CASE WHEN {_ONLY_TRIED} THEN s.trial_started_at ELSE {_BEGAN} END AS began_at, {_ENDS} AS ended_at, s.canceled_at,
           CASE WHEN {_ONLY_TRIED} THEN 'trialing' ELSE {{status}} END AS status,
           CAST(round(s.subtotal / {_MONTHS}, 2) AS DECIMAL(18, 2)) AS mrr, coalesce(p.name, p.code, s.plan_code, s.plan_id) AS plan, s.quantity AS seats,
           upper(s.currency) AS currency, CAST(NULL AS VARCHAR) AS motion
    FROM own_recurly_subscriptions s LEFT JOIN ({LATEST.format(table='recurly_plans', key='plan_id')}) p USING (plan_id)
    LEFT JOIN ({_CODES}) c ON c.account_id = s.account_id"""
# What is paused says since when; until then it was paid for.
_PAUSED = "s.state = 'paused' AND s.paused_at IS NOT NULL"
_VERSIONS = f"""
    {_TOLD.format(said=f"CASE WHEN {_PAUSED} THEN s.paused_at - INTERVAL 1 MICROSECOND ELSE s.said_at END", status=f"CASE WHEN {_PAUSED} THEN 'active' ELSE {_STATUS} END")}
    UNION ALL {_TOLD.format(said='s.paused_at', status="'paused'")} WHERE {_PAUSED}"""
_KIND = """
    CASE WHEN l.type = 'credit' AND l.refund AND coalesce(i.origin, '') NOT IN ('immediate_change', 'termination', 'write_off') THEN 'refund'
         WHEN l.type = 'credit' AND l.origin IN ('plan', 'add_on') THEN 'credit'
         WHEN l.origin = 'coupon' THEN 'one_off_discount'
         WHEN l.origin = 'plan' AND l.proration > 0 AND l.proration < 1 THEN 'proration'
         WHEN l.origin = 'plan' THEN 'subscription' WHEN l.origin = 'add_on' THEN 'add_on' ELSE 'one_off' END"""
_PAID = """
    CASE WHEN l.invoice_id IS NULL OR l.state = 'pending' THEN 'draft' ELSE CASE i.state
         WHEN 'pending' THEN 'open' WHEN 'processing' THEN 'open' WHEN 'closed' THEN 'paid' WHEN 'collected' THEN 'paid' WHEN 'failed' THEN 'unpaid'
         WHEN 'voided' THEN 'void' ELSE i.state END END"""
_LINES = f"""
    WITH every AS (
        SELECT l.*, coalesce(c.code, l.account_id, i.account_id, l.subscription_id, l.line_id) AS account, coalesce(i.issued_at, l.created_at, l.service_from) AS issued_at,
               {_KIND} AS kind_of, {_PAID} AS status, CASE WHEN l.type = 'credit' THEN -1 ELSE 1 END AS sign, coalesce(p.name, l.plan_code, l.plan_id) AS plan,
               s.canceled_at
        FROM ({LATEST.format(table='recurly_lines', key='line_id')}) l
        LEFT JOIN ({LATEST.format(table='recurly_invoices', key='invoice_id')}) i USING (invoice_id)
        LEFT JOIN ({_CODES}) c ON c.account_id = coalesce(l.account_id, i.account_id)
        LEFT JOIN ({LATEST.format(table='recurly_plans', key='plan_id')}) p ON p.plan_id = l.plan_id
        LEFT JOIN ({LATEST.format(table='recurly_subscriptions', key='subscription_id')}) s ON s.subscription_id = l.subscription_id),
    both_ways AS (
        SELECT *, line_id AS row_id, kind_of AS kind, sign * abs(subtotal) AS amount FROM every
        UNION ALL SELECT *, line_id || '/discount', CASE WHEN sign < 0 OR kind_of = 'one_off' THEN kind_of ELSE 'discount' END, -sign * abs(discount)
        FROM every WHERE discount <> 0)
    SELECT row_id, said_at, account AS account_id, issued_at, amount, service_from, service_to, row_id AS line_id, invoice_id, subscription_id, plan,
           quantity AS seats, upper(currency) AS currency, kind, status, canceled_at FROM both_ways"""
_ACCOUNTS = f"""
    SELECT coalesce(a.code, a.account_id) AS account_id, a.said_at, a.created_at, CAST(NULL AS TIMESTAMP) AS trial_started_at, CAST(NULL AS TIMESTAMP) AS trial_ended_at
    FROM own_recurly_accounts a
    UNION ALL SELECT coalesce(c.code, s.account_id, s.subscription_id), s.started_at, NULL, s.trial_started_at, s.trial_ended_at
    FROM own_recurly_subscriptions s LEFT JOIN ({_CODES}) c USING (account_id)
    UNION ALL SELECT coalesce(c.code, i.account_id), i.issued_at, NULL, NULL, NULL
    FROM own_recurly_invoices i LEFT JOIN ({_CODES}) c USING (account_id) WHERE i.account_id IS NOT NULL
    UNION ALL SELECT coalesce(c.code, l.account_id), l.created_at, NULL, NULL, NULL
    FROM own_recurly_lines l LEFT JOIN ({_CODES}) c USING (account_id) WHERE l.account_id IS NOT NULL"""


def _words(tables: Mapping[str, int]) -> str:
    """Which of both tells what accounts pay; where lines are few, they are not all there."""
    lines, stretches = tables.get("invoice_lines", 0), tables.get("subscription_periods", 0)
    if not lines or not stretches:
        return ""
    if lines > 2 * stretches:
        return ('[revenue]\n# Lines of invoices know the past; versions of a subscription begin with the pipeline that kept them.\n'
                'source = "invoices"\n')
    return ('[revenue]\n# There are few lines of invoices beside the subscriptions. Where all of them are there, "invoices" is exact, '
            'discounts included.\nsource = "periods"\n')


READER = Reader(
    "recurly", (*_FEEDS, *_OTHER), keeps=_KEEPS,
    joins={"accounts": _ACCOUNTS, "subscription_periods": periods(_VERSIONS), "invoice_lines": _LINES}, playbook=_words)
