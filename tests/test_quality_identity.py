"""Who is who: counted by hand, with a browser that two people share and a person who is in no account."""

from __future__ import annotations

import pandas as pd

from plgkit import quality
from plgkit.sources.connect import connect


def test_shared_browsers_several_devices_and_people_without_visit_or_account_are_counted():
    day = pd.Timestamp("2025-01-06 10:00")
    users = pd.DataFrame({"user_id": ["ann", "bob", "cho"], "signed_up_at": day, "account_id": ["a1", None, "a9"]})
    visits = pd.DataFrame({"visitor_id": ["v1", "v1", "v2", "v3"], "user_id": ["ann", "bob", "ann", None],
                           "visited_at": [day, day + pd.Timedelta(hours=1), day, day]})
    accounts = pd.DataFrame({"account_id": ["a1"], "created_at": [day]})
    found = quality.identity(connect({"users": users, "visits": visits, "accounts": accounts}, as_of="2025-01-06")).set_index("what")
    assert found[["n", "of"]].apply(tuple, axis=1).to_dict() == {
        "visitors who are known to be somebody": (2, 3), "visitors who are several people": (1, 3),
        "people with visits of several ids": (1, 3), "people without a visit": (1, 3), "people without an account": (2, 3)}
    assert (found["share"] == found["n"] / found["of"]).all()


def test_without_visits_and_accounts_there_is_nothing_to_ask():
    users = pd.DataFrame({"user_id": ["ann"], "signed_up_at": pd.Timestamp("2025-01-06")})
    assert quality.identity(connect({"users": users}, as_of="2025-01-06")).empty
