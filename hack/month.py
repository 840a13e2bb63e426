#!/usr/bin/env python
"""Writes a month of a busy cluster into a ledger; measures its size, and how long reports take.

    python hack/month.py                      a month at 10,000 pods a day, in SQLite
    python hack/month.py --year --days 8      a year: 8 days and their copies
    python hack/month.py --url postgresql://… into an empty database that is there
    python hack/month.py --year --write       and the figures into docs/performance.md

All of it goes through the ledger's own writer, in transactions as large as it makes them (see
`busy.py` for what lives in it). A year is that and copies of its rows, each later and with uids of
its own, made by the database itself: the same rows at the same size.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "operator")]

from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text  # noqa: E402

import busy  # noqa: E402 - found through the path set above
from bursar.domain.time import DAY, HOUR, MINUTE, Ms, format_time  # noqa: E402
from bursar.report import Rules  # noqa: E402
from bursar.runtime.answers.reporting import Terms, report_of  # noqa: E402
from bursar.runtime.ledger import Ledger, Reader, connect, schema  # noqa: E402
from bursar.runtime.ledger.apply import Batch  # noqa: E402
from bursar.runtime.ledger.names import Names  # noqa: E402
from bursar.runtime.ledger.rows import CheckpointRow, Row  # noqa: E402
from bursar.runtime.ledger.sums import Summing  # noqa: E402

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- month: begin -->", "<!-- month: end -->"
CLUSTER = "month"
NOW: Ms = 1_793_491_200_000
"""2026-11-01T00:00:00Z: the moment after the last month that is written."""
MONTH, YEAR = 31, 365
HOURS_KEPT = 90
TRANSACTION = 5_000
"""Rows of one transaction: as many as the writer takes at most."""
TRIES = 3
Rows = list[tuple[str, str, str]]
"""(what, figure, the bar)"""


# --- writing --------------------------------------------------------------------------------------


def batches(cluster: busy.Cluster) -> Iterator[list[Row]]:
    """A cluster's rows as they come, a transaction at a time."""
    batch = list(cluster.nodes())
    for told in cluster.pods():
        if len(batch) + len(told) > TRANSACTION:
            yield batch
            batch = []
        batch += told
    yield [*batch, CheckpointRow(stream="pods", resource_version="1", observed=cluster.end)]


def fill(url: str, begin: Ms, end: Ms) -> tuple[int, float]:
    """Write all of a cluster's rows; how many, and for how many seconds the writer worked."""
    Ledger.open(url, CLUSTER).close()
    keep_hours(url, 0 if begin < NOW - HOURS_KEPT * DAY else NOW - HOURS_KEPT * DAY)
    ledger = Ledger.open(url, CLUSTER)
    rows, spent, said = 0, 0.0, time.monotonic()
    for batch in batches(busy.Cluster(begin, end)):
        at = time.perf_counter()
        ledger.submit(batch).result()
        spent += time.perf_counter() - at
        rows += len(batch)
        if time.monotonic() - said > 20:
            said = time.monotonic()
            say(f"{rows:,} rows, {rows / spent:,.0f} a second")
    ledger.close()
    return rows, spent


def keep_hours(url: str, since: Ms) -> None:
    """Say from when on hours are kept, as a ledger that began then would."""
    engine = create_engine(connect.parse(url))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM kept"))
        connection.execute(
            schema.KEPT.insert().values(
                cluster_id=1, intervals_since_ms=0, hourly_since_ms=since - since % DAY
            )
        )
    engine.dispose()


def cost_of_sums() -> tuple[float, float]:
    """Seconds of CPU for the rows of two days, without sums by hour and day and with them."""
    move, best = Summing.move, {False: float("inf"), True: float("inf")}
    rows = list(batches(busy.Cluster(NOW - 2 * DAY, NOW)))
    for _ in range(TRIES):
        for summed in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                url = str(Path(folder) / "ledger.db")
                Ledger.open(url, CLUSTER).close()
                keep_hours(url, NOW - HOURS_KEPT * DAY)
                engine = connect.writer_engine(connect.parse(url))
                names = Names(1)
                Summing.move = move if summed else lambda self, moves: None  # type: ignore[method-assign]
                at = time.process_time()
                for batch in rows:
                    with engine.begin() as connection:
                        Batch(connection, names, 1, 1).write(batch)
                best[summed] = min(best[summed], time.process_time() - at)
                engine.dispose()
    Summing.move = move  # type: ignore[method-assign]
    return best[False], best[True]


# --- a year ---------------------------------------------------------------------------------------


def copy_days(url: str, days: int) -> None:
    """Follow the days that are there by their copies, to the present; SQLite only."""
    engine = create_engine(connect.parse(url))
    with engine.begin() as connection:
        connection.execute(text("PRAGMA temp_store = FILE"))
        for table in ("pod", "run", "pod_interval", "budget_member", "daily", "daily_node",
                      "hourly", "hourly_node"):  # fmt: skip
            connection.execute(text(f"CREATE TEMP TABLE m_{table} AS SELECT * FROM {table}"))
        connection.execute(text("DELETE FROM hourly"))
        connection.execute(text("DELETE FROM hourly_node"))
        pods = connection.execute(text("SELECT MAX(id) FROM pod")).scalar_one()
        runs = connection.execute(text("SELECT MAX(id) FROM run")).scalar_one()
        for number in range(1, turns(days)):
            say(f"copy {number} of {turns(days) - 1}")
            _copy(connection, number * days, pods * number, runs * number)
    engine.dispose()
    keep_hours(url, NOW - HOURS_KEPT * DAY)


def turns(days: int) -> int:
    """How often so many days make at least a year."""
    return -(-YEAR // days)


def _copy(connection: Connection, days: int, pods: int, runs: int) -> None:
    """Copy what there was at first, so many days later and with other ids."""
    shift = days * DAY
    run = connection.execute
    run(text(f"INSERT INTO run SELECT id + {runs}, randomblob(16), cluster_id, randomblob(16),"
             " kind, namespace, name FROM m_run"))  # fmt: skip
    _insert(connection, "pod", {"id": f"id + {pods}", "uid": "randomblob(16)",
                                "run_id": f"run_id + {runs}"})  # fmt: skip
    ended = {"basis": "MAX(basis, 1)", "witness": "'finishedAt'"}
    _insert(connection, "pod_interval", {"pod_id": f"pod_id + {pods}", **ended,
                                         "start_ms": f"start_ms + {shift}",
                                         "end_ms": f"end_ms + {shift}"})  # fmt: skip
    _insert(connection, "budget_member", {"pod_id": f"pod_id + {pods}",
                                          "from_ms": f"from_ms + {shift}"})  # fmt: skip
    for table in ("daily", "daily_node"):
        _insert(connection, table, {"day_ms": f"day_ms + {shift}"})
    for table in ("hourly", "hourly_node"):
        since = NOW - HOURS_KEPT * DAY - shift
        _insert(connection, table, {"hour_ms": f"hour_ms + {shift}"}, f"WHERE hour_ms >= {since}")


def _insert(connection: Connection, table: str, change: dict[str, str], where: str = "") -> None:
    columns = [column.name for column in schema.METADATA.tables[table].columns]
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(change.get(name, f'"{name}"') for name in columns)
    connection.execute(
        text(f"INSERT INTO {table} ({names}) SELECT {values} FROM m_{table} {where}")
    )


# --- measuring ------------------------------------------------------------------------------------


def sizes(engine: Engine, path: Path | None) -> tuple[int, list[tuple[str, int, int]]]:
    """Bytes of the whole, and of each table with its indexes, with its rows, the largest first."""
    found = []
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        for table in tables:
            rows = connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one()
            if path is None:
                query = f"SELECT pg_total_relation_size('{table}')"
            else:
                query = ("SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE name IN (SELECT name"
                         f" FROM sqlite_schema WHERE tbl_name = '{table}')")  # fmt: skip
            found.append((table, rows, int(connection.execute(text(query)).scalar_one())))
        whole = sum(each[2] for each in found)
        if path is not None:
            whole = path.stat().st_size
    return whole, sorted(found, key=lambda each: -each[2])


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """The best of some tries: seconds, and seconds of CPU."""
    spent, worked = [], []
    for _ in range(TRIES):
        at, busy_at = time.perf_counter(), time.process_time()
        call()
        spent.append(time.perf_counter() - at)
        worked.append(time.process_time() - busy_at)
    return min(spent), min(worked)


def reports(url: str) -> Rows:
    """How long reports of the last month, a day and odd windows take."""
    reader, terms = Reader.open(url, CLUSTER), Terms(rules=Rules(currency="USD"))
    begin, odd = NOW - MONTH * DAY, NOW - 20 * DAY + 3 * HOUR + 30 * MINUTE + 7
    month = {"from": format_time(begin), "to": format_time(NOW)}
    day = {"from": format_time(NOW - 9 * DAY), "to": format_time(NOW - 8 * DAY)}
    any_window = {"from": format_time(odd), "to": format_time(odd + 13 * DAY + 5 * HOUR + 77_000)}
    asked: Sequence[tuple[str, dict[str, str], str]] = (
        ("the month by namespace and class", {**month, "by": "namespace,class"}, "under 0.2 s"),
        ("the month by team", {**month, "by": "team"}, "under 0.2 s"),
        ("the month by accelerator and capacity type", {**month, "by": "accelerator,capacityType"},
         "under 0.2 s"),
        ("the month by node", {**month, "by": "node"}, "under 1 s"),
        ("the month by workload, each of its pods looked at", {**month, "by": "workload"}, ""),
        ("a day by namespace and class", {**day, "by": "namespace,class"}, "under 0.2 s"),
        ("13 days, 5 hours and 77 seconds by namespace and class",
         {**any_window, "by": "namespace,class"}, "under 1 s"),
    )  # fmt: skip
    rows: Rows = []
    for what, query, bar in asked:
        spent, worked = timed(partial(report_of, reader, query, terms, NOW))
        rows.append(
            (f"report of {what}", f"{spent * 1000:,.0f} ms (CPU {worked * 1000:,.0f} ms)", bar)
        )
        say(f"{what}: {spent:.3f} s")
    reader.close()
    return rows


def measure(url: str, days: int, *, year: bool) -> tuple[Rows, str]:
    """All of it; and what takes most of the room."""
    parsed = make_url(connect.parse(url))
    path = Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None
    times = turns(days) if year else 1
    end = NOW - (times - 1) * days * DAY
    written, spent = fill(url, end - days * DAY, end)
    if year:
        copy_days(url, days)
    engine = create_engine(parsed)
    whole, tables = sizes(engine, path)
    engine.dispose()
    pods = next(rows for name, rows, _ in tables if name == "pod")
    named = {name: f"{name} {size / 1e6:,.0f} MB ({rows:,} rows)" for name, rows, size in tables}
    where = "SQLite" if path else "PostgreSQL"
    rows: Rows = [
        (f"{where}: {days * times} days, {pods:,} pods",
         f"{whole / 1e9:.2f} GB, {whole / pods:,.0f} bytes a pod",
         "a year under 1.5 GB" if year else ""),
        ("written, in transactions of 5,000 rows", f"{written / spent:,.0f} rows a second", ""),
    ]  # fmt: skip
    return [*rows, *reports(url)], "; ".join(list(named.values())[:8])


def machine() -> str:
    """What it ran on."""
    info = Path("/proc/cpuinfo").read_text("utf-8")
    models = (line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({next(models, '?')}), load"
        f" {os.getloadavg()[0]:.1f}, Python {platform.python_version()}."
    )


def say(what: str) -> None:
    print(f"  {what}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=MONTH, help="that are written one by one")
    parser.add_argument("--year", action="store_true", help="copies of them; SQLite only")
    parser.add_argument(
        "--url", help="an empty database; without one a SQLite file that is deleted"
    )
    parser.add_argument("--write", action="store_true", help="the figures into docs/performance.md")
    options = parser.parse_args()
    before = machine()
    with tempfile.TemporaryDirectory(prefix="bursar-month-") as folder:
        url = options.url or str(Path(folder) / "ledger.db")
        rows, largest = measure(url, options.days, year=options.year)
    plain, summed = cost_of_sums()
    rows.insert(
        2,
        ("CPU of writing, with sums by hour and day against without", f"×{summed / plain:.2f}", ""),
    )
    lines = ["| what | measured | bar |", "|---|---|---|"]
    lines += [f"| {what} | {found} | {bar} |" for what, found, bar in rows]
    told = f"{before}\n\n" + "\n".join(lines) + f"\n\nMost of the room: {largest}."
    print(told)
    if options.write:
        page = PAGE.read_text("utf-8")
        head, _, rest = page.partition(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{told}\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
