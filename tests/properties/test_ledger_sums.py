"""Whatever is written in whatever order, sums by hour and day are what the intervals add up to.

Random pods are told as they live, told again, told late, re-rated, learn their node and their team
afterwards; months are closed in between and old rows are removed. After each step the sums and the
corrections together equal a recount of the rows, and no figure of a closed month has moved.
"""

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from bursar.domain.rate import Rate, RatePeriod, Unpriced
from bursar.domain.time import DAY, HOUR, MINUTE, Ms
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis, Dimension, End, Holding
from bursar.meter import segments
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.apply import Batch
from bursar.runtime.ledger.closing import close_month
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.recount import differences
from bursar.runtime.ledger.rollups import month_of, month_span
from bursar.runtime.ledger.rows import IntervalRows, PodRow, TrimRow

T0 = month_span("2026-03")[0]
SPAN = 75 * DAY
RATES = (
    Rate(capex=Fraction(0), opex=Fraction(55_040_000_007), currency="USD", origin="list"),
    Rate(
        capex=Fraction(10**10, 7),
        opex=Fraction(7 * 10**9, 3),
        currency="USD",
        origin="dgx",
        utilization=Fraction(2, 3),
        devices_part=Fraction(4, 5),
    ),
    Rate(capex=Fraction(1), opex=Fraction(10**20), currency="USD", origin="guess", assumed=True),
    Unpriced("nobody says"),
)


@dataclass(frozen=True)
class Told:
    """A pod's hold on a resource as somebody tells it at some time."""

    pod: int
    resource: str
    start: Ms
    end: End | None
    known: Ms
    rates: tuple[int, ...]
    devices: Fraction | Unknown
    generation: int
    team: str
    node: bool


@dataclass(frozen=True)
class Close:
    """The oldest month that is not closed."""


@dataclass(frozen=True)
class Trim:
    """Rows before these days."""

    intervals: int
    hours: int


def moments() -> st.SearchStrategy[Ms]:
    return st.integers(0, SPAN // MINUTE).map(lambda minute: T0 + minute * MINUTE + 7)


@st.composite
def tellings(draw) -> Told:
    start = draw(moments())
    last = draw(st.one_of(st.integers(0, 3 * HOUR), st.integers(0, 40 * DAY))) + start
    basis = draw(st.sampled_from(list(Basis)))
    low = draw(st.integers(start, last))
    end = None
    if basis is not Basis.OPEN:
        bounds = {"low": low, "high": last + HOUR} if basis is Basis.ESTIMATED else {}
        end = End(at=last, basis=basis, witness="finishedAt", **bounds)
    return Told(
        pod=draw(st.integers(0, 3)),
        resource=draw(st.sampled_from(["nvidia.com/gpu", "nvidia.com/mig-1g.5gb"])),
        start=start,
        end=end,
        known=last,
        rates=draw(st.tuples(*[st.integers(0, len(RATES) - 1)] * 3)),
        devices=draw(
            st.sampled_from([Fraction(1), Fraction(3, 7), Fraction(8), Unknown("software slicing")])
        ),
        generation=draw(st.sampled_from([0, 0, 0, 1, 2])),
        team=draw(st.sampled_from(["", "a", "b"])),
        node=draw(st.booleans()),
    )


def rows_of(told: Told) -> tuple[PodRow, IntervalRows]:
    uid = f"p{told.pod}"
    periods = tuple(
        RatePeriod(
            since=T0 + 25 * DAY * index,
            until=None if index == 2 else T0 + 25 * DAY * (index + 1),
            rate=RATES[rate],
        )
        for index, rate in enumerate(told.rates)
    )
    holding = Holding(
        resource=told.resource,
        devices=told.devices,
        node_devices=Fraction(8),
        start=told.start,
        end=told.end,
    )
    dimension = Dimension(namespace="vision", **({"team": told.team} if told.team else {}))
    return (
        PodRow(uid=uid, namespace="vision", name=uid, node_uid="n1" if told.node else ""),
        IntervalRows(
            pod_uid=uid,
            segments=segments(holding, periods),
            known=told.known,
            dimension=dimension,
            generation=told.generation,
        ),
    )


STEPS = st.lists(
    st.one_of(
        st.lists(tellings(), min_size=1, max_size=3),
        st.lists(tellings(), min_size=1, max_size=3),
        st.just(Close()),
        st.builds(Trim, st.integers(0, 70), st.integers(0, 70)),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=9,
)


class Book:
    """A ledger written by hand, one transaction after another."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)
        self.now = T0 + SPAN + DAY
        self.closed: list[str] = []
        self.told: list[Told] = []
        schema.METADATA.create_all(self.engine)
        with self.engine.begin() as connection:
            connection.execute(schema.CLUSTER.insert().values(name="test"))
            query = select(schema.CLUSTER.c.id)
            self.cluster = connection.execute(query).scalar_one()

    def clear(self) -> None:
        with self.engine.begin() as connection:
            for table in reversed(schema.METADATA.sorted_tables):
                if table is not schema.CLUSTER:
                    connection.execute(table.delete())
        self.closed, self.told = [], []

    def write(self, rows) -> None:
        with self.engine.begin() as connection:
            Batch(connection, Names(self.cluster), self.cluster, 1, self.now).write(rows)

    def take(self, step) -> None:
        match step:
            case list():
                self.told += step
                self.write([row for told in step for row in rows_of(told)])
            case int():  # what was told already, once more
                self.write([row for told in self.told[step:] for row in rows_of(told)])
            case Trim():
                day = DAY
                since = T0 + step.intervals * day, T0 + step.hours * day
                self.write([TrimRow(intervals_since=since[0], hourly_since=since[1])])
            case Close():
                month = month_of(T0) if not self.closed else month_of(T0 + 40 * DAY)
                if month not in self.closed:
                    self.closed.append(month)
                    with self.engine.begin() as connection:
                        names = Names(self.cluster)
                        close_month(connection, names, self.cluster, month, "me", self.now)

    def days(self):
        """All sums by day."""
        with self.engine.begin() as connection:
            return sorted(tuple(row) for row in connection.execute(select(schema.DAILY)))

    def final(self):
        """Those of closed months."""
        spans = [month_span(month) for month in self.closed]
        return [row for row in self.days() if any(s <= row[1] < u for s, u in spans)]

    def wrong(self):
        with self.engine.begin() as connection:
            return list(differences(connection, Names(self.cluster), self.cluster, self.now))


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    made = Book(f"sqlite:///{tmp_path_factory.mktemp('sums')}/ledger.db")
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def book_in_postgres(postgres):
    name = postgres.create()
    made = Book(postgres.url(name))
    yield made
    made.engine.dispose()
    postgres.drop(name)


def hold_true(book, steps):
    """Take all steps, and look after each."""
    book.clear()
    for step in steps:
        days, final, closed = book.days(), book.final(), list(book.closed)
        book.take(step)
        assert book.wrong() == []
        if book.closed == closed:
            assert book.final() == final
        if isinstance(step, Trim):
            assert book.days() == days


ANY = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@settings(max_examples=50, **ANY)
@given(steps=STEPS)
def test_sums_and_corrections_are_at_all_times_what_the_intervals_add_up_to(book, steps):
    hold_true(book, steps)


@settings(max_examples=12, **ANY)
@given(steps=STEPS)
def test_they_are_in_postgresql_too(book_in_postgres, steps):
    hold_true(book_in_postgres, steps)
