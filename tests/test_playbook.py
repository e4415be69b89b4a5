"""What a playbook takes, refuses and says."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from plgkit.errors import BadPlaybook
from plgkit.playbook import Playbook, read_playbook
from plgkit.playbook.goals import KINDS, Kind
from plgkit.playbook.lines import key_lines


def problems(text: str | Path) -> list[str]:
    with pytest.raises(BadPlaybook) as caught:
        read_playbook(text)
    return caught.value.problems


def test_an_empty_playbook_has_all_defaults():
    assert read_playbook("") == Playbook()


def test_the_default_points_are_those_of_the_catalogue():
    points = [signal.points for signal in Playbook().pql.signals]
    assert points == [10, 15, 25, 20, 15, 20, 15, 25, 30, 15, 20, 40, 10, 10]
    tiers = {tier.name: tier.from_ for tier in Playbook().pql.tiers}
    assert tiers == {"nurture": 0, "upgrade campaign": 41, "inside sales": 65, "account executive": 100}
    assert Playbook().pql.threshold == 65


def test_every_kind_of_signal_says_what_it_counts():
    assert list(KINDS) == list(get_args(Kind))


def test_a_key_has_the_same_path_in_python_as_in_the_file():
    playbook = read_playbook('[activity]\nexcept = ["email_sent"]\n[targets."activation.rate"]\nvalue = 1')
    assert playbook.activity.except_ == ["email_sent"]
    assert playbook.targets["activation.rate"].value == 1
    assert playbook.targets["activation.rate"].guardrail is False


def test_a_playbook_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Playbook().product.name = "Other"


def test_a_playbook_made_in_python_refuses_what_a_file_may_not_say():
    with pytest.raises(ValidationError, match=r"'evens' is not a table\. Did you mean 'events'\?"):
        Playbook(tables={"evens": {}})


def test_a_misspelt_key_is_named_with_its_line_and_the_nearest_one():
    assert problems('[product]\nname = "A"\n\n[activation]\nevnt = "x"\n') == [
        "playbook.toml, line 5: activation.evnt is not a key of [activation]. Did you mean 'event'?"]


@pytest.mark.parametrize(("text", "said"), [
    ("[activaton]", "activaton is not a section of a playbook. Did you mean 'activation'?"),
    ("[product]\ngap_minutes = 3", "product.gap_minutes is not a key of [product]. It is a key of [sessions]."),
    ("[product]\ntime_zone = 'New York'",
     "product.time_zone is 'New York'; expected an IANA time zone such as 'America/New_York'."),
    ("[product]\nweek_start = 'mondy'",
     "product.week_start is 'mondy'; expected 'monday' or 'sunday'. Did you mean 'monday'?"),
    ("[product]\nstarted_on = 'soon'", "product.started_on is 'soon'; expected a date such as 2026-06-30."),
    ("[product]\ngross_margin = 80", "product.gross_margin is 80; expected 1 or less."),
    ("[activation]\nwithin_days = '7'", "activation.within_days is '7'; expected a whole number."),
    ("[activation]\nrule = [{event = 3}]", "activation.rule[0].event is 3; expected text in quotes or a list."),
    ("[[activation.rule]]\nat_least = 2",
     "activation.rule[0] has no event; expected for example: event = 'report_created'."),
    ("[activation]\nevent = 'a'\nrule = [{event = 'b'}]",
     "activation has both event and rule; expected one of them."),
    ("[onboarding]\nsteps = ['a', 'b', 'a']",
     "onboarding.steps is ['a', 'b', 'a']; expected each name once; 'a' stands there more than once."),
    ("[tables.evens]", "tables.evens is not a table. Did you mean 'events'?"),
    ("[tables.users.columns]\nuser = 'uid'",
     "tables.users.columns.user is not a column of the table 'users'. Did you mean 'user_id'?"),
    ("[tables.users]\nfile = 'a.csv'\ntable = 'a'", "tables.users has both file and table; expected one of them."),
    ("[engagement]\nweights = {breadth = 1}", "engagement.weights sum to 1.6; expected weights that sum to 1."),
    ("[pql]\ntiers = [{name = 'a', from = 0}, {name = 'b', from = 0}]",
     "pql.tiers begin at 0, 0; expected a first tier from 0 and each next one higher."),
    ("[pql]\nsignals = [{name = 'a', points = 1, kind = 'event'}]",
     "pql.signals[0] is of kind 'event' without events; expected the events that count."),
    ("[targets.activation.rate]\nvalue = 1",
     'targets.activation is not a measure. Write the name in quotes: [targets."activation.rate"].'),
    ('[targets."activaton.rate"]\nvalue = 1',
     "targets.\"activaton.rate\" is not a measure. No stage 'activaton'. Did you mean 'activation'?"),
    ("[experiments.page]\nshares = {control = 0.5, b = 0.6}",
     "experiments.page has shares that sum to 1.1; expected 1."),
])
def test_a_fault_is_one_sentence(text, said):
    assert [each.partition(": ")[2] for each in problems(text)] == [said]


def test_all_faults_are_told_at_once_in_the_order_of_their_lines():
    text = """\
[tables.evens]
file = 1
[activation]
within_days = 0
[[pql.signals]]
name = "a"
points = 5
kind = "invted"
[[pql.signals]]
name = "b"
kind = "limit_hit"
points = -1
"""
    lines = [each.partition(":")[0] for each in problems(text)]
    assert lines == [f"playbook.toml, line {line}" for line in (1, 4, 8, 12)]


def test_a_file_names_itself_in_its_faults(tmp_path):
    path = tmp_path / "acme.toml"
    path.write_text("[trial]\ndays = 0\n", encoding="utf-8")
    with pytest.raises(BadPlaybook) as caught:
        read_playbook(path)
    assert str(caught.value) == "acme.toml cannot be used:\n- acme.toml, line 2: trial.days is 0; expected 1 or more."


@pytest.mark.parametrize(("text", "said"), [
    ("[product]\nname = \n",
     "playbook.toml, line 2 is not valid TOML: the value is missing or cannot be read; text needs quotes."),
    ("[product]\nname = 'a'\nname = 'b'",
     "playbook.toml, line 3 is not valid TOML: a key stands there a second time."),
    ("[trial]\n[product]\n[trial]\n", "playbook.toml, line 3 is not valid TOML: [trial] stands there a second time."),
    ("days = " + "[" * 5000, "playbook.toml holds lists or tables nested too deeply to read."),
    ("days = " + "1" * 5000, "playbook.toml is not valid TOML: a number in it has too many digits."),
])
def test_text_that_is_no_toml_is_a_sentence(text, said):
    assert problems(text) == [said]


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path):
    (tmp_path / "playbook.toml").write_bytes(b'[product]\nname = "caf\xe9"\n')
    assert problems(tmp_path / "playbook.toml") == [
        "playbook.toml, line 2: byte 0xe9 is not UTF-8; save the file as UTF-8."]
    wrong = str(tmp_path / "playbok.toml")
    assert problems(wrong) == [
        f"No playbook at {wrong!r}. Did you mean 'playbook.toml'? `plgkit init SOURCE` writes a first one."]
    assert problems(tmp_path) == [
        f"{str(tmp_path)!r} is a folder; expected a TOML file such as {str(tmp_path / 'playbook.toml')!r}."]


def test_lines_are_found_through_every_way_to_write_a_key():
    text = '''\
a.b = 1  # a "quoted" [comment]
"c.d" = """
two
lines"""
e = [
  {f = 1.5},
  { g = ["x", "]"], h = 1979-05-27 07:32:00 },
]
[[i]]
j = 1
[[i]]
[i.k."l m"]
n = 'a # b'
'''
    lines = key_lines(text)
    asked = [("a", "b"), ("c.d",), ("e", 0, "f"), ("e", 1, "g", 1), ("e", 1, "h"), ("i", 0, "j"), ("i", 1), ("i", 1, "k", "l m", "n")]
    assert [lines[each] for each in asked] == [1, 2, 6, 7, 7, 10, 11, 13]


def faults(text: str) -> list[str]:
    """The sentences about a text, none where it is a playbook."""
    try:
        assert isinstance(read_playbook(text), Playbook)
    except BadPlaybook as error:
        return error.problems
    return []


_words = st.sampled_from(["[activation]", "[[pql.signals]]", "[tables.events]", "[targets.activation.rate]", "event", "name",
                          "=", "{", "}", "[", "]", ".", ",", "'a'", '"', '"""', "\n", "#", "1", "nan", "true", "2026-01-01", " "])


@settings(deadline=None)
@given(st.lists(_words, max_size=30).map("".join) | st.text(max_size=60))
def test_no_text_brings_anything_but_a_playbook_or_sentences(text):
    assert all(each.startswith("playbook.toml") and each[-1] in ".?" for each in faults(f"{text}\n"))


_values = st.recursive(
    st.none().map(lambda _: "''") | st.sampled_from(["1", "-1", "0.5", "nan", "true", "'a'", "2026-01-01", "[]", "{}"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
    | st.dictionaries(st.sampled_from(["event", "name", "a b"]).map(repr), inner, max_size=2).map(
        lambda each: "{" + ", ".join(f"{key} = {value}" for key, value in each.items()) + "}"), max_leaves=4)
_keys = st.sampled_from([f"{section}.{key}" for section, field in Playbook.model_fields.items()
                         for key in (*getattr(field.default_factory, "model_fields", ()), "x")])


@settings(deadline=None)
@given(st.dictionaries(_keys, _values, min_size=1, max_size=5))
def test_any_value_at_any_key_is_taken_or_told_with_its_line(found):
    text = "".join(f"{key} = {value}\n" for key, value in found.items())
    assert all(each.startswith("playbook.toml, line ") and each[-1] in ".?" for each in faults(text))
