"""Snowplow: enriched events as tab-separated values without a header, and the table of web events as CSV.

The time is `derived_tstamp`, which corrects the device's clock by the collector's; where it is missing it is worked out as documented:
collector_tstamp - (dvce_sent_tstamp - dvce_created_tstamp), and without those it is the collector's.
"""

from __future__ import annotations

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.phrases import channel, first_and_last, links, properties
from plgkit.readers.times import written

COLUMNS = tuple("""
app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id name_tracker v_tracker v_collector v_etl user_id user_ipaddress
user_fingerprint domain_userid domain_sessionidx network_userid geo_country geo_region geo_city geo_zipcode geo_latitude geo_longitude geo_region_name
ip_isp ip_organization ip_domain ip_netspeed page_url page_title page_referrer page_urlscheme page_urlhost page_urlport page_urlpath page_urlquery
page_urlfragment refr_urlscheme refr_urlhost refr_urlport refr_urlpath refr_urlquery refr_urlfragment refr_medium refr_source refr_term mkt_medium
mkt_source mkt_term mkt_content mkt_campaign contexts se_category se_action se_label se_property se_value unstruct_event tr_orderid tr_affiliation
tr_total tr_tax tr_shipping tr_city tr_state tr_country ti_orderid ti_sku ti_name ti_category ti_price ti_quantity pp_xoffset_min pp_xoffset_max
pp_yoffset_min pp_yoffset_max useragent br_name br_family br_version br_type br_renderengine br_lang br_features_pdf br_features_flash
br_features_java br_features_director br_features_quicktime br_features_realplayer br_features_windowsmedia br_features_gears
br_features_silverlight br_cookies br_colordepth br_viewwidth br_viewheight os_name os_family os_manufacturer os_timezone dvce_type dvce_ismobile
dvce_screenwidth dvce_screenheight doc_charset doc_width doc_height tr_currency tr_total_base tr_tax_base tr_shipping_base ti_currency
ti_price_base base_currency geo_timezone mkt_clickid mkt_network etl_tags dvce_sent_tstamp refr_domain_userid refr_device_tstamp derived_contexts
domain_sessionid derived_tstamp event_vendor event_name event_format event_version event_fingerprint true_tstamp
""".split())
"""The columns of an enriched event, in their order (Snowplow's canonical event model)."""

_WAITED = f"greatest({written('dvce_sent_tstamp')} - {written('dvce_created_tstamp')}, INTERVAL 0 SECOND)"
_AT = (f"coalesce({written('true_tstamp')}, {written('derived_tstamp')}, {written('collector_tstamp')} - coalesce({_WAITED}, INTERVAL 0 SECOND))")
_SEEN = f"coalesce({written('load_tstamp')}, {written('etl_tstamp')}, {written('collector_tstamp')})"
_BROWSER = "coalesce(domain_userid, network_userid)"
_EVENT = "CASE WHEN event = 'struct' THEN coalesce(se_action, 'struct') ELSE coalesce(event_name, event) END"
_EVENTS = Feed(
    "events", {"event_id": None, "collector_tstamp": None, "event": None},
    ("event_id", "event", "event_name", "se_action", "user_id", "domain_userid", "network_userid", "domain_sessionid", "collector_tstamp", "derived_tstamp",
     "dvce_created_tstamp", "dvce_sent_tstamp",
     "true_tstamp", "load_tstamp", "etl_tstamp", "mkt_medium", "mkt_source", "refr_urlhost", "geo_country"),
    {
        "events": f"""
            SELECT event_id, {_EVENT} AS event, {_AT} AS occurred_at, {_SEEN} AS received_at, user_id AS known_id,
                   CASE WHEN user_id IS NULL THEN {_BROWSER} END AS anonymous_id, domain_sessionid AS session_id,
                   CASE WHEN event = 'page_view' OR event_name = 'page_view' THEN {channel('mkt_medium', 'mkt_source', 'refr_urlhost')} END AS channel,
                   {properties(None)} AS properties FROM rows""",
        "links": links(_BROWSER, "user_id", _AT, "identify"),
        "people": f"""
            SELECT user_id AS known_id, {_AT} AS said_at, geo_country AS country FROM rows WHERE user_id IS NOT NULL
            {first_and_last('user_id', 'geo_country')}""",
    },
    needs={"event_id": "it has no event_id", f"coalesce(user_id, {_BROWSER})": "it has no user_id, domain_userid or network_userid",
           _AT: "none of its times can be read"},
    once=(_AT, _SEEN), stays=("se_action", "mkt_medium", "mkt_source", "refr_urlhost", "geo_country"))

READER = Reader("snowplow", (_EVENTS,), names=COLUMNS)
