"""Databases by address: the same scorecard from each, kept tables made once, and no password in any sentence."""

from __future__ import annotations

import engines
import ibis
import pandas as pd
import pytest

from plgkit.errors import BadSource, ServerAway
from plgkit.playbook import Playbook
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames
from plgkit.scorecard import scorecard
from plgkit.sources import inside
from plgkit.sources.connect import connect


@pytest.fixture(scope="module")
def address(server) -> tuple[ibis.BaseBackend, str]:
    place = engines.load(server, frames())
    return place, engines.address_of(place)


@pytest.fixture
def opened():
    """Open an address, and close PostgreSQL's connections afterwards."""
    made = []

    def opened(address: str, **words):
        made.append(connect(address, as_of=AS_OF, playbook=Playbook(**{**PLAYBOOK, **words})))
        return made[-1]

    yield opened
    for data in made:
        if data.connection.name == "postgres":
            data.connection.disconnect()


# Spark takes a second for each; the contract asks it every measure on its own.
SOME = ["acquisition.signups", "activation.rate", "retention.user_churn", "conversion.free_to_paid", "expansion.nrr", "advocacy.nps"]


def test_the_scorecard_of_a_database_is_that_of_the_same_files(address, tiny, opened):
    place, where = address
    asked = SOME if place.name == "pyspark" else None
    pd.testing.assert_frame_equal(scorecard(opened(where), measures=asked), scorecard(tiny, measures=asked), rtol=1e-9)


def test_tables_of_our_own_are_made_once_for_each_state_of_the_data(address, opened):
    place, where = address

    def kept() -> list[str]:
        return sorted(name for name in place.list_tables(database=inside.SCHEMA) if not name.startswith("plgkit_"))

    first = opened(where)
    before = kept()
    assert [name for name in before if name.startswith("partial")] == []
    assert f"all_events_{first.version}" in before
    again = opened(where)
    assert again.version == first.version
    assert kept() == before
    changed = opened(where, leave_out={"user_ids": ["u1"]})
    assert changed.version != first.version
    assert set(before) < set(kept())


def test_rows_stay_in_the_database_and_the_measure_names_our_table(address, opened):
    from plgkit.metrics import retention

    _, where = address
    data = opened(where)
    assert inside.SCHEMA in retention.user_churn.sql(data)


@pytest.mark.parametrize(("address", "said"), [
    ("oracle://db/shop", "There is no engine 'oracle'. It has: bigquery, chdb, clickhouse, databricks, postgres, postgresql, sc, snowflake, "
     "spark, trino. An address looks like postgres://ann@db.example.com/shop?schema=analytics."),
    ("postgres://ann:secret@db.example.com/shop", "The address of postgres://db.example.com/shop carries a password. Leave it out and set "
     "PGPASSWORD or PLGKIT_PASSWORD in the environment: addresses end up in logs."),
    ("snowflake://ann@account/db", "Snowflake needs a package that is not installed: python -m pip install 'plgkit[snowflake]'."),
    ("sc://127.0.0.1:15002/;token=TOPSECRET", "The address of sc://127.0.0.1:15002/ carries a password. Leave it out and set SPARK_CONNECT_TOKEN or "
     "PLGKIT_PASSWORD in the environment: addresses end up in logs."),
    ("postgres://ann@db.example.com/shop?password=TOPSECRET", "The address of postgres://db.example.com/shop carries a password. Leave it out and set "
     "PGPASSWORD or PLGKIT_PASSWORD in the environment: addresses end up in logs."),
    ("postgres://ann@db.example.com/shop?shema=x", "The address of postgres://db.example.com/shop has the option 'shema', which PostgreSQL does not know. "
     "Did you mean 'schema'?"),
    ("clickhouse://db.example.com/shop?secure=maybe", "The option 'secure' is 'maybe'; expected one of: 1, true, yes, on, 0, false, no, off."),
    ("postgres://db:seven/shop", "The port of postgres://db is no number."),
    ("spark://local[2]/shop", "The address cannot be read: what stands in brackets is no machine. An address looks like "
     "postgres://ann@db.example.com/shop?schema=analytics.")])
def test_an_address_that_cannot_be_used_is_a_sentence(address, said):
    with pytest.raises(BadSource) as error:
        connect(address)
    assert str(error.value) == said


def test_a_password_is_taken_from_the_environment_and_never_printed(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "a-very-secret-word")
    with pytest.raises(ServerAway) as error:
        connect("postgres://ann@127.0.0.1:9/shop")
    assert str(error.value).startswith("postgres://127.0.0.1:9/shop does not answer: ")
    assert str(error.value).endswith("Is the address right? If it is, run the same again when the server is back.")
    assert "secret-word" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_server_that_does_not_answer_is_another_exit_status_than_a_wrong_address(capsys):
    from plgkit import cli

    for address, status in [("postgres://ann@127.0.0.1:9/shop", 4), ("postgres://ann@127.0.0.1:9/shop?shema=x", 2)]:
        with pytest.raises(SystemExit) as stop:
            cli.main(["check", address])
        assert stop.value.code == status
    assert capsys.readouterr().err.count("\n") == 2


def test_names_and_options_of_an_address_reach_the_driver_as_they_are_meant(monkeypatch):
    asked = []

    def nobody_there(**given: object) -> None:
        asked.append(given)
        raise ConnectionRefusedError("nobody is there")

    for name in ("postgres", "clickhouse"):
        monkeypatch.setattr(getattr(ibis, name), "connect", nobody_there)
    for address in ("postgres://ann%40corp.com@db/shop?sslmode=verify-full&schema=x", "clickhouse://ann%40corp.com@db/shop?secure=yes"):
        with pytest.raises(ServerAway):
            connect(address)
    assert [(each["user"], each.get("sslmode"), each.get("schema"), each.get("secure")) for each in asked] == [
        ("ann@corp.com", "verify-full", "x", None), ("ann@corp.com", None, None, True)]


def test_duckdb_has_an_address_too(tmp_path):
    connection = ibis.duckdb.connect(tmp_path / "shop.duckdb")
    for name, frame in frames().items():
        connection.create_table(name, frame)
    connection.disconnect()
    data = connect(f"duckdb://{tmp_path}/shop.duckdb", as_of=AS_OF, playbook=Playbook(**PLAYBOOK))
    assert len(data.run(data.users)) == 4
