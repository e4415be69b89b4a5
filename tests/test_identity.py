"""Who is who: any order of the same links gives the same people, and nothing joins two known people but what says so."""

from __future__ import annotations

import random

import pytest
from exports import lines, posthog, table, written
from hypothesis import given, settings
from hypothesis import strategies as st

from plgkit.readers import import_export
from plgkit.readers.identity import Link, circles, people, shared
from plgkit.readers.run import as_lines

ANONYMOUS, KNOWN = ["v1", "v2", "v3", "v4"], ["ann", "bob", "eve"]
LINKS = st.lists(st.builds(
    Link, st.sampled_from(ANONYMOUS + KNOWN), st.sampled_from(ANONYMOUS + KNOWN),
    st.sampled_from(["", "2026-01-01 00:00:00", "2026-01-02 00:00:00", "2026-01-03 00:00:00"]), st.sampled_from(["identify", "alias", "merge"])), max_size=14)


@settings(max_examples=300, deadline=None)
@given(LINKS, st.randoms(use_true_random=False))
def test_any_order_of_the_same_links_gives_the_same_people(links, draw):
    known = list(KNOWN)
    expected = people(links, known)
    again = links + links[:3]
    draw.shuffle(again)
    draw.shuffle(known)
    assert people(again, known) == expected


@settings(max_examples=300, deadline=None)
@given(LINKS)
def test_every_id_has_one_person_who_is_known_where_anybody_is(links):
    found = people(links, KNOWN)
    assert set(found.person) == {name for link in links for name in (link.one, link.other)}
    for name, person in found.person.items():
        assert found.person[person] == person, "the person behind a person is the person"
        if name in KNOWN:
            assert person in KNOWN, "nobody known takes the name of a visit"


@settings(max_examples=300, deadline=None)
@given(LINKS)
def test_two_known_people_are_one_only_where_an_alias_or_a_merge_says_so(links):
    found = people(links, KNOWN)
    said = people([link for link in links if link.how != "identify"], KNOWN)
    together = {frozenset((one, other)) for names in shared(said.person).values() for one in names for other in names if {one, other} <= set(KNOWN)}
    for names in shared(found.person).values():
        for one in set(names) & set(KNOWN):
            for other in set(names) & set(KNOWN) - {one}:
                assert frozenset((one, other)) in together


@settings(max_examples=300, deadline=None)
@given(LINKS)
def test_what_was_not_joined_is_reported_and_nothing_else(links):
    found = people(links, KNOWN)
    reported = {link for link, _why in found.conflicts}
    for link in set(links):
        assert (found.person[link.one] != found.person[link.other]) == (link in reported)


def test_a_circle_of_links_is_one_person_and_two_names_at_one_browser_are_two():
    circle = [Link("v1", "v2", "1", "identify"), Link("v2", "v3", "2", "identify"), Link("v3", "v1", "3", "identify"), Link("v3", "ann", "4", "identify")]
    assert people(circle, ["ann"]).person == {"ann": "ann", "v1": "ann", "v2": "ann", "v3": "ann"}
    crossed = [Link("ann", "bob", "1", "identify"), Link("bob", "ann", "2", "identify")]
    assert [why for _link, why in people(crossed, ["ann", "bob"]).conflicts] == ["'ann' and 'bob' are both known people"] * 2
    assert people([*crossed, Link("bob", "ann", "9", "alias")], ["ann", "bob"]).person == {"ann": "ann", "bob": "ann"}


@settings(max_examples=300, deadline=None)
@given(LINKS)
def test_a_circle_is_where_every_id_leads_to_every_other_and_all_are_reported(links):
    leads = {(link.one, link.other) for link in links if link.how != "merge"}
    ids = sorted({name for pair in leads for name in pair})
    for middle in ids:
        leads |= {(one, other) for one in ids for other in ids if (one, middle) in leads and (middle, other) in leads}
    rings = {tuple(other for other in ids if other == one or {(one, other), (other, one)} <= leads) for one in ids}
    assert circles(links) == tuple(sorted(ring for ring in rings if len(ring) > 1))


def test_aliases_in_a_circle_are_one_person_and_the_import_says_so(tmp_path):
    at = "2026-01-05T10:00:00+00:00"
    made = [posthog("1", "ann", at, "$create_alias", alias="crm-1"), posthog("2", "crm-1", at, "$create_alias", alias="ann"), posthog("3", "ann", at)]
    done = import_export("posthog", lines(tmp_path / "export", made), out=tmp_path / "out")
    assert (done.tables["users"], done.conflicts, done.circles) == (1, 0, 1)
    assert as_lines(done)[-1] == ("1 circle of ids, each said to be the next and the last the first, is one person; it is listed in "
                                  f"{tmp_path / 'out' / '.import' / 'gathered.json'}.")


def rows() -> list[dict]:
    """Four people with several browsers, aliases, one browser of two people, and rows sent twice."""
    draw, made = random.Random(3), []
    for number in range(160):
        who, day = draw.choice(["ann", "bob", "eve", "joe"]), 1 + number % 59
        at = f"2026-{1 + day // 32:02d}-{1 + day % 28:02d}T{number % 24:02d}:00:00+00:00"
        browser = f"dev-{who}-{draw.randint(1, 2)}"
        made += [posthog(f"a{number}", browser, at, "$pageview", device=browser, utm_source=draw.choice(["google", "x"]), utm_medium="cpc"),
                 posthog(f"b{number}", who, at, "card moved", device=browser, **{"$groups": {"company": f"c{number % 3}"}})]
        if number % 10 == 0:
            made.append(posthog(f"c{number}", who, at, "$identify", device=browser, **{"$anon_distinct_id": browser}))
    made += [posthog("d1", "ann", "2026-01-05T10:00:00+00:00", "$create_alias", alias="crm-1"),
             posthog("d2", "crm-1", "2026-02-05T10:00:00+00:00"),
             posthog("d4", "ann", "2026-01-01T00:00:01+00:00", "$identify", **{"$anon_distinct_id": "dev-ann-1"}),
             posthog("d3", "bob", "2026-02-20T10:00:00+00:00", "$identify", **{"$anon_distinct_id": "dev-ann-1"}),
             posthog("b1", "bob", "2026-01-03T01:00:00+00:00", inserted="2026-03-01T00:00:00+00:00", late="yes")]
    return made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    work = tmp_path_factory.mktemp("undisturbed")
    done = import_export("posthog", lines(work / "export", rows()), out=work / "out")
    return done, written(work / "out")


@pytest.mark.parametrize("seed", [1, 2])
def test_rows_in_any_order_and_in_several_files_become_the_same_bytes(seed, undisturbed, tmp_path):
    done, expected = undisturbed
    draw, shuffled = random.Random(seed), rows()
    draw.shuffle(shuffled)
    cuts = sorted(draw.sample(range(len(shuffled)), 3))
    for number, (first, last) in enumerate(zip([0, *cuts], [*cuts, len(shuffled)], strict=True)):
        lines(tmp_path / "export", shuffled[first:last], f"{draw.random()}.jsonl")
        if number == 1:
            # What comes later joins what came before.
            import_export("posthog", tmp_path / "export", out=tmp_path / "out")
    again = import_export("posthog", tmp_path / "export", out=tmp_path / "out")
    found = written(tmp_path / "out")
    assert (again.tables, again.conflicts) == (done.tables, done.conflicts)
    assert {name: found[name] for name in found if name.endswith(".parquet")} == {name: expected[name] for name in expected if name.endswith(".parquet")}


def test_the_browser_of_two_people_stays_with_the_first_and_is_reported(undisturbed, tmp_path):
    done, _bytes = undisturbed
    assert done.conflicts == 1
    import_export("posthog", lines(tmp_path / "export", rows()), out=tmp_path / "out")
    visits = table(tmp_path / "out", "visits")
    assert visits[visits["visitor_id"] == "dev-ann-1"]["user_id"].unique().tolist() == ["ann"]
    assert sorted(table(tmp_path / "out", "users")["user_id"]) == ["ann", "bob", "eve", "joe"]
