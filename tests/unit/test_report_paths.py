"""Whatever a report is read from, sums by hour and day or rows, it says the same, exactly."""

import random
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import DAY, HOUR, MINUTE, SECOND
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis
from bursar.report import Rules, Window, report, stretches
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.reading import Asked, Lines
from bursar.runtime.ledger.rows import NodeRow, Run
from support.databases import Database
from support.ledger import NANO, P5, dimension, end, facts, hold, node_hold, period, pod
from support.plainreport import by_row, of_nodes

WAIT = 60
DAYS = 5
NOW = DAYS * DAY - 3 * HOUR - 17 * MINUTE - 250
USD = Rules(currency="USD")
OWNED = Rate(
    capex=Fraction(10 * NANO, 7),
    opex=Fraction(3 * NANO),
    currency="USD",
    origin="dgx",
    devices_part=Fraction(9, 10),
    utilization=Fraction(3, 5),
)
GUESS = Rate(
    capex=Fraction(0), opex=Fraction(NANO, 3), currency="USD", origin="default", assumed=True
)
CHANGE = 2 * DAY + 5 * HOUR + 41 * MINUTE
RATES = {
    "n1": (period(P5, until=CHANGE), period(OWNED, since=CHANGE)),
    "n2": (period(OWNED),),
    "n3": (period(Unpriced("no list price"), until=DAY), period(GUESS, since=DAY)),
}
FRACTIONS = {"n1": Fraction(1), "n2": Fraction(1, 7), "n3": Fraction(1, 8)}
TEAMS = ("a", "b")


def lives(seed, count):
    """Rows of pods with lives of no time at all, seconds, hours and days; some go on."""
    draw = random.Random(seed)
    for uid, rates in RATES.items():
        yield NodeRow(facts=facts(uid, device_fraction=FRACTIONS[uid]))
        yield node_hold(uid, known=NOW, rates=rates)
    for index in range(count):
        uid, where = f"p{index}", draw.choice(sorted(RATES))
        start = draw.randrange(0, NOW)
        if draw.random() < 0.2:
            start -= start % draw.choice((HOUR, DAY))
        life = draw.choice((0, 7, 40 * SECOND, 50 * MINUTE, HOUR, 9 * HOUR, 30 * HOUR, 4 * DAY))
        stop = min(NOW, start + (life and draw.randrange(1, life + 1)))
        ending = end(stop)
        if draw.random() < 0.2:
            low, high = draw.randrange(start, stop + 1), stop + draw.randrange(0, HOUR)
            ending = end(stop, Basis.ESTIMATED, "absent", low=low, high=high)
        devices = Fraction(draw.randrange(1, 15), 14)
        resources = ["nvidia.com/gpu", "nvidia.com/mig-1g.10gb"][: draw.choice((1, 1, 1, 2))]
        run = Run(uid=f"r{index % 9}", kind="Job", namespace="ns", name=f"job-{index % 7}")
        yield pod(uid, node_uid=where, run=run if draw.random() < 0.8 else None)
        told = dimension(
            namespace=draw.choice(("vision", "nlp")),
            team=draw.choice(TEAMS),
            workload_class=draw.choice((WorkloadClass.TRAINING, WorkloadClass.INFERENCE)),
            labels=(("app", draw.choice(("x", "y"))),),
        )
        goes_on = draw.random() < 0.2
        for resource in resources:
            yield hold(
                uid,
                start=start,
                stop=None if goes_on else ending,
                known=NOW,
                devices=Unknown("no label") if draw.random() < 0.1 else devices,
                rates=RATES[where],
                resource=resource,
                dimension=told,
                device_fraction=FRACTIONS[where],
            )


@pytest.fixture(scope="module", params=[0, 3 * DAY], ids=lambda since: f"hours-{since // DAY}")
def reader(request, tmp_path_factory):
    """A ledger that keeps hours from some day on."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    ledger = Ledger.open(str(path), "test")
    database = Database(f"sqlite:///{path}")
    database.run(
        "INSERT INTO kept (cluster_id, intervals_since_ms, hourly_since_ms)"
        f" VALUES (1, 0, {request.param})"
    )
    ledger.submit(list(lives(request.param, 70))).result(WAIT)
    yield ledger.reader
    ledger.close()


def told(reader, window, by, now=NOW, zone="UTC", **more):
    there = ZoneInfo(zone)
    asked = Asked(stretches=stretches(window, by, there), now=now, keys=by, **more)
    with reader.snapshot() as snapshot:
        lines = Lines(snapshot, asked)
        return report(lines.pods(), lines.others(), by, window, Rules(currency="USD", zone=there))


def figures(found):
    names = ("capex", "opex", "estimated", "assumed", "gpu", "unpriced", "pods", "uncounted")
    return {name: getattr(found, name) for name in names}


def rows(found):
    return {"/".join(row.key): figures(row.figures) for row in found.rows}


def windows(seed, count):
    draw = random.Random(seed)
    for _ in range(count):
        unit = draw.choice((1, SECOND, 30 * MINUTE, HOUR, DAY))
        one, two = sorted(draw.sample(range((DAYS * DAY) // unit + 1), 2))
        yield Window(since=one * unit, until=two * unit)


WINDOWS = [
    *windows(7, 14),
    Window(since=0, until=DAYS * DAY),
    Window(since=DAY, until=2 * DAY),
    Window(since=DAY + HOUR, until=DAY + 2 * HOUR),
    Window(since=DAY + HOUR - 1, until=DAY + HOUR + 1),
    Window(since=CHANGE, until=CHANGE + 1),
]


@pytest.mark.parametrize(
    ("by", "key"),
    [
        pytest.param(("team",), lambda row: row.dimension.team, id="a key that sums have"),
        pytest.param(
            ("label:app", "class"),
            lambda row: f"{dict(row.dimension.labels)['app']}/{row.dimension.workload_class}",
            id="a label and a class",
        ),
        pytest.param(("pod",), lambda row: row.name, id="a key that only rows have"),
        pytest.param(
            ("run",),
            lambda row: (
                f"{row.run.kind}/{row.run.namespace}/{row.run.name}"
                if row.run
                else f"Pod/{row.namespace}/{row.name}"
            ),
            id="runs",
        ),
        pytest.param(
            ("node", "team"), lambda row: f"{row.node_name}/{row.dimension.team}", id="nodes"
        ),
    ],
)
def test_any_window_by_any_key_is_what_its_rows_add_up_to(reader, by, key):
    for window in WINDOWS:
        found = told(reader, window, by)
        whole = by_row(reader, window, NOW, lambda _: "")
        assert rows(found) == by_row(reader, window, NOW, key), window
        if whole:
            assert (found.total.pods, found.total.uncounted) == (
                whole[""]["pods"],
                whole[""]["uncounted"],
            )


@pytest.mark.parametrize("by", [("namespace",), ("pod",)], ids=["from sums", "from rows"])
def test_pods_and_what_no_pod_pays_are_what_the_nodes_cost(reader, by):
    for window in WINDOWS:
        found = told(reader, window, by)
        want = of_nodes(reader, window, NOW)
        got = {
            kind.value: (parts.capex, parts.opex)
            for kind, parts in found.others.items()
            if not parts.empty or kind == "idle"
        }
        nodes = want.pop("nodes", (0, 0))
        want.setdefault("idle", (0, 0))
        assert got == {name: parts for name, parts in want.items() if any(parts) or name == "idle"}
        assert (found.total.capex, found.total.opex) == nodes


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("by", [("day",), ("team", "day"), ("hour",), ("day", "pod")], ids="-".join)
def test_days_and_hours_of_any_zone_are_windows_of_their_own(reader, zone, by):
    window = Window(since=7 * HOUR + 1, until=4 * DAY)
    found = told(reader, window, by, zone=zone)
    parts = stretches(window, by, ZoneInfo(zone))
    rest = tuple(name for name in by if name not in ("day", "hour"))
    want = {}
    for part in parts[:: 1 if "day" in by else 23]:
        one = told(reader, part, by, zone=zone)
        want |= rows(one)
        if not rest:
            (plain,) = by_row(reader, part, NOW, lambda _: "").values() or ({},)
            assert list(rows(one).values()) == [plain]
    assert {name: row for name, row in rows(found).items() if name in want} == want
    # Each pod is counted once in all, however many days it spans.
    whole = by_row(reader, window, NOW, lambda _: "")[""]
    assert found.total.pods == whole["pods"]
    assert found.total.capex + found.total.opex == told(reader, window, ()).total.cost


def test_a_report_of_some_pods_holds_theirs_and_nothing_of_the_nodes(reader):
    window = Window(since=HOUR // 2, until=4 * DAY)
    whole = by_row(reader, window, NOW, lambda row: f"{row.namespace}/{row.dimension.team}")
    found = told(reader, window, ("team",), filters=(("team", "a"),))
    assert set(rows(found)) == {"a"}
    assert found.total.gpu == rows(found)["a"]["gpu"]
    assert rows(found)["a"] == by_row(reader, window, NOW, lambda row: row.dimension.team)["a"]
    of_pod = told(reader, window, ("team",), filters=(("pod", "pod-p3"), ("team", "a")))
    named = by_row(reader, window, NOW, lambda row: f"{row.name}/{row.dimension.team}")
    assert list(rows(of_pod).values()) == [named[n] for n in named if n == "pod-p3/a"]
    assert whole


def test_what_happened_by_an_earlier_moment_is_told_of_open_pods_only_so_far(reader):
    window = Window(since=0, until=DAYS * DAY)
    now = NOW + 2 * HOUR
    assert rows(told(reader, window, ("team",), now=now)) == by_row(
        reader, window, now, lambda row: row.dimension.team
    )


def test_either_database_tells_the_same(database):
    """Of random lives, by keys that sums have and by keys that only rows have."""
    ledger = Ledger.open(database.url, "other")
    ledger.close()
    database.run(
        "INSERT INTO kept (cluster_id, intervals_since_ms, hourly_since_ms)"
        f" SELECT id, 0, {DAY} FROM cluster WHERE name = 'other'"
    )
    ledger = Ledger.open(database.url, "other")
    ledger.submit(list(lives(3, 40))).result(WAIT)
    reader = ledger.reader
    for window in (WINDOWS[0], WINDOWS[1], Window(since=7, until=DAYS * DAY - 11)):
        for by, key in (
            (("team",), lambda row: row.dimension.team),
            (("pod",), lambda row: row.name),
            (("run",), lambda row: f"Job/{row.run.namespace}/{row.run.name}" if row.run else ""),
        ):
            found = rows(told(reader, window, by))
            want = by_row(reader, window, NOW, key)
            assert {name: row for name, row in found.items() if name in want} == {
                name: row for name, row in want.items() if name
            }
        whole = told(reader, window, ("day",), zone="Asia/Kathmandu")
        want = of_nodes(reader, window, NOW)["nodes"]
        assert (whole.total.capex, whole.total.opex) == want
    ledger.close()
