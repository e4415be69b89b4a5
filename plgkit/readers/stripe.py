"""Stripe: API objects as JSON or JSON Lines, or its tables as CSV, as data pipelines export them.

Amounts are in the currency's minor unit, and some currencies have none; times are seconds since 1970 in the API.
Lines of invoices tell what was paid for when, without the tax that they include. What a coupon takes off a line is a line of its
own: a lasting discount, unless the coupon is there and holds once or for a while. A subscription says only what it is now, and
tells periods where its price is known: amount x quantity, a month.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.times import any_time

# Currencies without a minor unit, and those with three digits (docs.stripe.com/currencies). A Ugandan shilling has none either,
# and still comes as hundredths.
_WHOLE = ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf")
_THREE = ("bhd", "jod", "kwd", "omr", "tnd")


def _money(amount: str, currency: str) -> str:
    def listed(codes: tuple[str, ...]) -> str:
        return ", ".join(f"'{code}'" for code in codes)

    return (f"try_cast({amount} AS DECIMAL(24, 6)) / CASE WHEN lower({currency}) IN ({listed(_WHOLE)}) THEN 1 "
            f"WHEN lower({currency}) IN ({listed(_THREE)}) THEN 1000 ELSE 100 END")


def _inside(column: str, path: str) -> str:
    """A value inside a column that holds an object; none where it is an id or whatever else is no JSON."""
    return f"TRY(json_extract_string({column}, '$.{path}'))"


def _id_in(column: str) -> str:
    """An id, also where the export was asked for the whole object in its place."""
    return f"coalesce({_inside(column, 'id')}, {column})"


def _list_in(column: str) -> str:
    return f"TRY(from_json(TRY(json_extract({column}, '$.data')), '[\"JSON\"]'))"


def _objects(json: str) -> str:
    return f"coalesce(TRY(from_json({json}, '[\"JSON\"]')), [])"


def _of_line(name: str) -> str:
    return _objects(f"json_extract(l, '$.{name}')")


def _discounts(*columns: str, lists: tuple[str, ...] = ()) -> str:
    """Discounts, wherever in an object they are: which coupon each is of, and how long that holds."""
    every = " || ".join([*(f"[try_cast({name} AS JSON)]" for name in columns), *(_objects(name) for name in lists)])
    return f"""
        SELECT d->>'$.id' AS discount_id, coalesce(d->>'$.coupon.id', d->>'$.source.coupon.id', d->>'$.source.coupon', d->>'$.coupon') AS coupon_id,
               coalesce(d->>'$.coupon.duration', d->>'$.source.coupon.duration') AS lasts
        FROM (SELECT unnest({every}) AS d FROM rows) WHERE d->>'$.id' IS NOT NULL"""


def _flag(text: str) -> str:
    return f"coalesce(lower({text}) = 'true', false)"


_MONTHS = ("CASE {every} WHEN 'month' THEN 1.0 WHEN 'year' THEN 12.0 WHEN 'week' THEN 12 / 52.0 WHEN 'day' THEN 12 / 365.0 END"
           " * coalesce(try_cast({many} AS DOUBLE), 1)")
_KEEPS = {
    "stripe_subscriptions": {"subscription_id": "VARCHAR", "said_at": "TIMESTAMP", "customer_id": "VARCHAR", "started_at": "TIMESTAMP",
                             "ended_at": "TIMESTAMP", "canceled_at": "TIMESTAMP", "status": "VARCHAR", "trial_started_at": "TIMESTAMP",
                             "trial_ended_at": "TIMESTAMP", "quantity": "BIGINT", "plan_id": "VARCHAR", "currency": "VARCHAR"},
    "stripe_items": {"item_id": "VARCHAR", "said_at": "TIMESTAMP", "subscription_id": "VARCHAR", "price_id": "VARCHAR", "quantity": "BIGINT"},
    "stripe_prices": {"price_id": "VARCHAR", "said_at": "TIMESTAMP", "unit_amount": "DOUBLE", "currency": "VARCHAR", "months": "DOUBLE",
                      "name": "VARCHAR", "usage": "VARCHAR"},
    "stripe_invoices": {"invoice_id": "VARCHAR", "said_at": "TIMESTAMP", "customer_id": "VARCHAR", "subscription_id": "VARCHAR",
                        "issued_at": "TIMESTAMP", "status": "VARCHAR"},
    "stripe_lines": {"line_id": "VARCHAR", "said_at": "TIMESTAMP", "invoice_id": "VARCHAR", "customer_id": "VARCHAR",
                     "subscription_id": "VARCHAR", "amount": "DECIMAL(24, 6)", "currency": "VARCHAR", "service_from": "TIMESTAMP",
                     "service_to": "TIMESTAMP", "plan_id": "VARCHAR", "seats": "BIGINT", "kind": "VARCHAR"},
    "stripe_taken_off": {"line_id": "VARCHAR", "said_at": "TIMESTAMP", "discount_id": "VARCHAR", "amount": "DECIMAL(24, 6)"},
    "stripe_discounts": {"discount_id": "VARCHAR", "coupon_id": "VARCHAR", "lasts": "VARCHAR"},
    "stripe_coupons": {"coupon_id": "VARCHAR", "lasts": "VARCHAR"},
}


def _subscription(said: str, more: str, items: str) -> dict[str, str]:
    return {
        "stripe_subscriptions": f"""
            SELECT id AS subscription_id, {said} AS said_at, customer AS customer_id, {any_time('coalesce(start_date, created)')} AS started_at,
                   coalesce({any_time('ended_at')}, {any_time('cancel_at')}, CASE WHEN {_flag('cancel_at_period_end')} THEN {any_time('current_period_end')} END,
                            CASE WHEN status = 'canceled' THEN {any_time('canceled_at')} END) AS ended_at, {any_time('canceled_at')} AS canceled_at,
                   status, {any_time('trial_start')} AS trial_started_at, {any_time('trial_end')} AS trial_ended_at,
                   try_cast(quantity AS BIGINT) AS quantity, {more} FROM rows""",
        **({"stripe_items": items} if items else {}),
        "accounts": f"""
            SELECT customer AS account_id, {any_time('created')} AS said_at, {any_time('trial_start')} AS trial_started_at,
                   {any_time('trial_end')} AS trial_ended_at FROM rows WHERE customer IS NOT NULL""",
    }


def _latest_of(*times: str) -> str:
    """Objects do not tell when they changed: no earlier than the last time that they hold and that has come."""
    return f"greatest({', '.join(any_time(time) for time in times)})"


_SUBSCRIPTION_SAID = _latest_of("created", "start_date", "canceled_at", "ended_at", "current_period_start", "event_created")
_INVOICE_SAID = _latest_of("created", "event_created", *(_inside("status_transitions", f"{name}_at") for name in ("finalized", "paid", "voided", "marked_uncollectible")))
_ITEMS = f"SELECT unnest({_list_in('items')}) AS item, id AS subscription_id, {_SUBSCRIPTION_SAID} AS said_at FROM rows"
_PARTLY = "it is read, but says that it has more {0} than it holds (has_more): export {1} too"
_API_SUBSCRIPTION = Feed(
    "subscription", {"object": "subscription"},
    ("id", "object", "created", "customer", "start_date", "ended_at", "canceled_at", "status", "trial_start", "trial_end", "quantity",
     "plan", "items", "currency", "discount", "discounts", "cancel_at", "cancel_at_period_end", "current_period_start", "current_period_end",
     "event_created"),
    _subscription(_SUBSCRIPTION_SAID, f"{_id_in('plan')} AS plan_id, currency", f"""
        SELECT item->>'$.id' AS item_id, said_at, subscription_id,
               coalesce(item->>'$.price.id', item->>'$.plan.id', item->>'$.price', item->>'$.plan') AS price_id,
               try_cast(item->>'$.quantity' AS BIGINT) AS quantity FROM ({_ITEMS})""")
    | {"stripe_prices": f"""
        SELECT item->>'$.price.id' AS price_id, said_at, try_cast(item->>'$.price.unit_amount' AS DOUBLE) AS unit_amount,
               item->>'$.price.currency' AS currency, {_MONTHS.format(every="item->>'$.price.recurring.interval'", many="item->>'$.price.recurring.interval_count'")} AS months,
               item->>'$.price.nickname' AS name, item->>'$.price.recurring.usage_type' AS usage FROM ({_ITEMS}) WHERE item->>'$.price.id' IS NOT NULL"""}
    | {"stripe_discounts": _discounts("discount", lists=("discounts",))},
    needs={"id": "a subscription without id", "customer": "a subscription without customer"},
    partly={f"{_inside('items', 'has_more')} = 'true'": _PARTLY.format("items", "/v1/subscription_items?subscription=ID")},
    reads={"customer": _id_in("customer")}
    | {name: f"coalesce({name}, {_inside('items', f'data[0].{name}')})" for name in ("current_period_start", "current_period_end")})
_TABLE_SUBSCRIPTION = Feed(
    "subscription table", {"customer_id": None, "current_period_start": None, "status": None},
    ("id", "created", "customer_id", "start_date", "ended_at", "canceled_at", "status", "trial_start", "trial_end", "quantity",
     "_fivetran_synced", "_fivetran_active", "current_period_start", "current_period_end", "cancel_at", "cancel_at_period_end"),
    {name: query.replace("customer AS", "customer_id AS").replace("customer IS", "customer_id IS") for name, query in _subscription(
        any_time("coalesce(_fivetran_synced, created)"), "CAST(NULL AS VARCHAR) AS plan_id, CAST(NULL AS VARCHAR) AS currency", "").items()},
    files=("subscription*",), needs={"id": "a subscription without id", "customer_id": "a subscription without customer"})
_API_ITEM = Feed(
    "item", {"object": "subscription_item"}, ("id", "object", "created", "subscription", "price", "plan", "quantity"),
    {"stripe_items": f"""
        SELECT id AS item_id, {any_time('created')} AS said_at, subscription AS subscription_id, coalesce({_id_in('price')}, {_id_in('plan')}) AS price_id,
               try_cast(quantity AS BIGINT) AS quantity FROM rows"""}, reads={"subscription": _id_in("subscription")})
_TABLE_ITEM = Feed(
    "item table", {"subscription_id": None, "plan_id": None, "quantity": None},
    ("id", "created", "subscription_id", "plan_id", "price_id", "quantity", "_fivetran_synced"),
    {"stripe_items": f"""
        SELECT id AS item_id, {any_time('coalesce(_fivetran_synced, created)')} AS said_at, subscription_id, coalesce(price_id, plan_id) AS price_id,
               try_cast(quantity AS BIGINT) AS quantity FROM rows"""},
    files=("subscription_item*",))
_PRICE = "SELECT id AS price_id, {at} AS said_at, try_cast({amount} AS DOUBLE) AS unit_amount, currency, {months} AS months, nickname AS name, {usage} AS usage FROM rows"
_API_PRICE = Feed(
    "price", {"object": "price"}, ("id", "object", "created", "unit_amount", "unit_amount_decimal", "currency", "nickname", "recurring"),
    {"stripe_prices": _PRICE.format(
        at=any_time("created"), amount="coalesce(unit_amount_decimal, unit_amount)", usage=_inside("recurring", "usage_type"),
        months=_MONTHS.format(every=_inside("recurring", "interval"), many=_inside("recurring", "interval_count")))})
_PLAN = {"stripe_prices": _PRICE.format(
    at=any_time("created"), amount="amount", usage="usage_type",
    months=_MONTHS.format(every='"interval"', many="interval_count"))}
_PLAN_COLUMNS = ("id", "created", "amount", "currency", "nickname", "interval", "interval_count", "usage_type")
_API_PLAN = Feed("plan", {"object": "plan"}, (*_PLAN_COLUMNS, "object"), _PLAN)
_TABLE_PLAN = Feed("plan table", {"interval_count": None, "product_id": None}, _PLAN_COLUMNS, _PLAN, files=("plan*",))
_TABLE_PRICE = Feed(
    "price table", {"recurring_interval": None, "unit_amount": None},
    ("id", "created", "unit_amount", "unit_amount_decimal", "currency", "nickname", "recurring_interval", "recurring_interval_count",
     "recurring_usage_type"),
    {"stripe_prices": _PRICE.format(
        at=any_time("created"), amount="coalesce(unit_amount_decimal, unit_amount)", usage="recurring_usage_type",
        months=_MONTHS.format(every="recurring_interval", many="recurring_interval_count"))}, files=("price*",))
_KIND = ("CASE WHEN {proration} THEN 'proration' WHEN {metered} THEN 'usage' WHEN {subscription} IS NULL AND {plan} IS NULL THEN 'one_off' "
         "ELSE 'subscription' END")


_TAXES = f"{_of_line('tax_amounts')} || {_of_line('taxes')}"
_INCLUDED = (f"list_sum(list_transform({_TAXES}, x -> CASE WHEN json_extract_string(x, '$.inclusive') = 'true' "
             "OR json_extract_string(x, '$.tax_behavior') = 'inclusive' THEN try_cast(json_extract_string(x, '$.amount') AS BIGINT) END))")
_WITHOUT_TAX = f"try_cast(l->>'$.amount' AS BIGINT) - coalesce({_INCLUDED}, 0)"


def _lines(line: str, invoice: str, customer: str, subscription: str, proration: str, plan: str, frm: str, to: str) -> str:
    """Lines of invoices; a subscription is what recurs, a line without one is a one-off."""
    return f"""
        SELECT {line}->>'$.id' AS line_id, {invoice} AS invoice_id, {customer} AS customer_id, {subscription} AS subscription_id,
               {_money(f"({_WITHOUT_TAX})", f"({line}->>'$.currency')")} AS amount, {line}->>'$.currency' AS currency,
               {any_time(frm)} AS service_from, {any_time(to)} AS service_to, {plan} AS plan_id, try_cast({line}->>'$.quantity' AS BIGINT) AS seats,
               {_KIND.format(proration=_flag(proration), metered="false", subscription=subscription, plan=plan)} AS kind"""


_SUBSCRIPTION_OF = ("coalesce(l->>'$.subscription.id', l->>'$.subscription', l->>'$.parent.subscription_item_details.subscription', "
                    "l->>'$.parent.invoice_item_details.subscription')")
_PRORATION_OF = ("coalesce(l->>'$.proration', l->>'$.parent.subscription_item_details.proration', "
                 "l->>'$.parent.invoice_item_details.proration')")
_PLAN_OF = "coalesce(l->>'$.plan.id', l->>'$.price.id', l->>'$.pricing.price_details.price.id', l->>'$.pricing.price_details.price')"
_API_LINE = _lines("l", "{invoice}", "{customer}", _SUBSCRIPTION_OF, _PRORATION_OF, _PLAN_OF, "(l->>'$.period.start')", "(l->>'$.period.end')")


def _taken_off(lines: str, known: str = "") -> dict[str, str]:
    """What coupons take off lines, and what a line tells of them; beside what is known of them otherwise."""
    return {"stripe_taken_off": f"""
        SELECT l->>'$.id' AS line_id, said_at, coalesce(x->>'$.discount.id', x->>'$.discount') AS discount_id,
               {_money("(x->>'$.amount')", "(l->>'$.currency')")} AS amount
        FROM (SELECT l, said_at, unnest({_of_line('discount_amounts')}) AS x FROM ({lines})) WHERE x->>'$.amount' <> '0'""",
            "stripe_discounts": f"""
        SELECT x->>'$.discount.id' AS discount_id, coalesce(x->>'$.discount.coupon.id', x->>'$.discount.source.coupon.id', x->>'$.discount.source.coupon') AS coupon_id,
               coalesce(x->>'$.discount.coupon.duration', x->>'$.discount.source.coupon.duration') AS lasts
        FROM (SELECT unnest({_of_line('discount_amounts')}) AS x FROM ({lines})) WHERE x->>'$.discount.id' IS NOT NULL{known and ' UNION ALL ' + known}"""}


_OF_INVOICE = f"SELECT unnest({_list_in('lines')}) AS l, id, customer, {_INVOICE_SAID} AS said_at FROM rows"
_OF_ITSELF = "SELECT CAST(rest AS JSON) AS l, invoice, CAST(NULL AS TIMESTAMP) AS said_at FROM rows"
_API_INVOICE = Feed(
    "invoice", {"object": "invoice"}, ("id", "object", "created", "customer", "subscription", "status", "status_transitions", "lines", "parent", "discount", "discounts",
                                             "event_created"),
    {"stripe_invoices": f"""
        SELECT id AS invoice_id, {_INVOICE_SAID} AS said_at, customer AS customer_id, subscription AS subscription_id,
               coalesce({any_time(_inside('status_transitions', 'finalized_at'))}, {any_time('created')}) AS issued_at, status FROM rows""",
     "stripe_lines": _API_LINE.format(invoice="id", customer="customer")
     + f", said_at FROM ({_OF_INVOICE})",
     **_taken_off(_OF_INVOICE, _discounts("discount", lists=("discounts",))),
     "accounts": f"SELECT customer AS account_id, {any_time('created')} AS said_at FROM rows WHERE customer IS NOT NULL"},
    needs={"id": "an invoice without id"}, partly={f"{_inside('lines', 'has_more')} = 'true'": _PARTLY.format("lines", "/v1/invoices/ID/lines")},
    reads={"customer": _id_in("customer"), "subscription": f"coalesce({_id_in('subscription')}, {_inside('parent', 'subscription_details.subscription')})"})
_API_LINE_ITEM = Feed(
    "line", {"object": "line_item"}, ("object", "invoice"),
    {"stripe_lines": _API_LINE.format(invoice="invoice", customer="CAST(NULL AS VARCHAR)")
     + f", said_at FROM ({_OF_ITSELF})", **_taken_off(_OF_ITSELF)},
    reads={"invoice": _id_in("invoice")})
_TABLE_LINE = Feed(
    "line table", {"invoice_id": None, "period_start": None, "amount": None, "proration": None},
    ("id", "unique_id", "invoice_id", "amount", "currency", "period_start", "period_end", "plan_id", "price_id", "proration", "quantity",
     "subscription_id", "type", "_fivetran_synced", "customer_id"),
    {"stripe_lines": f"""
        SELECT coalesce(unique_id, id) AS line_id, {any_time('_fivetran_synced')} AS said_at, invoice_id, customer_id, subscription_id,
               {_money('amount', 'currency')} AS amount, currency, {any_time('period_start')} AS service_from, {any_time('period_end')} AS service_to,
               coalesce(price_id, plan_id) AS plan_id, try_cast(quantity AS BIGINT) AS seats,
               {_KIND.format(proration=_flag('proration'), metered='false', subscription='subscription_id', plan='plan_id')} AS kind FROM rows"""},
    files=("invoice_line*",))
_TABLE_INVOICE = Feed(
    "invoice table", {"customer_id": None, "amount_due": None, "status": None},
    ("id", "customer_id", "subscription_id", "created", "status", "period_start", "_fivetran_synced", "amount_due"),
    {"stripe_invoices": f"""
        SELECT id AS invoice_id, {any_time('_fivetran_synced')} AS said_at, customer_id, subscription_id,
               {any_time('coalesce(created, period_start)')} AS issued_at, status FROM rows""",
     "accounts": f"""SELECT customer_id AS account_id, {any_time('coalesce(created, period_start)')} AS said_at FROM rows
                     WHERE customer_id IS NOT NULL"""},
    files=("invoice.*", "invoice_[0-9]*", "invoices*"), needs={"id": "an invoice without id"})
_API_CUSTOMER = Feed(
    "customer", {"object": "customer"}, ("id", "object", "created", "discount"),
    {"accounts": f"SELECT id AS account_id, {any_time('created')} AS said_at, {any_time('created')} AS created_at FROM rows",
     "stripe_discounts": _discounts("discount")})
_API_DISCOUNT = Feed("discount", {"object": "discount"}, ("object", "own"), {"stripe_discounts": _discounts("own")}, reads={"own": "rest"})
_API_COUPON = Feed("coupon", {"object": "coupon"}, ("id", "object", "duration"), {"stripe_coupons": "SELECT id AS coupon_id, duration AS lasts FROM rows"})
_TABLE_CUSTOMER = Feed(
    "customer table", {"id": None, "delinquent": None, "created": None}, ("id", "created"), {"accounts": _API_CUSTOMER.makes["accounts"]}, files=("customer*",))
_METRICS_TABLE = Feed(
    "metrics import", {"customer_oid": None, "subscription_oid": None, "plan_amount": None},
    ("customer_oid", "subscription_oid", "plan_amount", "plan_currency", "plan_interval", "plan_interval_count", "plan_name", "plan_oid",
     "subscription_started_at", "subscription_canceled_at", "subscription_quantity"),
    {"subscription_periods": f"""
        SELECT subscription_oid AS row_id, {any_time('subscription_started_at')} AS said_at, customer_oid AS account_id,
               {any_time('subscription_started_at')} AS started_at, {any_time('subscription_canceled_at')} AS ended_at,
               round({_money('plan_amount', 'plan_currency')} * coalesce(try_cast(subscription_quantity AS DOUBLE), 1)
                     / ({_MONTHS.format(every='plan_interval', many='plan_interval_count')}), 2) AS mrr,
               subscription_oid AS subscription_id, plan_name AS plan, try_cast(subscription_quantity AS BIGINT) AS seats, upper(plan_currency) AS currency,
               CASE WHEN subscription_canceled_at IS NULL THEN 'active' ELSE 'canceled' END AS status FROM rows""",
     "accounts": f"SELECT customer_oid AS account_id, {any_time('subscription_started_at')} AS said_at FROM rows"})
_OTHER = tuple(
    Feed(name, {"object": name}, ("object", "id"), {})
    for name in ("balance_transaction", "charge", "checkout.session", "credit_note", "dispute", "event", "invoiceitem", "payment_intent",
                 "payment_method", "payout", "product", "promotion_code", "quote", "refund", "setup_intent", "subscription_schedule", "tax_rate", "transfer"))
_OTHER_TABLES = tuple(
    Feed(f"{name} table", {"id": None}, ("id",), {}, files=(f"{name}*",))
    for name in ("charge", "coupon", "discount", "refund", "product", "balance_transaction"))
_LAST = "SELECT * FROM own_stripe_{name} s QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY said_at DESC NULLS LAST, {then}hash(s) DESC) = 1"
_STAGES = "list_position(['draft', 'open', 'uncollectible', 'paid', 'void'], status) DESC NULLS LAST, "
"""Of two answers that hold the same times the one that is further on counts."""


_INSIDE = ("CASE WHEN json_extract_string(text, '$.object') = 'event' AND json_type(text, '$.data.object') = 'OBJECT' THEN CAST(json_merge_patch("
           "json_extract(text, '$.data.object'), json_object('event_created', json_extract(text, '$.created'))) AS VARCHAR) ELSE text END")
"""What an event is about, as it was then; which of two answers counts is told by when."""


def _unpack(document: Any) -> list[Any] | None:
    """Objects of the API, as they come in lists."""
    if isinstance(document, dict) and document.get("object") == "list":
        return document.get("data", [])
    return None


_JOINED_LINES = f"""
    WITH coupons AS (SELECT coupon_id, max(lasts) AS lasts FROM own_stripe_coupons GROUP BY 1),
    discounts AS (
        SELECT discount_id, max(coalesce(d.lasts, c.lasts)) AS lasts FROM own_stripe_discounts d LEFT JOIN coupons c USING (coupon_id) GROUP BY 1),
    lines AS ({_LAST.format(name='lines', key='coalesce(line_id, invoice_id)', then='')}),
    parts AS (
        SELECT coalesce(line_id, invoice_id) AS row_id, * FROM lines
        UNION ALL BY NAME
        SELECT l.* REPLACE (l.line_id || '/' || t.discount_id AS line_id, -t.amount AS amount,
                            CASE WHEN l.kind <> 'subscription' THEN l.kind WHEN d.lasts IN ('once', 'repeating') THEN 'one_off_discount' ELSE 'discount' END AS kind),
               l.line_id || '/' || t.discount_id AS row_id
        FROM lines l JOIN (SELECT DISTINCT * FROM own_stripe_taken_off) t ON t.line_id = l.line_id AND t.said_at IS NOT DISTINCT FROM l.said_at
        LEFT JOIN discounts d USING (discount_id))
    SELECT row_id, l.said_at, coalesce(i.customer_id, l.customer_id, s.customer_id, l.subscription_id, l.invoice_id) AS account_id,
           coalesce(i.issued_at, l.service_from, l.said_at) AS issued_at, l.amount, l.service_from, l.service_to, l.line_id, l.invoice_id,
           coalesce(l.subscription_id, i.subscription_id) AS subscription_id, coalesce(p.name, l.plan_id) AS plan, l.seats, upper(l.currency) AS currency,
           CASE WHEN p.usage = 'metered' AND l.kind = 'subscription' THEN 'usage' ELSE l.kind END AS kind, i.status, s.canceled_at
    FROM parts l
    LEFT JOIN ({_LAST.format(name='invoices', key='invoice_id', then=_STAGES)}) i USING (invoice_id)
    LEFT JOIN ({_LAST.format(name='subscriptions', key='subscription_id', then='')}) s ON s.subscription_id = coalesce(l.subscription_id, i.subscription_id)
    LEFT JOIN ({_LAST.format(name='prices', key='price_id', then='')}) p ON p.price_id = l.plan_id"""
# What is paid for begins after a trial; who left in it never paid.
_ONLY_TRIED = "coalesce(s.status = 'trialing' OR s.ended_at <= s.trial_ended_at, false)"
_JOINED_PERIODS = f"""
    SELECT s.subscription_id || coalesce('/' || t.item_id, '') AS row_id, s.said_at, s.customer_id AS account_id,
           CASE WHEN {_ONLY_TRIED} THEN s.started_at ELSE greatest(s.started_at, s.trial_ended_at) END AS started_at, s.ended_at,
           round({_money('p.unit_amount', 'p.currency')} * coalesce(t.quantity, s.quantity, 1) / p.months, 2) AS mrr,
           s.subscription_id || coalesce('/' || t.item_id, '') AS subscription_id, coalesce(p.name, p.price_id) AS plan, coalesce(t.quantity, s.quantity) AS seats,
           upper(coalesce(p.currency, s.currency)) AS currency,
           CASE WHEN {_ONLY_TRIED} THEN 'trialing' WHEN s.status IN ('incomplete', 'incomplete_expired') THEN 'unpaid' ELSE s.status END AS status, s.canceled_at
    FROM ({_LAST.format(name='subscriptions', key='subscription_id', then='')}) s
    LEFT JOIN ({_LAST.format(name='items', key='item_id', then='')}) t USING (subscription_id)
    JOIN ({_LAST.format(name='prices', key='price_id', then='')}) p ON p.price_id = coalesce(t.price_id, s.plan_id)
    WHERE p.months IS NOT NULL AND p.unit_amount IS NOT NULL AND coalesce(p.usage, '') <> 'metered'"""


def _words(tables: Collection[str]) -> str:
    """Invoices tell what was paid and when; a subscription only what it is now."""
    return '[revenue]\n# Lines of invoices know the past; a subscription knows only what it is now.\nsource = "invoices"\n' \
        if {"invoice_lines", "subscription_periods"} <= set(tables) else ""


READER = Reader(
    "stripe",
    (_API_SUBSCRIPTION, _API_ITEM, _API_PRICE, _API_PLAN, _API_INVOICE, _API_LINE_ITEM, _API_CUSTOMER, _API_DISCOUNT, _API_COUPON, _TABLE_SUBSCRIPTION, _TABLE_ITEM,
     _TABLE_PRICE, _TABLE_PLAN, _TABLE_LINE, _TABLE_INVOICE, _TABLE_CUSTOMER, _METRICS_TABLE, *_OTHER, *_OTHER_TABLES),
    keeps=_KEEPS, joins={"invoice_lines": _JOINED_LINES, "subscription_periods": _JOINED_PERIODS}, unpack=_unpack, inside=_INSIDE, playbook=_words)
