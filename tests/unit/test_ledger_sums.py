"""Sums by hour and day: their arithmetic, closed months, what is removed, and earlier ledgers."""

from collections import defaultdict
from fractions import Fraction

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event, func, select, text

from bursar.domain.budget import BudgetKey
from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate
from bursar.domain.time import DAY, HOUR, MINUTE, SECOND
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis, Dimension
from bursar.runtime.keeping import Keeping
from bursar.runtime.ledger import Ledger, backfill, migrate, schema, trim
from bursar.runtime.ledger.closing import close_month
from bursar.runtime.ledger.codec import digest
from bursar.runtime.ledger.merge import Hold, told
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.recount import differences
from bursar.runtime.ledger.rollups import MOST, Scope, contribution, month_of, month_span
from bursar.runtime.ledger.rows import Run, TrimRow
from bursar.runtime.ledger.sums import LATE
from support.databases import Database
from support.ledger import CHEAP, P5, dimension, end, hold, member, node, period, pod

WAIT = 30
T0 = month_span("2026-10")[0]
NOVEMBER = month_span("2026-11")[0]
NOW = NOVEMBER + 20 * DAY
FLAT = (period(P5, T0 - 900 * DAY),)
# Half of a p5.48xlarge: 27.52 an hour.
H = 27_520_000_000
NAMES = (*schema.AMOUNTS, *schema.COUNTS)


def one(rows) -> Hold:
    return told(rows.segments, rows.known, 0, rows.dimension, rows.device_fraction)


def figures(sums):
    """By the beginning: whatever is not zero, by name."""
    return {
        (moment - T0) / HOUR: {name: n for name, n in zip(NAMES, row, strict=True) if n}
        for (moment, _), row in sorted(sums.items())
    }


def contributed(*holds, scope=Scope()):  # noqa: B008 - frozen
    return contribution(dict(enumerate(holds)), scope, lambda _: 0)


DEVICE = 4 * 10**9


@pytest.mark.parametrize(
    ("start", "stop", "more", "hours"),
    [
        pytest.param(
            T0 + 30 * MINUTE,
            T0 + HOUR + 15 * MINUTE,
            {},
            {
                0: {"opex_nano": H // 2, "device_ms_nano": DEVICE * 30 * MINUTE, "pods_started": 1},
                1: {"opex_nano": H // 4, "device_ms_nano": DEVICE * 15 * MINUTE, "pods_carried": 1},
            },
            id="a life over the edge of an hour is cut there, and the pod is carried over it",
        ),
        pytest.param(
            T0 + 30 * MINUTE,
            T0 + HOUR,
            {},
            {0: {"opex_nano": H // 2, "device_ms_nano": DEVICE * 30 * MINUTE, "pods_started": 1}},
            id="a life that ends with the hour is not carried into the next",
        ),
        pytest.param(
            T0, T0, {}, {0: {"pods_started": 1}}, id="a life of no duration is a pod all the same"
        ),
        pytest.param(
            T0 + HOUR - 1,
            T0 + HOUR + 1,
            {"rates": (period(Rate(capex=Fraction(1), opex=Fraction(5_400_000), currency="USD",
                                   origin=""), T0 - DAY),)},
            {
                0: {"device_ms_nano": DEVICE, "pods_started": 1},
                1: {"opex_nano": 1, "device_ms_nano": DEVICE, "pods_carried": 1},
            },
            id="what an hour's edge rounds down comes with the next hour",
        ),
        pytest.param(
            T0,
            end(T0 + 2 * HOUR, Basis.ESTIMATED, "job", low=T0 + 90 * MINUTE, high=T0 + 3 * HOUR),
            {},
            {
                0: {"opex_nano": H, "device_ms_nano": DEVICE * HOUR, "pods_started": 1},
                1: {
                    "opex_nano": H,
                    "estimated_nano": H // 2,
                    "device_ms_nano": DEVICE * HOUR,
                    "pods_carried": 1,
                },
            },
            id="what lies after the lower bound of an estimate is marked",
        ),
        pytest.param(
            T0,
            T0 + HOUR,
            {"devices": Unknown("sliced by software")},
            {0: {"pods_started": 1, "pods_uncounted": 1}},
            id="a pod whose devices nobody can tell is counted apart",
        ),
        pytest.param(
            T0,
            T0 + HOUR,
            {"rates": (), "device_fraction": Fraction(1, 2)},
            {
                0: {
                    "device_ms_nano": DEVICE * HOUR,
                    "unpriced_gpu_ms_nano": DEVICE * HOUR // 2,
                    "pods_started": 1,
                }
            },
            id="time without a price is counted, in whole accelerators",
        ),
        pytest.param(
            T0,
            T0 + HOUR,
            {
                "rates": (
                    period(
                        Rate(capex=Fraction(6 * 10**9), opex=Fraction(2 * 10**9), currency="USD",
                             origin="", assumed=True, utilization=Fraction(1, 2)),
                        T0,
                    ),
                )
            },
            {
                0: {
                    "capex_nano": 6 * 10**9,
                    "opex_nano": 2 * 10**9,
                    "recovery_nano": -4 * 10**9,
                    "recovery_capex_nano": -3 * 10**9,
                    "assumed_nano": 8 * 10**9,
                    "device_ms_nano": DEVICE * HOUR,
                    "pods_started": 1,
                }
            },
            id="what is paid beyond the plain price is recovery, and an assumed price is marked",
        ),
    ],
)  # fmt: skip
def test_a_life_is_summed_by_the_hour(start, stop, more, hours):
    found = figures(contributed(one(hold(start=start, stop=stop, **{"rates": FLAT} | more))).hourly)
    for row in found.values():
        if "gpu_ms_nano" in row and "device_fraction" not in more:
            assert row.pop("gpu_ms_nano") == row["device_ms_nano"]
    hours = {at: {"gpu_ms_nano": DEVICE * HOUR // 2} | row if "device_fraction" in more else row
             for at, row in hours.items()}  # fmt: skip
    assert found == hours


def test_hours_add_up_to_days_and_to_what_the_rows_say():
    rows = hold(start=T0 + 7, stop=T0 + 40 * HOUR + 11, rates=(period(CHEAP, T0 - 1),), devices=3)
    found = contributed(one(rows))
    for sums in (found.hourly, found.daily):
        total = [sum(column) for column in zip(*sums.values(), strict=True)]
        assert total[0] == (10**9 * 3 * (40 * HOUR + 4)) // (8 * HOUR)
        assert total[1] == (7 * 10**9 * 3 * (40 * HOUR + 4)) // (8 * HOUR)
        assert total[len(schema.AMOUNTS)] == 1
    assert (len(found.hourly), len(found.daily)) == (41, 2)


def test_a_pod_with_two_resources_counts_once():
    gpu = one(hold(start=T0 + 1, stop=T0 + HOUR, rates=FLAT))
    mig = one(hold(start=T0, stop=T0 + 2 * HOUR, rates=FLAT, resource="nvidia.com/mig-1g.5gb"))
    counts = {at: (row.get("pods_started"), row.get("pods_carried"))
              for at, row in figures(contributed(gpu, mig).hourly).items()}  # fmt: skip
    assert counts == {0: (1, None), 1: (None, 1)}


def test_of_a_long_life_only_the_hours_that_are_kept_are_written():
    life = one(hold(start=T0 - 800 * DAY, stop=T0 + 9 * HOUR, rates=FLAT))
    found = contributed(life, scope=Scope(hourly_since=T0 - DAY))
    assert (len(found.hourly), len(found.daily)) == (24 + 9, 801)
    assert sum(row[1] for row in found.daily.values()) == H * (800 * 24 + 9)


def test_a_clock_that_is_wrong_by_centuries_fills_no_disk():
    life = one(hold(start=T0, stop=T0 + 7_900 * 365 * DAY, rates=FLAT))
    found = contributed(life)
    assert len(found.hourly) == MOST
    for sums in (found.hourly, found.daily):
        assert sum(row[1] for row in sums.values()) == H * 7_900 * 365 * 24


def test_what_is_open_counts_in_closed_months_alone_however_far_it_is_known():
    scope = Scope.of(0, ["2026-10"])
    rows = hold(start=NOVEMBER - 3 * HOUR, known=NOVEMBER - 2 * HOUR, rates=FLAT)
    found = figures(contributed(one(rows), scope=scope).daily)
    assert found == {
        30 * 24: {
            "opex_nano": 3 * H,
            "device_ms_nano": DEVICE * 3 * HOUR,
            "gpu_ms_nano": DEVICE * 3 * HOUR,
            "pods_started": 1,
        }
    }
    assert figures(contributed(one(rows)).daily) == {}


@pytest.mark.parametrize(
    ("month", "days"),
    [("2026-12", 31), ("2028-02", 29), ("2026-02", 28), ("2026-04", 30)],
)
def test_months_have_their_own_length(month, days):
    since, until = month_span(month)
    assert until - since == days * DAY
    assert month_of(since) == month_of(until - 1) == month
    scope = Scope.of(0, [month, month_of(until)])
    inside = [since, until - 1, until]
    assert [scope.is_closed(each) for each in (since - 1, *inside)] == [False, True, True, True]


# --- in the database ------------------------------------------------------------------------------


@pytest.fixture
def ledger(database):
    opened = Ledger.open(database.url, "test")
    yield opened
    opened.close()


def write(ledger, *rows):
    ledger.submit(rows).result(WAIT)


def days(ledger):
    """Money and pods by day, and money by node, whatever is not zero."""
    found = defaultdict(list)
    with ledger.reader.session() as (connection, names, _):
        for row in connection.execute(select(schema.DAILY)):
            team = names.dimensions.value(connection, row.dimension_id).team
            found[(row.day_ms - T0) // DAY, team] = [row.opex_nano, row.pods_started]
        for row in connection.execute(select(schema.DAILY_NODE)):
            found[(row.day_ms - T0) // DAY, "node"] = [row.opex_nano]
    return dict(found)


def wrong(ledger):
    with ledger.reader.session() as (connection, names, cluster_id):
        return list(differences(connection, names, cluster_id, NOW))


def count(ledger, table):
    with ledger.reader.session() as (connection, _, _):
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_node_and_the_team_that_are_told_later_take_the_sums_along(ledger):
    write(ledger, pod(node_uid=""), hold(start=T0, stop=T0 + HOUR, rates=FLAT))
    assert days(ledger) == {(0, "unallocated"): [H, 1]}
    write(ledger, node(), pod())
    assert days(ledger) == {(0, "unallocated"): [H, 1], (0, "node"): [H]}
    write(ledger, hold(start=T0, stop=T0 + HOUR, rates=FLAT, dimension=dimension(team="a")))
    assert days(ledger) == {(0, "a"): [H, 1], (0, "node"): [H]}
    assert wrong(ledger) == []


def close(ledger, month):
    with ledger._writer._engine.begin() as connection:
        cluster_id = connection.execute(select(schema.CLUSTER.c.id)).scalar_one()
        return close_month(connection, Names(cluster_id), cluster_id, month, "me", NOW)


def test_a_closed_month_stays_and_what_is_told_late_is_a_correction(ledger):
    long = {"start": NOVEMBER - 2 * HOUR, "rates": FLAT}
    write(ledger, node(), pod(), hold(known=NOW, **long))
    assert days(ledger) == {}
    assert close(ledger, "2026-10") == (0, 2 * H)
    final = {(30, "unallocated"): [2 * H, 1], (30, "node"): [2 * H]}
    assert days(ledger) == final
    # It ended in the closed month already; another one of that month was never told of.
    write(ledger, hold(stop=NOVEMBER - HOUR, **long))
    write(ledger, pod("p2"), hold("p2", stop=NOVEMBER + HOUR, **long))
    write(ledger, hold("p2", stop=NOVEMBER + HOUR, **long))
    assert days(ledger) == final | {(31, "unallocated"): [H, 0], (31, "node"): [H]}
    with ledger.reader.session() as (connection, _, _):
        rows = connection.execute(select(schema.CORRECTION)).all()
    assert [(row.day_ms, row.opex_nano, row.pods_started) for row in rows] == [
        (NOVEMBER - DAY, -H, 0),
        (NOVEMBER - DAY, 2 * H, 1),
    ]
    assert {(row.month, row.reason) for row in rows} == {("2026-10", LATE)}
    assert wrong(ledger) == []


@pytest.mark.parametrize(
    ("month", "said"),
    [
        pytest.param("2026-11", "has not ended", id="goes on"),
        pytest.param("2026-10", "is closed already", id="twice"),
        pytest.param("soon", "does not match", id="no month"),
    ],
)
def test_a_month_is_closed_once_and_after_its_end(ledger, month, said):
    close(ledger, "2026-10")
    with pytest.raises(ValueError, match=said):
        close(ledger, month)


ONCE = BudgetKey(namespace="vision", name="once")


def test_what_is_removed_stays_in_days_and_budgets_and_is_not_written_again(ledger):
    run = Run(uid="r", kind="Job", namespace="vision", name="train")
    old = (
        pod("old", run=run),
        hold("old", start=T0, stop=T0 + 3 * HOUR, rates=FLAT),
        member("old", since=T0 + HOUR, budget=ONCE),
    )
    odd = (
        pod("odd"),
        hold("odd", start=T0 + DAY, stop=T0 + DAY + HOUR, rates=()),
        member("odd", since=T0, budget=ONCE),
    )
    on = (pod("on"), hold("on", start=T0, known=NOW, rates=FLAT), member("on", since=T0))
    new = (pod("new", run=run), hold("new", start=T0 + 5 * DAY, stop=T0 + 6 * DAY, rates=FLAT))
    write(ledger, node(), *old, *odd, *on, *new)
    before = days(ledger)
    weights = {"h100-sxm5-80gb": Fraction(2)}
    spent = ledger.reader.budget_spend(ONCE, T0, None, weights=weights)
    assert spent.by_class[WorkloadClass.TRAINING].cost == 2 * H
    assert (spent.unpriced_gpu_ms, len(spent.unknown)) == (4 * HOUR, 1)

    trim = TrimRow(intervals_since=T0 + 2 * DAY + 5, hourly_since=T0 + 5 * DAY + 5)
    write(ledger, trim)
    assert {entry.pod_uid for entry in ledger.reader.intervals(0, NOW)} == {"on", "new"}
    assert (count(ledger, schema.RUN), count(ledger, schema.BUDGET_MEMBER)) == (1, 1)
    write(ledger, trim)
    assert days(ledger) == before
    assert ledger.reader.budget_spend(ONCE, T0, None, weights=weights) == spent
    assert ledger.reader.budget_spend(ONCE, T0 + 2 * DAY, None).by_class == {}

    # An operator that starts anew may find the pods still there, long since completed.
    write(ledger, *old, *odd)
    assert days(ledger) == before
    write(ledger, TrimRow(intervals_since=T0 + 30 * DAY, hourly_since=0))
    assert {entry.pod_uid for entry in ledger.reader.intervals(0, NOW)} == {"on"}
    assert days(ledger) == before
    assert wrong(ledger) == []


def test_old_hours_are_removed_some_days_at_a_time(ledger):
    for day in (0, 1, 5, 6):
        life = hold(f"p{day}", start=T0 + day * DAY, stop=T0 + day * DAY + HOUR, rates=FLAT)
        write(ledger, node(), pod(f"p{day}"), life)
    left = []
    for _ in range(4):
        write(ledger, TrimRow(intervals_since=0, hourly_since=T0 + 6 * DAY))
        left.append((count(ledger, schema.HOURLY), count(ledger, schema.HOURLY_NODE)))
    assert left == [(2, 2), (1, 1), (1, 1), (1, 1)]
    assert wrong(ledger) == []


def test_looking_for_what_is_old_reads_the_oldest_rows_alone(tmp_path):
    path = tmp_path / "ledger.db"
    Ledger.open(str(path), "test").close()
    engine = create_engine(f"sqlite:///{path}")
    asked = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with engine.connect() as connection:
        assert trim._ended(connection, 1, T0) == []
        ((statement, parameters),) = asked
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    engine.dispose()
    assert "pod_interval_end (end_ms<?)" in plan[0][3]


@pytest.mark.parametrize(
    ("keeping", "rows"),
    [
        pytest.param(Keeping(), (), id="nothing, where all is kept"),
        pytest.param(
            Keeping(intervals_days=400, hourly_days=90),
            (TrimRow(intervals_since=NOW - 400 * DAY, hourly_since=NOW - 90 * DAY),),
            id="whole days",
        ),
        pytest.param(
            Keeping(hourly_days=2),
            (TrimRow(intervals_since=0, hourly_since=NOW - 2 * DAY),),
            id="hours alone",
        ),
    ],
)
def test_the_installation_says_what_is_removed(keeping, rows):
    assert keeping.rows(NOW + 13 * HOUR + SECOND) == rows


# --- ledgers of earlier versions ------------------------------------------------------------------

UID = "0b7f2f5e-3c1d-4a7e-9d2a-5e8f1c2b3a4d"


@pytest.fixture(params=["sqlite", "postgresql"])
def earlier(request, postgres, tmp_path):
    """A ledger as the first schema has it, with two pods and a price."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/ledger.db")
        name = None
    else:
        name = postgres.create()
        database = Database(postgres.url(name))
    engine = create_engine(database.url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(migrate._scripts()).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in EARLIER:
            connection.execute(text(statement))
        if name is not None:
            for table in ("cluster", "node", "resource", "rate", "dimension", "run", "pod"):
                connection.execute(text(f"SELECT setval('{table}_id_seq', 9)"))
    engine.dispose()
    yield database
    if name is not None:
        postgres.drop(name)


RATE_DIGEST = digest("rate", "USD", Fraction(0), P5.opex, P5.origin, 0, None)
SAID = (
    "vision", "training", "", "unallocated", "unallocated", "unallocated", "unallocated", "",
    "h100-sxm5-80gb", "unknown", "",
)  # fmt: skip
DIMENSION_DIGEST = digest("dimension", *SAID)
RUN_DIGEST = digest("run", 1, UID, "Job", "vision", "train")
ORIGIN = P5.origin
RESOURCE_DIGEST = digest("resource", "nvidia.com/gpu")
EARLIER = (
    "INSERT INTO cluster (id, name) VALUES (1, 'test')",
    "INSERT INTO writer (cluster_id, term) VALUES (1, 4)",
    "INSERT INTO node (id, cluster_id, uid, name) VALUES (1, 1, 'n1', 'name-of-n1')",
    f"INSERT INTO resource VALUES (1, '{RESOURCE_DIGEST}', 'nvidia.com/gpu')",
    f"INSERT INTO rate VALUES (1, '{RATE_DIGEST}', 'USD', '0', '{P5.opex}', '{ORIGIN}', 0, NULL)",
    f"INSERT INTO dimension VALUES (1, '{DIMENSION_DIGEST}', {', '.join(map(repr, SAID))})",
    f"INSERT INTO run VALUES (1, '{RUN_DIGEST}', 1, '{UID}', 'Job', 'vision', 'train')",
    "INSERT INTO budget VALUES (1, 'x', 1, 'vision', 'gpu', '', 'b1')",
    *(
        "INSERT INTO pod (id, cluster_id, uid, namespace, name, run_id, node_id, priority_class,"
        f" labels) VALUES ({number}, 1, '{uid}', 'vision', 'train-{number}', 1, 1, '', '{{}}')"
        for number, uid in ((1, UID), (2, "p2"))
    ),
    f"INSERT INTO budget_member VALUES (1, 1, {T0}, NULL, 'training')",
    *(
        "INSERT INTO pod_interval (pod_id, resource_id, start_ms, generation, end_ms, rate_id,"
        " share, devices, capex_nano, opex_nano, basis, witness, term, device_fraction,"
        f" dimension_id) VALUES ({number}, 1, {T0}, 0, {T0 + hours * HOUR}, 1, '1/2', '4', '0',"
        f" '{hours * H}', {basis}, '{witness}', 4, '1', 1)"
        for number, hours, basis, witness in ((1, 3, 1, "finishedAt"), (2, 1, 0, ""))
    ),
)  # fmt: skip


def test_a_ledger_of_the_first_schema_is_summed_and_goes_on(earlier, monkeypatch, caplog):
    monkeypatch.setattr(backfill, "PODS", 1)
    caplog.set_level("INFO")
    ledger = Ledger.open(earlier.url, "test")
    assert [record.getMessage().split(" ", 1)[1] for record in caplog.records
            if "earlier pods" in record.getMessage()] == [
        "summing earlier pods: 2 of 2 to go",
        "summing earlier pods: 1 of 2 to go",
        "has summed 2 earlier pods",
    ]  # fmt: skip
    assert days(ledger) == {(0, "unallocated"): [3 * H, 1], (0, "node"): [3 * H]}
    first = next(each for each in ledger.reader.intervals(T0, NOW) if each.pod_uid == UID)
    assert first.run == Run(uid=UID, kind="Job", namespace="vision", name="train")
    assert first.segment.rate == P5
    assert first.dimension == Dimension(
        namespace="vision", workload_class=WorkloadClass.TRAINING, accelerator="h100-sxm5-80gb"
    )
    assert [row.workload_class for row in ledger.reader.members([UID])] == [WorkloadClass.TRAINING]
    # The same values again are the rows that are there.
    again = pod("p2", run=Run(uid=UID, kind="Job", namespace="vision", name="train"))
    write(ledger, again, hold("p2", start=T0, stop=T0 + 2 * HOUR, rates=FLAT))
    write(ledger, pod("p3"), hold("p3", start=T0, stop=T0 + HOUR, rates=FLAT))
    for table in (schema.RATE, schema.DIMENSION, schema.RESOURCE, schema.RUN):
        assert count(ledger, table) == 1
    assert days(ledger) == {(0, "unallocated"): [6 * H, 3], (0, "node"): [6 * H]}
    assert wrong(ledger) == []
    ledger.close()


def test_a_killed_operator_goes_on_summing_where_it_stopped(earlier, monkeypatch):
    monkeypatch.setattr(backfill, "PODS", 1)
    fill = backfill.fill
    calls = []

    def dies(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise RuntimeError("killed")
        fill(*arguments)

    monkeypatch.setattr(backfill, "fill", dies)
    with pytest.raises(Exception, match="killed"):
        Ledger.open(earlier.url, "test")
    monkeypatch.setattr(backfill, "fill", fill)
    ledger = Ledger.open(earlier.url, "test")
    assert days(ledger) == {(0, "unallocated"): [3 * H, 1], (0, "node"): [3 * H]}
    assert ledger.reader.unfilled() == 0
    ledger.close()


def test_the_step_to_sums_can_be_taken_back(earlier):
    Ledger.open(earlier.url, "test").close()
    before = ("pod", "uid"), ("run", "uid"), ("run", "digest"), ("budget_member", "class")
    engine = create_engine(earlier.url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(migrate._scripts()).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        found = [
            connection.execute(text(f"SELECT {column} FROM {table} ORDER BY 1")).scalars().first()
            for table, column in before
        ]
    engine.dispose()
    assert found == [UID, UID, RUN_DIGEST, "training"]
