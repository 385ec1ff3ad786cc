"""The ClickHouse server that is on PATH, with a directory, ports and a user of its own."""

from __future__ import annotations

import logging
from pathlib import Path

from streams.parts.part import Part, find_program
from streams.parts.ports import HOST, free_port

# The driver logs every failed attempt with its traceback, and until the server is ready they fail.
logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)

# <yandex> as the root element and no newer settings: Debian's 18.16 must start with it, too. It insists
# that the process and the data have the same owner, which holds here: both are ours.
_CONFIG = """<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>{host}</listen_host>
  <tcp_port>{port}</tcp_port>
  <path>{directory}/data/</path>
  <tmp_path>{directory}/tmp/</tmp_path>
  <users_config>{directory}/users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>UTC</timezone>
  <mark_cache_size>67108864</mark_cache_size>
</yandex>
"""
_USERS = """<yandex>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password></password>
    <networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
  </default></users>
</yandex>
"""


class ClickHouseServer(Part):
    """One clickhouse-server on a free loopback port, user `default` without password, database `yupan`."""

    name = "clickhouse-server"
    remedy = "or use the embedded one (--clickhouse chdb)"

    def __init__(self, directory: Path | None = None) -> None:
        super().__init__(directory)
        self.port = free_port()

    @property
    def dsn(self) -> str:
        """The address of the database `yupan`, as the setting CLICKHOUSE takes it."""
        return self._address("yupan")

    def database(self, name: str) -> str:
        """Return the address of a database of that name, created where it is missing (running server)."""
        self._execute(f"CREATE DATABASE IF NOT EXISTS `{name}`")
        return self._address(name)

    def prepare(self) -> None:
        """Write the configuration."""
        for room in ("data", "tmp"):
            (self.directory / room).mkdir(exist_ok=True)
        config = _CONFIG.format(host=HOST, port=self.port, directory=self.directory)
        (self.directory / "config.xml").write_text(config)
        (self.directory / "users.xml").write_text(_USERS)

    def command(self) -> list[str]:
        program = find_program(
            "clickhouse-server", f"install it (Debian: apt-get install clickhouse-server), {self.remedy}"
        )
        return [program, f"--config-file={self.directory / 'config.xml'}"]

    def ready(self) -> bool:
        from clickhouse_driver.errors import Error

        try:
            self._execute("CREATE DATABASE IF NOT EXISTS yupan")
        except (Error, EOFError, OSError):
            return False
        return True

    def _address(self, name: str) -> str:
        return f"clickhouse://default:@{HOST}:{self.port}/{name}"

    def _execute(self, statement: str) -> None:
        from clickhouse_driver import Client

        with Client(HOST, self.port, connect_timeout=5) as client:
            client.execute(statement)
