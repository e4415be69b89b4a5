"""Databases by address, such as postgres://ann@db.example.com/shop: passwords come from the environment and are never printed."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import ibis

from plgkit.errors import BadSource, ServerAway, nearest

PASSWORD = "PLGKIT_PASSWORD"
SECRET = ("password", "passwd", "passphrase", "token", "access_token", "auth", "secret", "private_key", "sslpassword")
"""Options that no address may carry."""
UNANSWERED = ("connection refused", "timed out", "timeout expired", "no route to host", "network is unreachable", "starting up", "shutting down", "unavailable",
              "name or service not known", "could not translate", "failed to resolve", "name resolution")
"""What drivers say when there is nobody at the other end."""


@dataclass(frozen=True)
class Engine:
    """A database that can be asked: its address, the packages it needs, where its password stands, how to open it.

    `options` are those that an address may carry; None where the engine itself knows which there are.
    """

    name: str
    example: str
    packages: tuple[str, ...]
    extra: str
    secrets: tuple[str, ...]
    options: Callable[[], Collection[str]] | None
    open: Callable[[SplitResult, dict[str, str], str | None], ibis.BaseBackend]


def is_address(source: object) -> bool:
    """Whether a source is the address of a database.

    Examples
    --------
    >>> is_address("postgres://localhost/shop"), is_address("exports/events.csv")
    (True, False)
    """
    return isinstance(source, str) and "://" in source


def shown(address: str) -> str:
    """An address as it may be printed: host and database, nothing that could be secret.

    Examples
    --------
    >>> shown("clickhouse://ann@db.example.com:8443/shop?secure=1")
    'clickhouse://db.example.com:8443/shop'
    """
    parts = urlsplit(address)
    port = f":{parts.port}" if _port(parts) else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path.partition(';')[0]}"


def open_address(address: str) -> ibis.BaseBackend:
    """Open a database by its address, with the clock of UTC.

    Raises
    ------
    BadSource
        If the address or the database behind it cannot be used; without a password in the sentence.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        raise BadSource(f"The address cannot be read: what stands in brackets is no machine. An address looks like {ENGINES[0].example}.") from None
    known = {scheme: engine for engine in ENGINES for scheme in _schemes(engine)}
    if parts.scheme not in known:
        raise BadSource(f"There is no engine {parts.scheme!r}. {nearest(parts.scheme, known)} An address looks like "
                        f"{ENGINES[0].example}.")
    engine, options = known[parts.scheme], _options(parts)
    if parts.password is not None or any(name.lower() in SECRET for name in options):
        raise BadSource(f"The address of {shown(address)} carries a password. Leave it out and set {_listed(engine.secrets)} in the "
                        "environment: addresses end up in logs.")
    for package in engine.packages:
        try:
            importlib.import_module(package)
        except ImportError:
            raise BadSource(f"{engine.name} needs a package that is not installed: python -m pip install 'plgkit[{engine.extra}]'.") from None
    allowed = engine.options() if engine.options else options
    for name in options:
        if name not in allowed:
            raise BadSource(f"The address of {shown(address)} has the option {name!r}, which {engine.name} does not know. {nearest(name, allowed)}")
    secret = next((os.environ[name] for name in engine.secrets if os.environ.get(name)), None)
    try:
        return engine.open(parts._replace(path=parts.path.partition(";")[0]), options, secret)
    except BadSource:
        raise
    except Exception as error:
        raise _said(address, engine, error, secret) from None


def _said(address: str, engine: Engine, error: Exception, secret: str | None) -> BadSource | ServerAway:
    """The sentence for what a driver raised, without the secret."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[0].replace(secret, "***") if secret else lines[0]
    if isinstance(error, ConnectionError) or any(each in str(error).lower() for each in UNANSWERED):
        return ServerAway(shown(address), text)
    if "PACKAGE_NOT_INSTALLED" in text or isinstance(error, ImportError):
        return BadSource(f"{engine.name} needs a package that is not installed ({text}): python -m pip install 'plgkit[{engine.extra}]'.")
    return BadSource(f"{shown(address)} could not be opened: {text} (passwords are read from {_listed(engine.secrets)}).")


def _options(parts: SplitResult) -> dict[str, str]:
    """What follows a question mark, and, as Spark Connect writes it, a semicolon behind the path."""
    behind = parts.path.partition(";")[2].split(";")
    return dict(each.partition("=")[::2] for each in behind if each) | dict(parse_qsl(parts.query, keep_blank_values=True))


def _user(parts: SplitResult) -> str | None:
    return unquote(parts.username) if parts.username else None


def _is_on(options: Mapping[str, str], name: str) -> bool:
    """Whether an option says yes."""
    given = options.get(name, "no").lower()
    if given not in (yes := ("1", "true", "yes", "on")) and given not in (no := ("0", "false", "no", "off")):
        raise BadSource(f"The option {name!r} is {given!r}; expected one of: {', '.join(yes + no)}.")
    return given in yes


def _schemes(engine: Engine) -> list[str]:
    own = engine.example.partition(":")[0]
    return [own, *{"postgres": ["postgresql"], "clickhouse": ["chdb"], "spark": ["sc"]}.get(own, [])]


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(names) if names else "nothing: it needs none"


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise BadSource(f"The port of {parts.scheme}://{parts.hostname} is no number.") from None


def _given(**settings: object) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value not in (None, "")}


def _names(parts: SplitResult, *wanted: str) -> dict[str, str]:
    """The parts of the path by their names: /catalog/schema."""
    return dict(zip(wanted, [unquote(each) for each in parts.path.split("/") if each], strict=False))


def _postgres(parts: SplitResult, options: Mapping[str, str], secret: str | None) -> ibis.BaseBackend:
    connection = ibis.postgres.connect(**_given(host=parts.hostname, port=_port(parts), user=_user(parts), password=secret,
                                                database=_names(parts, "database").get("database")), **options)
    connection.raw_sql("SET TIME ZONE 'UTC'").close()
    return connection


def _clickhouse(parts: SplitResult, options: Mapping[str, str], secret: str | None) -> ibis.BaseBackend:
    # Without join_use_nulls the missing side of a join is zeros and the year 1970.
    settings = {name: value for name, value in options.items() if name != "secure"} | {"join_use_nulls": 1}
    database = _names(parts, "database").get("database", "default")
    if parts.scheme == "chdb":
        return ibis.clickhouse.connect(dsn="chdb://memory", interface="chdb", database=database, settings=settings)
    return ibis.clickhouse.connect(**_given(host=parts.hostname, port=_port(parts), user=_user(parts), password=secret, database=database),
                                   secure=_is_on(options, "secure"), settings=settings)


def _spark(parts: SplitResult, options: Mapping[str, str], secret: str | None) -> ibis.BaseBackend:
    from pyspark.sql import SparkSession

    if parts.scheme == "sc":
        settings = {**({"use_ssl": "true"} if secret else {}), **options, **({"token": secret} if secret else {})}
        behind = "/;" + ";".join(f"{name}={value}" for name, value in settings.items()) if settings else ""
        session = SparkSession.builder.remote(f"sc://{parts.netloc}{behind}").getOrCreate()
    else:
        here = parts.hostname in (None, "local")
        master = f"local[{options.get('cores', '*')}]" if here else f"spark://{parts.netloc}"
        session = SparkSession.builder.master(master).appName("plgkit").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    database = _names(parts, "database").get("database")
    if database:
        session.sql(f"USE `{database.replace('`', '')}`")
    return ibis.pyspark.connect(session)


def _of_postgres() -> list[str]:
    """The options that the client library of PostgreSQL knows, and the schema."""
    from psycopg.pq import Conninfo

    return ["schema", *(each.keyword.decode() for each in Conninfo.get_defaults() if each.keyword.decode() not in ("host", "port", "user", "dbname"))]


def _databricks(parts: SplitResult, options: Mapping[str, str], secret: str | None) -> ibis.BaseBackend:
    return ibis.databricks.connect(**_given(server_hostname=parts.hostname, http_path=options.get("http_path"), access_token=secret,
                                            **_names(parts, "catalog", "schema")))


def _trino(parts: SplitResult, options: Mapping[str, str], secret: str | None) -> ibis.BaseBackend:
    return ibis.trino.connect(**_given(host=parts.hostname, port=_port(parts), user=_user(parts), auth=secret,
                                       **_names(parts, "database", "schema")), **options, timezone="UTC")


def _snowflake(parts: SplitResult, options: Mapping[str, str], secret: str | None) -> ibis.BaseBackend:
    names = _names(parts, "database", "schema")
    connection = ibis.snowflake.connect(**_given(user=_user(parts), password=secret, account=parts.hostname,
                                                 database="/".join(names.values())), **options)
    connection.raw_sql("ALTER SESSION SET TIMEZONE = 'UTC', WEEK_START = 1").close()
    return connection


def _bigquery(parts: SplitResult, options: Mapping[str, str], secret: str | None) -> ibis.BaseBackend:
    return ibis.bigquery.connect(**_given(project_id=parts.hostname, dataset_id=_names(parts, "dataset").get("dataset"),
                                          location=options.get("location")))


ENGINES: tuple[Engine, ...] = (
    Engine("PostgreSQL", "postgres://ann@db.example.com/shop?schema=analytics", ("psycopg",), "postgres", ("PGPASSWORD", PASSWORD), _of_postgres, _postgres),
    Engine("ClickHouse", "clickhouse://ann@db.example.com:8443/shop?secure=1", ("clickhouse_connect",), "clickhouse",
           ("CLICKHOUSE_PASSWORD", PASSWORD), None, _clickhouse),
    Engine("Spark", "spark://local/shop?cores=4, or sc://spark.example.com:15002/shop for Spark Connect", ("pyspark",), "spark",
           ("SPARK_CONNECT_TOKEN", PASSWORD), lambda: ("cores", "use_ssl", "user_id", "user_agent", "session_id"), _spark),
    Engine("Databricks", "databricks://host.example.com/catalog/schema?http_path=/sql/1.0/warehouses/1", ("databricks.sql",), "databricks",
           ("DATABRICKS_TOKEN", PASSWORD), lambda: ("http_path",), _databricks),
    Engine("Trino", "trino://ann@db.example.com:8443/catalog/schema", ("trino",), "trino", ("TRINO_PASSWORD", PASSWORD), lambda: ("http_scheme", "source"), _trino),
    Engine("Snowflake", "snowflake://ann@account/database/schema?warehouse=small", ("snowflake.connector",), "snowflake",
           ("SNOWFLAKE_PASSWORD", PASSWORD), lambda: ("warehouse", "role", "authenticator"), _snowflake),
    Engine("BigQuery", "bigquery://project/dataset", ("google.cloud.bigquery",), "bigquery", ("GOOGLE_APPLICATION_CREDENTIALS",), lambda: ("location",), _bigquery),
)
"""The engines that can be opened by address; DuckDB files are opened by duckdb:// or by their path."""
