"""HubSpot: its tables as CSV or Parquet, as data pipelines export them.

Companies become accounts, contacts become people, by HubSpot's own ids: a contact is in the list from the day it was created, whether
it signed up for the product or not. A person's role is the lifecycle stage (subscriber, lead, customer, ...), the channel the original
source, the account the company that the contact is primarily of. Contacts that were merged are one person. What was deleted in
HubSpot is left out.

A deal that is won and carries a recurring revenue amount, which HubSpot has by the month, is a period sold by sales, from its close
date to its inactive date. All other deals say what was agreed on, not what is paid a month, and are known and not used; so are
stages, engagements, tickets and the rest.
"""

from __future__ import annotations

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.times import any_time
from plgkit.readers.versions import LATEST

_KEEPS = {
    "hubspot_companies": {"company_id": "VARCHAR", "said_at": "TIMESTAMP", "gone": "BOOLEAN", "created_at": "TIMESTAMP", "industry": "VARCHAR",
                          "employees": "BIGINT"},
    "hubspot_contacts": {"contact_id": "VARCHAR", "said_at": "TIMESTAMP", "gone": "BOOLEAN", "created_at": "TIMESTAMP", "company_id": "VARCHAR",
                         "stage": "VARCHAR", "channel": "VARCHAR", "country": "VARCHAR"},
    "hubspot_deals": {"deal_id": "VARCHAR", "said_at": "TIMESTAMP", "gone": "BOOLEAN", "stage_id": "VARCHAR", "won": "BOOLEAN", "closed_at": "TIMESTAMP",
                      "inactive_at": "TIMESTAMP", "mrr": "DECIMAL(18, 2)", "currency": "VARCHAR"},
    "hubspot_stages": {"stage_id": "VARCHAR", "said_at": "TIMESTAMP", "won": "BOOLEAN"},
    "hubspot_deal_companies": {"deal_id": "VARCHAR", "company_id": "VARCHAR", "said_at": "TIMESTAMP"},
    "hubspot_deal_contacts": {"deal_id": "VARCHAR", "contact_id": "VARCHAR", "said_at": "TIMESTAMP"},
    "hubspot_contact_companies": {"contact_id": "VARCHAR", "company_id": "VARCHAR", "said_at": "TIMESTAMP"},
}
_SYNCED = f"{any_time('_fivetran_synced')} AS said_at"
_DELETED = ("is_deleted", "_fivetran_deleted")


def _yes(text: str) -> str:
    return f"CASE lower({text}) WHEN 'true' THEN true WHEN 'false' THEN false END"


_GONE = f"coalesce({', '.join(_yes(name) for name in _DELETED)}, false) AS gone"


def _first(*columns: str) -> str:
    return f"coalesce({', '.join(columns)})"


_COMPANY = Feed(
    "company", {"id": None, "property_name": None},
    ("id", "property_createdate", "property_created_at", "property_industry", "property_numberofemployees", "_fivetran_synced", *_DELETED),
    {"hubspot_companies": f"""
        SELECT id AS company_id, {_SYNCED}, {_GONE}, {any_time(_first('property_createdate', 'property_created_at'))} AS created_at, property_industry AS industry,
               try_cast(try_cast(property_numberofemployees AS DOUBLE) AS BIGINT) AS employees FROM rows"""},
    needs={"id": "its company has no id"})
_MERGED = "property_hs_calculated_merged_vids", "property_hs_merged_object_ids"
_CONTACT = Feed(
    "contact", {"id": None, "property_email": None},
    ("id", "property_createdate", "property_created_at", "property_associatedcompanyid", "property_lifecyclestage", "property_hs_analytics_source",
     "property_country", "_fivetran_synced", *_MERGED, *_DELETED),
    {"hubspot_contacts": f"""
        SELECT id AS contact_id, {_SYNCED}, {_GONE}, {any_time(_first('property_createdate', 'property_created_at'))} AS created_at,
               try_cast(try_cast(property_associatedcompanyid AS DECIMAL(20, 0)) AS VARCHAR) AS company_id, property_lifecyclestage AS stage,
               lower(property_hs_analytics_source) AS channel, property_country AS country FROM rows""",
     # 'id:moment;id:moment', or plain ids.
     "links": f"""
        WITH merged AS (SELECT id, unnest(string_split({_first(*_MERGED)}, ';')) AS text FROM rows)
        SELECT id AS one_id, nullif(trim(split_part(text, ':', 1)), '') AS other_id, {any_time("nullif(split_part(text, ':', 2), '')")} AS said_at, 'merge' AS how
        FROM merged"""},
    needs={"id": "its contact has no id"})
_DEAL = Feed(
    "deal", {"deal_id": None, "property_dealname": None},
    ("deal_id", "deal_pipeline_stage_id", "property_closedate", "property_hs_is_closed_won", "property_recurring_revenue_amount",
     "property_recurring_revenue_inactive_date", "property_deal_currency_code", "_fivetran_synced", *_DELETED),
    {"hubspot_deals": f"""
        SELECT deal_id, {_SYNCED}, {_GONE}, deal_pipeline_stage_id AS stage_id, {_yes('property_hs_is_closed_won')} AS won, {any_time('property_closedate')} AS closed_at,
               {any_time('property_recurring_revenue_inactive_date')} AS inactive_at, try_cast(property_recurring_revenue_amount AS DECIMAL(18, 2)) AS mrr,
               property_deal_currency_code AS currency FROM rows"""},
    needs={"deal_id": "its deal has no id"})
_STAGE = Feed(
    "pipeline stage", {"stage_id": None, "pipeline_id": None}, ("stage_id", "closed_won", "is_closed_won", "_fivetran_synced"),
    {"hubspot_stages": f"SELECT stage_id, {_SYNCED}, coalesce({_yes('closed_won')}, {_yes('is_closed_won')}) AS won FROM rows"})


def _pair(one: str, other: str, table: str) -> Feed:
    keys = f"{one}_id", f"{other}_id"
    return Feed(f"{one} and {other}", dict.fromkeys(keys), (*keys, "_fivetran_synced"), {table: f"SELECT {keys[0]}, {keys[1]}, {_SYNCED} FROM rows"})


_PAIRS = (_pair("deal", "company", "hubspot_deal_companies"), _pair("deal", "contact", "hubspot_deal_contacts"),
          _pair("contact", "company", "hubspot_contact_companies"))
_OTHER = (
    Feed("stage of a deal", {"deal_id": None, "date_entered": None}, ("deal_id",), {}),
    *(Feed(f"{name} table", {"_fivetran_synced": None}, ("_fivetran_synced",), {}, files=(f"*{name}*",)) for name in (
        "property_history", "engagement", "email", "owner", "ticket", "team", "pipeline", "contact_list", "contact_form", "line_item", "product",
        "calendar", "form", "merge_audit", "property", "role", "users")),
)
_COMPANIES = LATEST.format(table="hubspot_companies", key="company_id")
_CONTACTS = LATEST.format(table="hubspot_contacts", key="contact_id")
# A contact may be of several companies, and a deal too: the one with the lowest id then.
_COMPANY_OF = "SELECT {whose}_id, arg_min(company_id, (length(company_id), company_id)) AS company_id FROM own_hubspot_{whose}_companies GROUP BY 1"
_ACCOUNTS = f"SELECT company_id AS account_id, coalesce(created_at, said_at) AS said_at, created_at, industry, employees FROM ({_COMPANIES}) WHERE NOT gone"
_PEOPLE = f"""
    SELECT c.contact_id AS known_id, coalesce(c.said_at, c.created_at) AS said_at, c.created_at AS signed_up_at, coalesce(c.company_id, o.company_id) AS account_id,
           c.channel, c.stage AS role, c.country
    FROM ({_CONTACTS}) c LEFT JOIN ({_COMPANY_OF.format(whose='contact')}) o USING (contact_id) WHERE NOT c.gone"""
_PERIODS = f"""
    WITH buyers AS (
        SELECT deal_id, min(coalesce(c.company_id, o.company_id)) AS company_id
        FROM own_hubspot_deal_contacts d JOIN ({_CONTACTS}) c USING (contact_id) LEFT JOIN ({_COMPANY_OF.format(whose='contact')}) o USING (contact_id) GROUP BY 1)
    SELECT d.deal_id AS row_id, d.said_at, coalesce(o.company_id, b.company_id, 'deal ' || d.deal_id) AS account_id, d.closed_at AS started_at, d.inactive_at AS ended_at,
           d.mrr, d.deal_id AS subscription_id, 'sales' AS motion, upper(d.currency) AS currency, CASE WHEN d.inactive_at IS NULL THEN 'active' ELSE 'canceled' END AS status
    FROM ({LATEST.format(table='hubspot_deals', key='deal_id')}) d LEFT JOIN ({_COMPANY_OF.format(whose='deal')}) o USING (deal_id) LEFT JOIN buyers b USING (deal_id)
    LEFT JOIN ({LATEST.format(table='hubspot_stages', key='stage_id')}) t USING (stage_id)
    WHERE NOT d.gone AND d.mrr > 0 AND coalesce(d.won, t.won, d.stage_id = 'closedwon', false)"""

READER = Reader(
    "hubspot", (_COMPANY, _CONTACT, _DEAL, _STAGE, *_PAIRS, *_OTHER), keeps=_KEEPS,
    joins={"accounts": _ACCOUNTS, "people": _PEOPLE, "subscription_periods": _PERIODS})
