"""Chargebee: what its API lists, or sends as events, as JSON or JSON Lines.

Amounts are whole numbers: hundredths, or units of currencies that have no smaller ones; times are seconds since 1970.
A subscription says only what it is now: every version of it that an export or event holds is a period, and its
first version held from the first day paid for. It is worth its `mrr`, else its items or plan and add-ons over the
months of their prices. A subscription that is not renewing ends when it is cancelled, which lies ahead.

Lines of invoices are without tax, also where prices include it. A discount is a line of its own: a lasting one, unless its
coupon is there and holds once or for a while. Credits that were promised or left over pay an invoice, and change nothing.
Set-up fees, single charges and add-ons without a service do not recur. Credit notes for changes, cancellations, pauses, write-offs
and what was still due correct the service they are for; the others are money given back.
"""

from __future__ import annotations

from collections.abc import Collection

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.fields import field, reading
from plgkit.readers.times import any_time
from plgkit.readers.versions import LATEST, months, months_between, periods

# Currencies without a minor unit (ISO 4217); all others have two digits in the API.
_WHOLE = ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
_KEEPS = {
    "chargebee_subscriptions": {
        "subscription_id": "VARCHAR", "said_at": "TIMESTAMP", "customer_id": "VARCHAR", "state": "VARCHAR", "started_at": "TIMESTAMP",
        "activated_at": "TIMESTAMP", "cancelled_at": "TIMESTAMP", "asked_at": "TIMESTAMP", "trial_started_at": "TIMESTAMP",
        "trial_ended_at": "TIMESTAMP", "paused_at": "TIMESTAMP", "mrr": "DECIMAL(24, 6)", "months": "DOUBLE", "currency": "VARCHAR"},
    "chargebee_items": {"subscription_id": "VARCHAR", "said_at": "TIMESTAMP", "price_id": "VARCHAR", "sort": "VARCHAR",
                        "quantity": "BIGINT", "amount": "DECIMAL(24, 6)"},
    "chargebee_prices": {"price_id": "VARCHAR", "said_at": "TIMESTAMP", "name": "VARCHAR", "amount": "DECIMAL(24, 6)", "model": "VARCHAR",
                         "free": "BIGINT", "months": "DOUBLE"},
    "chargebee_coupons": {"coupon_id": "VARCHAR", "said_at": "TIMESTAMP", "lasts": "VARCHAR"},
    "chargebee_lines": {
        "line_id": "VARCHAR", "said_at": "TIMESTAMP", "invoice_id": "VARCHAR", "customer_id": "VARCHAR", "subscription_id": "VARCHAR",
        "issued_at": "TIMESTAMP", "amount": "DECIMAL(24, 6)", "service_from": "TIMESTAMP", "service_to": "TIMESTAMP", "price_id": "VARCHAR",
        "quantity": "BIGINT", "kind": "VARCHAR", "coupon_id": "VARCHAR", "status": "VARCHAR", "currency": "VARCHAR"},
}


def _time(*names: str) -> str:
    """The first of several fields that is a time."""
    return f"coalesce({', '.join(any_time(field(name)) for name in names)})"


def _money(amount: str, currency: str) -> str:
    whole = ", ".join(f"'{code}'" for code in _WHOLE)
    return f"(try_cast({amount} AS DECIMAL(24, 6)) / CASE WHEN upper({currency}) IN ({whole}) THEN 1 ELSE 100 END)"


def _whole_number(name: str) -> str:
    return f"try_cast({field(name)} AS BIGINT)"


def _yes(name: str) -> str:
    return f"coalesce(lower({field(name)}) = 'true', false)"


def _said(whose: str, *otherwise: str) -> str:
    """When an object was as it is; old answers of the API do not tell, and were read no earlier than the last time they hold."""
    latest = ", ".join(any_time(field(f"{whose}.{name}")) for name in (*otherwise, "created_at"))
    return f"coalesce({_time(f'{whose}.resource_version', f'{whose}.updated_at')}, greatest({latest}))"


_OBJECTS = ("subscription", "customer", "invoice", "credit_note", "plan", "item_price", "addon", "coupon")
_VERSIONS_OF = "(SELECT subscription AS s, customer AS c FROM objects WHERE subscription->>'$.id' IS NOT NULL)"
_SAID_AT = f"""greatest({_said('s', 'started_at', 'activated_at', 'current_term_start', 'cancel_schedule_created_at')},
                CASE WHEN {field('s.status')} = 'cancelled' THEN {_time('s.cancelled_at')} END) AS said_at"""
_CUSTOMER = f"coalesce({field('s.customer_id')}, {field('c.id')}, {field('s.id')})"


def _item(price: str, sort: str, amount: str, each: str, quantity: str, of: str = "i") -> str:
    """What a part of a subscription costs for its period."""
    price, amount, each, quantity = (field(f"{of}.{name}") for name in (price, amount, each, quantity))
    whole = f"coalesce({amount}, CAST(try_cast({each} AS BIGINT) * try_cast({quantity} AS BIGINT) AS VARCHAR))"
    return f"{price} AS price_id, {sort} AS sort, try_cast({quantity} AS BIGINT) AS quantity, {whole} AS amount"


def _items(name: str, *columns: str, sort: str) -> str:
    several = f"(SELECT subscription_id, said_at, currency, unnest(json_extract(s, '$.{name}[*]')) AS i FROM versions)"
    return f"SELECT * FROM ({reading(f'SELECT subscription_id, said_at, currency, {_item(columns[0], sort, *columns[1:])} FROM fields', several)})"


_MAKES = {
    "chargebee_subscriptions": reading(f"""
        SELECT {field('s.id')} AS subscription_id, {_SAID_AT}, {_CUSTOMER} AS customer_id, CASE WHEN {_yes('s.deleted')} THEN 'deleted' ELSE {field('s.status')} END AS state,
               {_time('s.start_date', 's.started_at', 's.created_at')} AS started_at, {_time('s.activated_at')} AS activated_at, {_time('s.cancelled_at')} AS cancelled_at,
               {_time('s.cancel_schedule_created_at', 's.cancelled_at')} AS asked_at, {_time('s.trial_start')} AS trial_started_at,
               {_time('s.trial_end')} AS trial_ended_at, {_time('s.pause_date')} AS paused_at, {_money(field('s.mrr'), field('s.currency_code'))} AS mrr,
               coalesce({months(field('s.billing_period_unit'), field('s.billing_period'))}, {months_between(_time('s.current_term_start'), _time('s.current_term_end'))}) AS months,
               {field('s.currency_code')} AS currency FROM fields""", _VERSIONS_OF),
    "chargebee_items": f"""
        WITH versions AS ({reading(f"SELECT s, {field('s.id')} AS subscription_id, {_SAID_AT}, {field('s.currency_code')} AS currency FROM fields", _VERSIONS_OF)}),
        plans AS ({reading(f"SELECT subscription_id, said_at, currency, {_item('plan_id', chr(39) + 'plan' + chr(39), 'plan_amount', 'plan_unit_price', 'plan_quantity', of='s')} FROM fields", 'versions')}),
        items AS (
            SELECT * FROM plans WHERE price_id IS NOT NULL
            UNION ALL {_items('subscription_items', 'item_price_id', 'amount', 'unit_price', 'quantity', sort=field('i.item_type'))}
            UNION ALL {_items('addons', 'id', 'amount', 'unit_price', 'quantity', sort="'addon'")})
        SELECT * REPLACE ({_money('amount', 'currency')} AS amount) FROM items WHERE sort IN ('plan', 'addon')""",
    "accounts": " UNION ALL BY NAME ".join(f"SELECT * FROM ({query})" for query in (
        reading(f"""
            SELECT {_CUSTOMER} AS account_id, {_time('s.created_at', 's.started_at')} AS said_at, {_time('c.created_at')} AS created_at,
                   {_time('s.trial_start')} AS trial_started_at, {_time('s.trial_end')} AS trial_ended_at FROM fields""", _VERSIONS_OF),
        reading(f"""
            SELECT {field('c.id')} AS account_id, {_time('c.created_at')} AS said_at, {_time('c.created_at')} AS created_at FROM fields""",
                "(SELECT customer AS c FROM objects WHERE customer->>'$.id' IS NOT NULL)"),
        reading(f"""
            SELECT {field('d.customer_id')} AS account_id, {_time('d.date', 'd.start_date')} AS said_at FROM fields
            WHERE {field('d.customer_id')} IS NOT NULL""", "(SELECT unnest([invoice, credit_note]) AS d FROM objects)"))),
    "chargebee_prices": reading(f"""
        SELECT {field('p.id')} AS price_id, {_said('p')} AS said_at, coalesce({field('p.external_name')}, {field('p.invoice_name')}, {field('p.name')}) AS name,
               {_money(field('p.price'), field('p.currency_code'))} AS amount, coalesce({field('p.pricing_model')}, {field('p.charge_model')}, {field('p.type')}) AS model,
               {_whole_number('p.free_quantity')} AS free, {months(field('p.period_unit'), field('p.period'))} AS months
        FROM fields WHERE {field('p.id')} IS NOT NULL""", "(SELECT unnest([plan, item_price, addon]) AS p FROM objects)"),
    "chargebee_coupons": reading(f"""
        SELECT {field('k.id')} AS coupon_id, {_said('k')} AS said_at, {field('k.duration_type')} AS lasts FROM fields WHERE {field('k.id')} IS NOT NULL""",
        "(SELECT coupon AS k FROM objects)"),
}
# What pays an invoice is no discount.
_PAYS = "('promotional_credits', 'prorated_credits')"
_CORRECTS = (f"{field('d.type')} = 'adjustment' OR coalesce({field('d.reason_code')}, 'write_off') IN "
             "('write_off', 'subscription_change', 'subscription_cancellation', 'subscription_pause')")
_CORRECTING = f"CASE WHEN {_CORRECTS} THEN 'credit' ELSE 'refund' END"
_STATUS = f"""
    CASE WHEN {_yes('d.deleted')} THEN 'void' ELSE CASE {field('d.status')}
         WHEN 'posted' THEN 'open' WHEN 'payment_due' THEN 'past_due' WHEN 'not_paid' THEN 'unpaid' WHEN 'voided' THEN 'void' WHEN 'pending' THEN 'draft'
         WHEN 'adjusted' THEN 'paid' WHEN 'refunded' THEN 'paid' WHEN 'refund_due' THEN 'paid' ELSE {field('d.status')} END END"""
_DOCUMENTS = reading(f"""
    SELECT sign, {_said('d', 'date')} AS said_at, {field('d.id')} AS invoice_id, {field('d.customer_id')} AS customer_id, {field('d.subscription_id')} AS subscription_id,
           {_time('d.date', 'd.end_date', 'd.start_date', 'd.generated_at', 'd.created_at')} AS issued_at, {_STATUS} AS status, {field('d.currency_code')} AS currency,
           {field('d.price_type')} = 'tax_inclusive' AS with_tax, CASE WHEN sign < 0 THEN {_CORRECTING} END AS correcting,
           json_extract(d, '$.line_items[*]') AS ls, json_extract(d, '$.line_item_discounts[*]') AS xs
    FROM fields""", """(
    SELECT invoice AS d, 1 AS sign FROM objects WHERE invoice->>'$.id' IS NOT NULL
    UNION ALL SELECT credit_note, -1 FROM objects WHERE credit_note->>'$.id' IS NOT NULL)""")
_KIND = """
    CASE WHEN correcting IS NOT NULL THEN correcting WHEN metered THEN 'usage' WHEN sort IN ('plan', 'plan_item_price') THEN 'subscription'
         WHEN sort IN ('addon', 'addon_item_price') AND service_to > service_from THEN 'add_on' ELSE 'one_off' END"""
_LESS = "CASE WHEN kind IN ('subscription', 'add_on') THEN 'discount' ELSE kind END"
_READ = reading(f"""
    SELECT sign, said_at, invoice_id, issued_at, status, currency, correcting, less, coalesce(customer_id, {field('l.customer_id')}) AS customer_id,
           coalesce({field('l.subscription_id')}, subscription_id) AS subscription_id, coalesce({field('l.id')}, invoice_id || '/' || place) AS line_id,
           coalesce({field('l.entity_type')}, {field('l.type')}, 'adhoc') AS sort, {_yes('l.metered')} AS metered, {_whole_number('l.amount')} AS amount,
           CASE WHEN with_tax THEN coalesce({_whole_number('l.tax_amount')}, 0) ELSE 0 END AS tax, {_whole_number('l.discount_amount')} AS discount,
           {_time('l.date_from')} AS service_from, {_time('l.date_to')} AS service_to, {field('l.entity_id')} AS price_id, {_whole_number('l.quantity')} AS quantity
    FROM fields""", "(SELECT * EXCLUDE (ls, xs), len(xs) AS less, unnest(ls) AS l, generate_subscripts(ls, 1) AS place FROM documents)")
_DISCOUNTS = reading(f"""
    SELECT DISTINCT sign, said_at, invoice_id, {field('x.line_item_id')} AS line_id, coalesce({field('x.coupon_id')}, {field('x.entity_id')}) AS coupon_id,
           {field('x.discount_type')} AS type, {_whole_number('x.discount_amount')} AS discount FROM fields""",
    "(SELECT sign, said_at, invoice_id, unnest(xs) AS x FROM documents)")
_MAKES["chargebee_lines"] = f"""
    WITH documents AS ({_DOCUMENTS}), read AS ({_READ}),
    lines AS (SELECT *, {_KIND} AS kind FROM read),
    discounts AS ({_DISCOUNTS}),
    parts AS (
        SELECT * REPLACE (amount - tax AS amount), CAST(NULL AS VARCHAR) AS coupon_id FROM lines
        UNION ALL BY NAME
        SELECT * REPLACE (line_id || '/discount' AS line_id, -discount AS amount, {_LESS} AS kind) FROM lines WHERE discount <> 0 AND coalesce(less, 0) = 0
        UNION ALL BY NAME
        SELECT lines.* REPLACE (lines.line_id || '/' || coalesce(coupon_id, 'discount') AS line_id, -x.discount AS amount, {_LESS} AS kind), coupon_id
        FROM lines JOIN discounts x USING (sign, said_at, invoice_id, line_id) WHERE coalesce(x.type, '') NOT IN {_PAYS})
    SELECT * REPLACE (sign * {_money('amount', 'currency')} AS amount) FROM parts"""


def _makes(found: dict[str, str]) -> dict[str, str]:
    """SELECTs over the objects of a row, wherever in the row each of them is."""
    objects = ", ".join(f"{found[name]} AS {name}" for name in _OBJECTS)
    return {table: f"WITH objects AS (SELECT {objects} FROM rows) SELECT * FROM ({query})" for table, query in _MAKES.items()}


_WRAPPED = _makes({name: f"try_cast({name} AS JSON)" for name in _OBJECTS})
_EVENT = _makes({name: f"json_extract(try_cast(coalesce(event, rest) AS JSON), '$.content.{name}')" for name in _OBJECTS})


def _flat(kind: str) -> Feed:
    found = {name: "CAST(rest AS JSON)" if name == kind else "CAST(NULL AS JSON)" for name in _OBJECTS}
    return Feed(kind, {"object": kind}, ("object",), _makes(found), needs={"json_extract_string(rest, '$.id')": f"its {kind} has no id"})


def _wrapped(kind: str) -> Feed:
    needs = {f"json_extract_string(try_cast({kind} AS JSON), '$.id')": f"its {kind} has no id"}
    return Feed(f"{kind} of the API", {kind: None}, (*_OBJECTS, "object"), _WRAPPED, needs=needs)


_OTHER = ("transaction", "card", "payment_source", "order", "comment", "gift", "quote", "usage", "unbilled_charge", "hosted_page", "item", "item_family",
          "promotional_credit", "virtual_bank_account", "coupon_code", "coupon_set", "contract_term")
_WORTH = """
    coalesce(t.amount, CASE WHEN p.model IN ('flat_fee', 'on_off') THEN p.amount WHEN coalesce(p.model, 'per_unit') IN ('per_unit', 'quantity')
             THEN p.amount * greatest(t.quantity - coalesce(p.free, 0), 0) END)"""
_TOTAL = f"""
    SELECT t.subscription_id, t.said_at, CASE WHEN NOT bool_or({_WORTH} IS NULL) THEN sum({_WORTH} / coalesce(p.months, s.months)) END AS worth,
           max(CASE WHEN t.sort = 'plan' THEN coalesce(p.name, t.price_id) END) AS plan, max(CASE WHEN t.sort = 'plan' THEN t.quantity END) AS seats
    FROM (SELECT DISTINCT * FROM own_chargebee_items) t
    JOIN (SELECT DISTINCT subscription_id, said_at, months FROM own_chargebee_subscriptions) s USING (subscription_id, said_at)
    LEFT JOIN ({LATEST.format(table='chargebee_prices', key='price_id')}) p USING (price_id) GROUP BY 1, 2"""
_BEGAN = "coalesce(s.activated_at, s.trial_ended_at, s.started_at)"
_TRIED = ("(s.state = 'in_trial' OR (s.activated_at IS NULL AND s.trial_started_at IS NOT NULL AND s.cancelled_at <= s.trial_ended_at))")
_STATE = "CASE s.state WHEN 'non_renewing' THEN 'active' WHEN 'future' THEN 'active' WHEN 'cancelled' THEN 'canceled' WHEN 'deleted' THEN 'void' ELSE s.state END"
_TOLD = f"""
    SELECT s.subscription_id, {{said}} AS said_at, coalesce(s.customer_id, s.subscription_id) AS account_id,
           CASE WHEN {_TRIED} THEN coalesce(s.trial_started_at, s.started_at) ELSE {_BEGAN} END AS began_at,
           CASE WHEN s.state IN ('cancelled', 'non_renewing', 'in_trial') THEN s.cancelled_at END AS ended_at,
           CASE WHEN s.state IN ('cancelled', 'non_renewing', 'in_trial') THEN s.asked_at END AS canceled_at,
           CASE WHEN {_TRIED} THEN 'trialing' ELSE {{status}} END AS status,
           CAST(round(CASE WHEN s.state IN ('active', 'non_renewing') THEN coalesce(s.mrr, t.worth) ELSE coalesce(nullif(s.mrr, 0), t.worth, s.mrr) END, 2) AS DECIMAL(18, 2)) AS mrr,
           t.plan, t.seats, upper(s.currency) AS currency, CAST(NULL AS VARCHAR) AS motion
    FROM own_chargebee_subscriptions s LEFT JOIN ({_TOTAL}) t ON t.subscription_id = s.subscription_id AND t.said_at = s.said_at"""
# What is paused says since when; until then it was paid for.
_PAUSED = "s.state = 'paused' AND s.paused_at IS NOT NULL"
_VERSIONS = f"""
    {_TOLD.format(said=f"CASE WHEN {_PAUSED} THEN s.paused_at - INTERVAL 1 MICROSECOND ELSE s.said_at END", status=f"CASE WHEN {_PAUSED} THEN 'active' ELSE {_STATE} END")}
    UNION ALL {_TOLD.format(said='s.paused_at', status="'paused'")} WHERE {_PAUSED}"""
_LINES = f"""
    SELECT l.line_id AS row_id, l.said_at, coalesce(l.customer_id, s.customer_id, l.subscription_id, l.invoice_id) AS account_id, coalesce(l.issued_at, l.service_from, l.said_at) AS issued_at,
           l.amount, l.service_from, l.service_to, l.line_id, l.invoice_id, l.subscription_id, coalesce(p.name, l.price_id) AS plan, l.quantity AS seats,
           upper(l.currency) AS currency, CASE WHEN l.kind = 'discount' AND k.lasts IN ('one_time', 'limited_period') THEN 'one_off_discount' ELSE l.kind END AS kind,
           l.status, s.asked_at AS canceled_at
    FROM (SELECT * FROM own_chargebee_lines QUALIFY rank() OVER (PARTITION BY invoice_id ORDER BY said_at DESC NULLS LAST) = 1) l
    LEFT JOIN ({LATEST.format(table='chargebee_subscriptions', key='subscription_id')}) s USING (subscription_id)
    LEFT JOIN ({LATEST.format(table='chargebee_prices', key='price_id')}) p ON p.price_id = l.price_id
    LEFT JOIN ({LATEST.format(table='chargebee_coupons', key='coupon_id')}) k ON k.coupon_id = l.coupon_id"""


def _words(tables: Collection[str]) -> str:
    """Invoices tell what was paid and when; a subscription only what it is now."""
    return '[revenue]\n# Lines of invoices know the past; a subscription knows only what it is now.\nsource = "invoices"\n' \
        if {"invoice_lines", "subscription_periods"} <= set(tables) else ""


READER = Reader(
    "chargebee",
    (*map(_flat, _OBJECTS), Feed("event", {"object": "event", "content": None}, ("object", "event"), _EVENT), Feed("event of the API", {"event": None}, ("event",), _EVENT),
     *map(_wrapped, _OBJECTS), *(Feed(name, {"object": name}, ("object",), {}) for name in _OTHER), *(Feed(f"{name} of the API", {name: None}, ("object",), {}) for name in _OTHER)),
    keeps=_KEEPS, joins={"subscription_periods": periods(_VERSIONS), "invoice_lines": _LINES}, playbook=_words)
