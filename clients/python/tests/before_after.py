"""What calls side by side got before, and what they get now, as a table.

    WEIR_BIN=/path/to/weir python tests/before_after.py [--write ../../docs/BEFORE-AFTER.md]

1, 3, 7, 10 and 50 calls at the same time, each with a fresh tool, by three clients, on
three kinds of day of the provider. Every run is a process of its own with a bound, as a
client that stops its event loop cannot be watched from inside. Takes about two minutes.
Exits with 1 when Weir's client does not pass: no call hangs, each ends within 10 s, and
more than 99 of 100 are answered right.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import weirserver
from before import ClientPerCall, Index, ThreadAndJoin
from corpus import DOCUMENTS
from provider import embed
from weir_rag import RAGTool

LEVELS = (1, 3, 7, 10, 50)
BOUND = 30.0  # seconds after which a run is ended; three times what a call may take
PLAN = 10.0  # seconds that a call may take
USER = "member-7"

DAYS: dict[str, dict[str, float]] = {
    "1 s for each answer": {"latency": 1.0},
    "1 s, and no more than 4 requests at a time, else 429": {"latency": 1.0, "limit": 4},
    "1 s, and one request of five is never answered": {"latency": 1.0, "hang_every": 5},
}
CLIENTS = {
    "join": "thread, joined",
    "httpx": "client per call",
    "weir": "weir_rag",
}


@dataclass
class Run:
    """What the calls of one run got."""

    client: str
    day: str
    level: int
    right: int = 0
    by_words: int = 0  # of these, answered without a vector, and declared so
    wrong: int = 0
    empty: int = 0
    silent: int = 0  # of these, without a word why
    seconds: list[float] = field(default_factory=list)
    blocked: float = 0.0  # longest time in which the event loop did nothing else
    threads: int = 0
    requests: int = 0  # that reached the provider

    @property
    def unfinished(self) -> int:
        """Calls that had not ended when the run was."""
        return self.level - len(self.seconds)

    def take(self, line: dict[str, Any]) -> None:
        """Count one line of the process."""
        self.blocked = max(self.blocked, line["blocked"])
        if "seconds" not in line:
            return
        self.seconds.append(line["seconds"])
        self.right += line["outcome"] == "right"
        self.wrong += line["outcome"] == "wrong"
        self.empty += line["outcome"] == "empty"
        self.silent += line["outcome"] == "empty" and not line["reason"]
        self.by_words += line["outcome"] == "right" and line["degraded"]

    def passes(self) -> bool:
        """Whether it is what the old team's plan asked for."""
        return self.unfinished == 0 and max(self.seconds) < PLAN and self.right > 0.99 * self.level


# --- the process in which the calls are made ---

Ask = Callable[[str], Awaitable[tuple[list[str], str | None, bool]]]


class Pulse:
    """Measures how long the event loop did nothing for others."""

    STEP = 0.01

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._longest = 0.0

    async def beat(self) -> None:
        """Beat until canceled."""
        while True:
            self.blocked()
            self._last = time.monotonic()
            await asyncio.sleep(self.STEP)

    def blocked(self) -> float:
        """The longest pause so far, the present one included."""
        self._longest = max(self._longest, time.monotonic() - self._last - self.STEP)
        return self._longest


async def calls(ask: Callable[[], Ask], level: int) -> None:
    """Make the calls and print a line for each."""
    pulse = Pulse()
    beating = asyncio.ensure_future(pulse.beat())
    await asyncio.sleep(0)
    names = list(DOCUMENTS)
    started = time.monotonic()

    async def call(n: int) -> None:
        name = names[n % len(names)]
        # Every question is another, so that no cache can answer for the provider.
        found, reason, degraded = await ask()(f"{DOCUMENTS[name][0]} Case {level}x{n}")
        outcome = "empty" if not found else "right" if found[0] == name else "wrong"
        say(
            seconds=time.monotonic() - started,
            outcome=outcome,
            reason=reason,
            degraded=degraded,
            blocked=pulse.blocked(),
        )

    await asyncio.gather(*(call(n) for n in range(level)))
    await asyncio.sleep(2 * Pulse.STEP)
    say(blocked=pulse.blocked())
    beating.cancel()


def say(**line: object) -> None:
    """One line for the process that watches."""
    print(json.dumps(line), flush=True)


def child(client: str, level: int, url: str, documents: dict[str, str]) -> None:
    """Make the calls of one run."""
    index = Index({name: embed(text) for name, (_, text) in DOCUMENTS.items()})

    def old(kind: type[ThreadAndJoin] | type[ClientPerCall]) -> Ask:
        async def ask(text: str) -> tuple[list[str], str | None, bool]:
            return await kind(url, index).retrieve(text), None, False

        return ask

    def new() -> Ask:
        async def ask(text: str) -> tuple[list[str], str | None, bool]:
            chunks = await RAGTool(USER, base_url=url).retrieve_chunks_from_text(text)
            return [documents[c.doc_id] for c in chunks], chunks.reason, bool(chunks.degraded)

        return ask

    makers: dict[str, Callable[[], Ask]] = {
        "join": lambda: old(ThreadAndJoin),
        "httpx": lambda: old(ClientPerCall),
        "weir": new,
    }
    asyncio.run(calls(makers[client], level))


# --- the process that watches ---


def watch(run: Run, url: str, documents: dict[str, str]) -> Run:
    """Make a run, and end it when its time is up."""
    job = json.dumps([run.client, run.level, url, documents])
    with subprocess.Popen(
        [sys.executable, __file__, "--child", job],
        env=weirserver.clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        over = threading.Event()
        began = time.monotonic()

        def guard() -> None:
            while not over.wait(0.02):
                run.threads = max(run.threads, threads_of(running.pid))
                if time.monotonic() - began > BOUND:
                    running.kill()
                    return

        guarding = threading.Thread(target=guard)
        guarding.start()
        assert running.stdout is not None
        heard = began
        for line in running.stdout:
            run.take(json.loads(line))
            heard = time.monotonic()
        over.set()
        guarding.join()
        if run.client == "join" and run.unfinished:
            # It was ended while its loop stood still: what it could not tell any more.
            run.blocked = max(run.blocked, time.monotonic() - began, heard - began)
    return run


def threads_of(pid: int) -> int:
    """Threads of a process, where the system tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(s.split()[1]) for s in status.splitlines() if s.startswith("Threads")), 0)


def lane(binary: str, client: str, day: str, levels: tuple[int, ...]) -> list[Run]:
    """All levels of one client on one day, one after the other."""
    with ExitStack() as stack:
        provider_url = url = stack.enter_context(weirserver.provider())
        documents: dict[str, str] = {}
        if client == "weir":
            data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = stack.enter_context(weirserver.weir(binary, data, provider_url))
            for name, (_, text) in DOCUMENTS.items():
                documents[weirserver.upload(url, USER, name, text)] = name
        out = []
        for level in levels:
            weirserver.control(provider_url, **DAYS[day])
            run = watch(Run(client, day, level), url, documents)
            run.requests = weirserver.requests(provider_url)
            out.append(run)
        return out


def measure(
    binary: str, clients: tuple[str, ...] = tuple(CLIENTS), levels: tuple[int, ...] = LEVELS
) -> list[Run]:
    """All runs, the lanes side by side."""
    lanes = [(client, day) for day in DAYS for client in clients]
    with ThreadPoolExecutor(len(lanes)) as pool:
        done = pool.map(lambda cd: lane(binary, cd[0], cd[1], levels), lanes)
        return [run for runs in done for run in runs]


# --- the page ---

PAGE = """\
# Before and after

What calls side by side get from three clients. The table is written by a script, which also says
whether Weir's client passes:

```sh
go build ./cmd/weir
cd clients/python
WEIR_BIN=../../weir python tests/before_after.py --write ../../docs/BEFORE-AFTER.md
```

- **thread, joined**: for each call a thread, which asks the provider with a blocking client of its own (30 s, three
  retries) and puts the vector into a queue, while the coroutine waits in `thread.join` for up to 25 s.
- **client per call**: for each call a new `httpx.AsyncClient` with 60 s for each wait; whatever is not a vector becomes an empty list.
- **weir_rag**: [`clients/python`](../clients/python/README.md) as it comes, against `weir serve` with the same provider behind it.

The first two are told again in `clients/python/tests/before.py`, as the old retrieval tool had them one after the other. Of that tool
only the way to the provider is re-created: where it went on to read Postgres, a look through ten vectors in memory stands in,
which costs nothing and cannot fail, and what it logged and counted is left out. All calls of a run start at the same moment, each
with a tool of its own and a question that was never asked before; the answer is known, and is *right* when the first passage is of
the document that holds it; an empty list *without a reason* is one that cannot be told from
"this user has no such document". Each run is a process of its own that is ended after {bound:g} s: calls that have not ended by then
count as **hanging**. *Loop blocked* is the longest time in which the event loop served nobody else. Threads are those of the process, the first one
included. Requests are those that reached the provider.

{tables}

{reading}

Measured in one go with {python} on {cores} cores, the nine pairs of client and day side by side, with provider, server and clients on one
machine, whose load was {load} at the end. Times are of this one run.
"""

READING = """\
- **thread, joined** makes calls wait for each other: the loop stands still from the first to the last, so that 50 calls take 50 times
  as long as one, and every other request of that process stands still with them. A request without an answer costs all of them 25 s,
  and its thread stays behind.
- **client per call** lets calls run side by side. It has no bound that fits a caller, sends a request for each call whatever the
  provider bears, and cannot say afterwards whether a user has no documents or the provider said no: all its empty lists are alike. Each
  client reads the system's certificates anew, for which the loop stands still.
- **weir_rag** asks a server that puts questions into common requests and keeps to what the provider bears. A request that takes far
  longer than usual (here 4 s) is made once more beside it. If that comes to nothing too, its questions are answered by their words (the
  number in brackets) shortly before the deadline, and the list that is returned says so in `degraded`."""


def page(runs: list[Run]) -> str:
    """The page."""
    tables = []
    for day in DAYS:
        rows = [
            f"### The provider takes {day}",
            "",
            "| Calls | Client | Right | Empty | Hanging | Slowest | Loop blocked | Threads | Requests |",
            "|--:|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        rows += [
            row(run) for level in LEVELS for run in runs if (run.day, run.level) == (day, level)
        ]
        tables.append("\n".join(rows))
    return PAGE.format(
        bound=BOUND,
        tables="\n\n".join(tables),
        reading=READING,
        python=f"Python {platform.python_version()}",
        cores=os.cpu_count(),
        load=f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known",
    )


def row(run: Run) -> str:
    """One line of a table."""
    right = f"{run.right}" + (f" ({run.by_words} by words)" if run.by_words else "")
    if run.wrong:
        right += f", {run.wrong} wrong"
    empty = f"{run.empty}" + (f", {run.silent} without a reason" if run.silent else "")
    slowest = f"> {BOUND:g} s" if run.unfinished else f"{max(run.seconds):.1f} s"
    blocked = f"{run.blocked:.0f} s" if run.blocked >= 1 else f"{run.blocked * 1000:.0f} ms"
    name = f"**{CLIENTS[run.client]}**" if run.client == "weir" else CLIENTS[run.client]
    return (
        f"| {run.level} | {name} | {right} | {empty} | {run.unfinished} | {slowest} "
        f"| {blocked} | {run.threads or '–'} | {run.requests} |"  # noqa: RUF001
    )


def main() -> int:
    """Measure, print, and say whether it passes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(*json.loads(given.child))
        return 0
    binary = os.environ.get("WEIR_BIN")
    if not binary:
        parser.error("WEIR_BIN must name a weir binary (go build ./cmd/weir)")
    runs = measure(str(Path(binary).resolve()))
    text = page(runs)
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")
    failed = [run for run in runs if run.client == "weir" and not run.passes()]
    for run in failed:
        print(f"not passed: {row(run)} ({run.day})", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
