"""Apicurio: a schema registry with Confluent's REST interface, from Maven Central; for tests."""

from __future__ import annotations

import tarfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from streams.parts.jars import java, kept, maven
from streams.parts.part import Part
from streams.parts.ports import HOST, free_port

VERSION = "3.0.9"  # 3.3 needs Java 21
_ANSWER_S = 2.0


class Apicurio(Part):
    """One registry in memory on a free loopback port."""

    name = "apicurio"
    start_s = 180.0
    remedy = "Apicurio needs Java 17 or newer and about 300 MB of memory"

    def __init__(self, directory: Path | None = None) -> None:
        super().__init__(directory)
        self.port = free_port()

    @property
    def address(self) -> str:
        """What YUPAN_SCHEMA_REGISTRY is set to."""
        return f"http://{HOST}:{self.port}/apis/ccompat/v7"

    def command(self) -> list[str]:
        jar = _unpacked() / f"apicurio-registry-app-{VERSION}-runner.jar"
        return [java(), "-Xmx512m", "-jar", str(jar)]

    def environment(self) -> Mapping[str, str]:
        return {
            "QUARKUS_HTTP_HOST": HOST,
            "QUARKUS_HTTP_PORT": str(self.port),
            "APICURIO_STORAGE_KIND": "sql",
        }

    def ready(self) -> bool:
        """Whether it lists its subjects."""
        try:
            with urllib.request.urlopen(f"{self.address}/subjects", timeout=_ANSWER_S) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _unpacked() -> Path:
    return kept(f"apicurio-{VERSION}", f"Apicurio {VERSION}", _fetch)


def _fetch(folder: Path) -> None:
    artifact = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
    maven(f"Apicurio {VERSION}", "109 MB", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}")
    archive = folder / f"apicurio-registry-app-{VERSION}-all.tar.gz"
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
