"""What all outside parts have in common: start until ready, stop for certain, never outlive their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas.errors import PartError

_POLL_S = 0.05
_STOP_S = 8.0
_LOG_LINES = 15
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
# The kernel sends the parent-death signal when the *thread* that forked ends, not the process: every
# part is forked by this one thread, which lives as long as we do.
_FORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="yupan-parts")


class Part:
    """One outside process with a directory of its own; a context manager.

    A subclass names its `command`, prepares its files, and tells by its wire protocol when it is ready.
    Without a `directory` it takes a temporary one, which `stop` removes.
    """

    name = "part"
    start_s = 30.0
    remedy = "see its log"
    holds_hang_ups = False
    """Whether the program itself takes SIGHUP from the time on when it is ready for it (`streams.running`)."""

    def __init__(self, directory: Path | None = None) -> None:
        self._given = directory
        self._temporary: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Return the program with its arguments."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Write the files that the program needs. Raises PartError when something is not installed."""

    def ready(self) -> bool:
        """Tell whether the part answers on its wire protocol."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return what the program's environment has beyond ours."""
        return {}

    def stop_signal(self) -> signal.Signals:
        """Return the signal that ends the part well."""
        return signal.SIGTERM

    @property
    def directory(self) -> Path:
        """The part's own directory, made at first use."""
        if self._given is not None:
            self._given.mkdir(parents=True, exist_ok=True)
            return self._given.resolve()
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix=f"yupan-{self.name}-"))
        return self._temporary

    @property
    def log(self) -> Path:
        """The file that takes what the program prints."""
        return self.directory / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def is_temporary(self) -> bool:
        """Whether the directory goes when the part stops."""
        return self._given is None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The code with which the process has ended, None while it runs or before it was started."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> Self:
        """Start and wait until ready. Raises PartError, and leaves nothing running, when it cannot be."""
        try:
            self.launch()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def launch(self) -> None:
        """Start the process and return at once (several parts come up side by side so)."""
        if self.alive:
            raise PartError(f"{self.name} runs already (process {self.pid})")
        try:
            self.prepare()
            with self.log.open("ab") as log:
                self._process = _FORKER.submit(
                    _fork, self.command(), log.fileno(), self.environment(), self.holds_hang_ups
                ).result()
        except OSError as error:
            raise PartError(f"{self.name} could not be started: {error}; {self.remedy}") from error

    def wait_ready(self) -> None:
        """Wait until the part answers, `start_s` seconds at most. Raises PartError with the end of its log."""
        deadline = time.monotonic() + self.start_s
        while not self.ready():
            if not self.alive:
                raise self._failed(f"ended with code {self.exit_code} before it was ready")
            if time.monotonic() > deadline:
                raise self._failed(f"was not ready after {self.start_s:.0f} s")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End the process group, by SIGKILL after 8 s; remove the temporary directory. Repeatable."""
        self._end(self.stop_signal())
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def kill(self) -> None:
        """End the process group at once, as a crash would; the directory stays for the next `start`."""
        self._end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal (SIGSTOP, SIGCONT, ...) to the process group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self.send(number)
        self.send(signal.SIGCONT)  # a stopped process would not hear the SIGTERM
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        self.send(signal.SIGKILL)  # also what the program left behind in its group
        self._process.wait()
        self._process = None

    def _failed(self, what: str) -> PartError:
        tail = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return PartError("\n".join([f"{self.name} {what}; {self.remedy}", *(f"  | {line}" for line in tail)]))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def find_program(name: str, remedy: str) -> str:
    """Return the path of a program on PATH. Raises PartError that says what to install."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        raise PartError(f"{name} is not on PATH: {remedy}")
    return path


def say(line: str) -> None:
    """Tell the person at the terminal what takes time."""
    sys.stderr.write(f"yupan: {line}\n")
    sys.stderr.flush()


def _fork(command: list[str], log: int, extra: Mapping[str, str], holds_hang_ups: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, **extra},
        start_new_session=True,  # Ctrl-C goes to us alone, who stop the parts in order
        preexec_fn=_die_with_parent(os.getpid(), holds_hang_ups),  # noqa: PLW1509 - system calls, no lock
    )


def _die_with_parent(parent: int, holds_hang_ups: bool) -> Callable[[], None]:
    """Return what the child runs before the program: the kernel shall kill it when we end, however we end."""

    def arm() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if holds_hang_ups:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        if os.getppid() != parent:  # we ended between fork and prctl
            os._exit(1)

    return arm
