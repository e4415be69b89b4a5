"""The same five questions in plain SQL, polars, pandas and ClickHouse."""
