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


def _text(field: str) -> str:
    """A field of an object, such as `s.plan_id`."""
    whose, _, name = field.partition(".")
    return f"({whose}->>'$.{name}')"


def _time(*fields: str) -> str:
    return f"coalesce({', '.join(any_time(_text(field)) for field in fields)})"


def _money(amount: str, currency: str) -> str:
    whole = ", ".join(f"'{code}'" for code in _WHOLE)
    return f"(try_cast({amount} AS DECIMAL(24, 6)) / CASE WHEN upper({currency}) IN ({whole}) THEN 1 ELSE 100 END)"


def _whole_number(field: str) -> str:
    return f"try_cast({_text(field)} AS BIGINT)"


def _yes(field: str) -> str:
    return f"coalesce(lower({_text(field)}) = 'true', false)"


def _said(whose: str, *otherwise: str) -> str:
    """When an object was as it is; old answers of the API do not tell, and were read no earlier than the last time they hold."""
    latest = ", ".join(any_time(_text(f"{whose}.{name}")) for name in (*otherwise, "created_at"))
    return f"coalesce({_time(f'{whose}.resource_version', f'{whose}.updated_at')}, greatest({latest}))"


_OBJECTS = ("subscription", "customer", "invoice", "credit_note", "plan", "item_price", "addon", "coupon")
_SUBSCRIPTIONS = f"""
    SELECT subscription AS s, customer AS c, {_said('subscription', 'started_at', 'activated_at', 'current_term_start', 'cancel_schedule_created_at')} AS told_at,
           CASE WHEN {_text('subscription.status')} = 'cancelled' THEN {_time('subscription.cancelled_at')} END AS over_at
    FROM objects WHERE subscription->>'$.id' IS NOT NULL"""
_VERSION = f"WITH versions AS (SELECT *, greatest(told_at, over_at) AS said_at FROM ({_SUBSCRIPTIONS}))"
_CUSTOMER = f"coalesce({_text('s.customer_id')}, {_text('c.id')}, {_text('s.id')})"
_MAKES = {
    "chargebee_subscriptions": f"""{_VERSION}
        SELECT {_text('s.id')} AS subscription_id, said_at, {_CUSTOMER} AS customer_id, CASE WHEN {_yes('s.deleted')} THEN 'deleted' ELSE {_text('s.status')} END AS state,
               {_time('s.start_date', 's.started_at', 's.created_at')} AS started_at, {_time('s.activated_at')} AS activated_at, {_time('s.cancelled_at')} AS cancelled_at,
               {_time('s.cancel_schedule_created_at', 's.cancelled_at')} AS asked_at, {_time('s.trial_start')} AS trial_started_at,
               {_time('s.trial_end')} AS trial_ended_at, {_time('s.pause_date')} AS paused_at, {_money(_text('s.mrr'), _text('s.currency_code'))} AS mrr,
               coalesce({months(_text('s.billing_period_unit'), _text('s.billing_period'))}, {months_between(_time('s.current_term_start'), _time('s.current_term_end'))}) AS months,
               {_text('s.currency_code')} AS currency FROM versions""",
    "chargebee_items": f"""{_VERSION},
        items AS (
            SELECT s, said_at, i, {_text('i.item_price_id')} AS price_id, {_text('i.item_type')} AS sort, {_whole_number('i.quantity')} AS quantity,
                   coalesce({_text('i.amount')}, CAST({_whole_number('i.unit_price')} * {_whole_number('i.quantity')} AS VARCHAR)) AS amount
            FROM (SELECT s, said_at, unnest(json_extract(s, '$.subscription_items[*]')) AS i FROM versions)
            UNION ALL SELECT s, said_at, s, {_text('s.plan_id')}, 'plan', {_whole_number('s.plan_quantity')},
                   coalesce({_text('s.plan_amount')}, CAST({_whole_number('s.plan_unit_price')} * {_whole_number('s.plan_quantity')} AS VARCHAR))
            FROM versions WHERE s->>'$.plan_id' IS NOT NULL
            UNION ALL SELECT s, said_at, i, {_text('i.id')}, 'addon', {_whole_number('i.quantity')},
                   coalesce({_text('i.amount')}, CAST({_whole_number('i.unit_price')} * {_whole_number('i.quantity')} AS VARCHAR))
            FROM (SELECT s, said_at, unnest(json_extract(s, '$.addons[*]')) AS i FROM versions))
        SELECT {_text('s.id')} AS subscription_id, said_at, price_id, sort, quantity, {_money('amount', _text('s.currency_code'))} AS amount FROM items
        WHERE sort IN ('plan', 'addon')""",
    "accounts": f"""{_VERSION}
        SELECT {_CUSTOMER} AS account_id, {_time('s.created_at', 's.started_at')} AS said_at, {_time('c.created_at')} AS created_at,
               {_time('s.trial_start')} AS trial_started_at, {_time('s.trial_end')} AS trial_ended_at FROM versions
        UNION ALL SELECT {_text('customer.id')}, {_time('customer.created_at')}, {_time('customer.created_at')}, NULL, NULL FROM objects
        WHERE customer->>'$.id' IS NOT NULL
        UNION ALL SELECT coalesce({_text('invoice.customer_id')}, {_text('credit_note.customer_id')}), coalesce({_time('invoice.date', 'invoice.start_date')}, {_time('credit_note.date')}), NULL, NULL, NULL
        FROM objects WHERE coalesce({_text('invoice.customer_id')}, {_text('credit_note.customer_id')}) IS NOT NULL""",
    "chargebee_prices": f"""
        SELECT {_text('p.id')} AS price_id, {_said('p')} AS said_at, coalesce({_text('p.external_name')}, {_text('p.invoice_name')}, {_text('p.name')}) AS name,
               {_money(_text('p.price'), _text('p.currency_code'))} AS amount, coalesce({_text('p.pricing_model')}, {_text('p.charge_model')}, {_text('p.type')}) AS model,
               {_whole_number('p.free_quantity')} AS free, {months(_text('p.period_unit'), _text('p.period'))} AS months
        FROM (SELECT unnest([plan, item_price, addon]) AS p FROM objects) WHERE p->>'$.id' IS NOT NULL""",
    "chargebee_coupons": f"""
        SELECT {_text('coupon.id')} AS coupon_id, {_said('coupon')} AS said_at, {_text('coupon.duration_type')} AS lasts FROM objects
        WHERE coupon->>'$.id' IS NOT NULL""",
}
_CORRECTS = (f"{_text('d.type')} = 'adjustment' OR coalesce({_text('d.reason_code')}, 'write_off') IN "
             "('write_off', 'subscription_change', 'subscription_cancellation', 'subscription_pause')")
_KIND = f"""
    CASE WHEN sign < 0 THEN CASE WHEN {_CORRECTS} THEN 'credit' ELSE 'refund' END
         WHEN {_yes('l.metered')} THEN 'usage' WHEN sort IN ('plan', 'plan_item_price') THEN 'subscription'
         WHEN sort IN ('addon', 'addon_item_price') AND {_time('l.date_to')} > {_time('l.date_from')} THEN 'add_on' ELSE 'one_off' END"""
_STATUS = f"""
    CASE WHEN {_yes('d.deleted')} THEN 'void' ELSE CASE {_text('d.status')}
         WHEN 'posted' THEN 'open' WHEN 'payment_due' THEN 'past_due' WHEN 'not_paid' THEN 'unpaid' WHEN 'voided' THEN 'void' WHEN 'pending' THEN 'draft'
         WHEN 'adjusted' THEN 'paid' WHEN 'refunded' THEN 'paid' WHEN 'refund_due' THEN 'paid' ELSE {_text('d.status')} END END"""
_TAX = f"CASE WHEN {_text('d.price_type')} = 'tax_inclusive' THEN coalesce({_whole_number('l.tax_amount')}, 0) ELSE 0 END"
# What pays an invoice is no discount.
_PAYS = f"coalesce({_text('x.discount_type')}, '') IN ('promotional_credits', 'prorated_credits')"
_MAKES["chargebee_lines"] = f"""
    WITH documents AS (
        SELECT invoice AS d, 1 AS sign FROM objects WHERE invoice->>'$.id' IS NOT NULL
        UNION ALL SELECT credit_note, -1 FROM objects WHERE credit_note->>'$.id' IS NOT NULL),
    lines AS (
        SELECT *, coalesce({_text('l.id')}, {_text('d.id')} || '/' || place) AS line_id, coalesce({_text('l.entity_type')}, {_text('l.type')}, 'adhoc') AS sort
        FROM (SELECT d, sign, unnest(json_extract(d, '$.line_items[*]')) AS l, generate_subscripts(json_extract(d, '$.line_items[*]'), 1) AS place FROM documents)),
    discounts AS (
        SELECT DISTINCT d, unnest(json_extract(d, '$.line_item_discounts[*]')) AS x FROM documents),
    parts AS (
        SELECT d, l, sign, sort, line_id, line_id AS part_id, {_whole_number('l.amount')} - {_TAX} AS minor, {_KIND} AS kind, CAST(NULL AS VARCHAR) AS coupon_id FROM lines
        UNION ALL
        SELECT d, l, sign, sort, line_id, line_id || '/discount', -{_whole_number('l.discount_amount')}, CASE WHEN {_KIND} IN ('subscription', 'add_on') THEN 'discount' ELSE {_KIND} END, NULL
        FROM lines WHERE {_whole_number('l.discount_amount')} <> 0 AND coalesce(json_array_length(d, '$.line_item_discounts'), 0) = 0
        UNION ALL
        SELECT d, l, sign, sort, line_id, line_id || '/' || coalesce({_text('x.coupon_id')}, {_text('x.entity_id')}, 'discount'), -{_whole_number('x.discount_amount')},
               CASE WHEN {_KIND} IN ('subscription', 'add_on') THEN 'discount' ELSE {_KIND} END, coalesce({_text('x.coupon_id')}, {_text('x.entity_id')})
        FROM lines JOIN discounts USING (d) WHERE x->>'$.line_item_id' = line_id AND NOT {_PAYS})
    SELECT part_id AS line_id, {_said('d', 'date')} AS said_at, {_text('d.id')} AS invoice_id, coalesce({_text('d.customer_id')}, {_text('l.customer_id')}) AS customer_id,
           coalesce({_text('l.subscription_id')}, {_text('d.subscription_id')}) AS subscription_id, {_time('d.date', 'd.end_date', 'd.start_date', 'd.generated_at', 'd.created_at')} AS issued_at,
           sign * {_money('minor', _text('d.currency_code'))} AS amount, {_time('l.date_from')} AS service_from, {_time('l.date_to')} AS service_to,
           {_text('l.entity_id')} AS price_id, {_whole_number('l.quantity')} AS quantity, kind, coupon_id, {_STATUS} AS status, {_text('d.currency_code')} AS currency
    FROM parts"""


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
