"""Outside parts (brokers, ClickHouse) started as plain processes of this machine, for `dev`, `demo` and tests."""
