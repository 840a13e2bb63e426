"""Reports of a ledger with hand-computed costs."""

import itertools
import json
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import HOUR, SECOND, parse_time
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis, Dimension
from bursar.errors import BursarError
from bursar.report import (
    KEYS,
    Amounts,
    Line,
    Other,
    OtherLine,
    Rules,
    TooFine,
    TooMany,
    UnknownKey,
    Use,
    Window,
    check_labels,
    parse_filters,
    parse_keys,
    report,
    stretches,
    to_contract,
)
from bursar.report.calendar import label
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.reading import Asked, Lines
from bursar.runtime.ledger.rows import Run
from support.ledger import (
    CHEAP,
    P5,
    dimension,
    end,
    hold,
    node,
    node_hold,
    period,
    pod,
)

WAIT = 30
HOURS = Window(since=0, until=2 * HOUR)
USD = Rules(currency="USD")
JOB = Run(uid="r", kind="Job", namespace="vision", name="train")


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(str(tmp_path / "ledger.db"), "test")
    yield opened
    opened.close()


def made(ledger, rows, by=("namespace",), window=HOURS, now=10 * HOUR, weights=None):
    ledger.submit(rows).result(WAIT)
    rules = Rules(currency="USD", weights=weights or {})
    with ledger.reader.snapshot() as snapshot:
        asked = Asked(stretches=stretches(window, by), now=now, keys=by)
        lines = Lines(snapshot, asked)
        return to_contract(report(lines.pods(), lines.others(), by, window, rules))


DAY = (
    node(),
    node_hold(known=HOUR),
    pod("p1", run=JOB),
    hold("p1", start=HOUR, stop=HOUR + 91 * SECOND, devices=3, dimension=dimension(team="a")),
    pod("p2", namespace="nlp"),
    hold(
        "p2",
        known=HOUR,
        devices=4,
        dimension=dimension(namespace="nlp", workload_class=WorkloadClass.INFERENCE),
    ),
)


def test_the_whole_document(ledger):
    # p1: 55.04 x 3/8 x 91/3600 = 0.521733333; p2: 27.52 x 2; node: 55.04 x 2
    document = made(ledger, DAY, by=("namespace", "class"), weights={"h100-sxm5-80gb": Fraction(2)})
    assert json.loads(json.dumps(document)) == {
        "currency": "USD",
        "from": "1970-01-01T00:00:00Z",
        "to": "1970-01-01T02:00:00Z",
        "by": ["namespace", "class"],
        "rows": [
            {
                "key": {"namespace": "nlp", "class": "inference"},
                "cost": "55.040000000",
                "capex": "0.000000000",
                "opex": "55.040000000",
                "gpuHours": "8.000000000",
                "normalizedGpuHours": "16.000000000",
                "energyKWh": None,
                "kgCO2e": None,
                "estimatedCost": "0.000000000",
                "assumedCost": "0.000000000",
                "unpricedGpuHours": "0.000000000",
                "pods": 1,
                "uncountedPods": 0,
            },
            {
                "key": {"namespace": "vision", "class": "training"},
                "cost": "0.521733333",
                "capex": "0.000000000",
                "opex": "0.521733333",
                "gpuHours": "0.075833333",
                "normalizedGpuHours": "0.151666666",
                "energyKWh": None,
                "kgCO2e": None,
                "estimatedCost": "0.000000000",
                "assumedCost": "0.000000000",
                "unpricedGpuHours": "0.000000000",
                "pods": 1,
                "uncountedPods": 0,
            },
        ],
        "idle": {
            "cost": "54.518266667",
            "capex": "0.000000000",
            "opex": "54.518266667",
            "gpuHours": "7.924166666",
            "normalizedGpuHours": "15.848333333",
            "energyKWh": None,
            "kgCO2e": None,
            "estimatedCost": "0.000000000",
            "assumedCost": "0.000000000",
            "unpricedGpuHours": "0.000000000",
            "pods": 0,
            "uncountedPods": 0,
        },
        "total": {
            "cost": "110.080000000",
            "capex": "0.000000000",
            "opex": "110.080000000",
            "gpuHours": "16.000000000",
            "normalizedGpuHours": "32.000000000",
            "energyKWh": None,
            "kgCO2e": None,
            "estimatedCost": "0.000000000",
            "assumedCost": "0.000000000",
            "unpricedGpuHours": "0.000000000",
            "pods": 2,
            "uncountedPods": 0,
        },
    }


def test_windows_add_up_to_the_whole(ledger):
    cuts = [0, 1, HOUR // 3, HOUR + 7 * SECOND, HOUR + 91 * SECOND, 2 * HOUR]
    parts = [
        made(ledger, DAY, window=Window(since=one, until=two))
        for one, two in itertools.pairwise(cuts)
    ]
    whole = made(ledger, DAY)
    for name in ("idle", "total"):
        added = sum(Fraction(part[name]["cost"]) for part in parts)
        assert added == Fraction(whole[name]["cost"])


def test_open_rows_count_until_now_and_a_pod_that_ended_before_the_window_does_not(ledger):
    document = made(
        ledger,
        DAY,
        by=("pod",),
        window=Window(since=HOUR + 91 * SECOND, until=3 * HOUR),
        now=2 * HOUR,
    )
    (row,) = document["rows"]
    assert row["key"] == {"pod": "pod-p2"}
    # C(2 h) - C(1 h 91 s) = 55.04 - floor(27.52 x 3691/3600) = 55.04 - 28.215644444
    assert (row["cost"], document["total"]["pods"]) == ("26.824355556", 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("namespace", "vision"),
        ("class", "training"),
        ("activity", "fine-tuning"),
        ("team", "a"),
        ("costCenter", "4711"),
        ("project", "x"),
        ("environment", "prod"),
        ("model", "llama"),
        ("accelerator", "h100-sxm5-80gb"),
        ("capacityType", "spot"),
        ("infrastructure", "self-managed"),
        ("node", "name-of-n1"),
        ("workload", "Job/train"),
        ("pod", "pod-p1"),
        ("region", "us-east-1"),
        ("run", "Job/vision/train"),
        ("month", "1970-01"),
        ("day", "1970-01-01"),
        ("hour", "1970-01-01T00:00+00:00"),
    ],
)
def test_every_key_tells_its_value(ledger, key, value):
    full = dimension(
        activity="fine-tuning",
        team="a",
        cost_center="4711",
        project="x",
        environment="prod",
        model="llama",
        capacity_type="spot",
        infrastructure="self-managed",
        region="us-east-1",
    )
    rows = (node(), pod(run=JOB), hold(stop=HOUR, dimension=full))
    assert made(ledger, rows, by=(key,))["rows"][0]["key"] == {key: value}


def test_every_key_is_tried_above():
    tried = test_every_key_tells_its_value.pytestmark[0].args[1]
    assert {key for key, _ in tried} == set(KEYS)


def test_an_unknown_key_lists_those_there_are():
    with pytest.raises(UnknownKey, match=r"by 'color': the keys are namespace, class, activity,"):
        report([], [], ("namespace", "color"), HOURS, USD)
    with pytest.raises(UnknownKey, match="by ''"):
        parse_keys("namespace,")


def test_keys_are_read_from_text():
    assert parse_keys(None) == ("namespace",)
    assert parse_keys("team, class,team") == ("team", "class")


def test_what_is_unpriced_uncounted_assumed_or_estimated_is_seen(ledger):
    guess = Rate(capex=Fraction(0), opex=P5.opex, currency="USD", origin="default", assumed=True)
    half = end(HOUR, Basis.ESTIMATED, "absent", low=HOUR // 2, high=HOUR + HOUR // 2)
    document = made(
        ledger,
        (
            pod("p1"),
            hold("p1", stop=HOUR, rates=(period(Unpriced("no list price")),)),
            pod("p2"),
            hold("p2", stop=HOUR, devices=Unknown("no label")),
            pod("p3"),
            hold("p3", stop=HOUR, rates=(period(guess),)),
            pod("p4"),
            hold("p4", stop=half),
        ),
    )
    (row,) = document["rows"]
    assert row["cost"] == "55.040000000"
    assert row["unpricedGpuHours"] == "4.000000000"
    assert row["uncountedPods"] == 1
    assert row["assumedCost"] == "27.520000000"
    assert row["estimatedCost"] == "13.760000000"
    assert row["pods"] == 4


def test_idle_of_an_unpriced_node_is_unpriced_time_and_of_unknown_devices_no_time(ledger):
    why = (period(Unpriced("no list price")),)
    document = made(
        ledger,
        (
            node(),
            node_hold(rates=why, known=HOUR),
            pod(),
            hold(stop=HOUR, rates=why),
        ),
        now=HOUR,
    )
    assert document["idle"]["unpricedGpuHours"] == "4.000000000"
    assert document["idle"]["cost"] == "0.000000000"
    assert document["total"]["gpuHours"] == "8.000000000"


def test_a_fractional_instance_is_one_device_for_cost_and_a_fraction_for_hours(ledger):
    document = made(
        ledger,
        (
            node(device_fraction=Fraction(1, 8)),
            node_hold(stop=2 * HOUR),
            pod(),
            hold(stop=HOUR, device_fraction=Fraction(1, 8)),
        ),
    )
    assert document["rows"][0]["gpuHours"] == "0.500000000"
    assert document["idle"]["gpuHours"] == "1.500000000"
    assert document["rows"][0]["cost"] == "27.520000000"


def test_capex_and_opex_stand_apart(ledger):
    (row,) = made(ledger, (pod(), hold(stop=HOUR, rates=(period(CHEAP),))))["rows"]
    assert (row["capex"], row["opex"], row["cost"]) == ("0.500000000", "3.500000000", "4.000000000")


def test_two_pods_of_one_name_are_two_and_one_pod_with_two_resources_is_one(ledger):
    rows = (
        pod("p1", name="same"),
        hold("p1", stop=HOUR),
        hold("p1", stop=HOUR, resource="nvidia.com/mig-1g.10gb", devices=Fraction(3, 14)),
        pod("p2", name="same"),
        hold("p2", stop=HOUR),
    )
    (row,) = made(ledger, rows, by=("pod",))["rows"]
    assert row["pods"] == 2


def test_idle_stays_signed():
    line = Line(
        dimension=Dimension(namespace="a"), since=0, amounts=Amounts(opex=3, gpu=1), pods=1, fresh=1
    )
    idle = OtherLine(kind=Other.IDLE, amounts=Amounts(opex=-1), use=Use("unknown"))
    document = to_contract(report([line], [idle], (), HOURS, USD))
    assert document["idle"]["cost"] == "-0.000000001"
    assert document["total"]["cost"] == "0.000000002"
    assert document["rows"][0]["key"] == {}


def test_a_ledger_with_nothing_in_it_reports_nothing(ledger):
    document = made(ledger, ())
    assert document["rows"] == []
    assert document["total"]["cost"] == "0.000000000"


def test_by_time_rows_are_in_its_order_and_else_the_dearest_are_first():
    def line(since, cost, team):
        told = Dimension(namespace="a", team=team)
        return Line(dimension=told, since=since, amounts=Amounts(opex=cost), pods=1, fresh=1)

    lines = [line(0, 1, "x"), line(0, 9, "y"), line(HOUR, 5, "x")]
    by_hour = report(lines, [], ("team", "hour"), HOURS, USD)
    assert [row.key[0] for row in by_hour.rows] == ["y", "x", "x"]
    assert [row.key for row in report(lines, [], ("team",), HOURS, USD).rows] == [("y",), ("x",)]
    first = report(lines, [], ("team",), HOURS, USD, most=1)
    assert ([row.key for row in first.rows], first.omitted) == ([("y",)], 1)


def test_a_report_of_more_rows_than_can_be_held_is_refused_in_words(monkeypatch):
    monkeypatch.setattr("bursar.report.figures.MOST_ROWS", 1)
    lines = [Line(dimension=Dimension(namespace=name), since=0, amounts=Amounts()) for name in "ab"]
    with pytest.raises(TooMany, match="by namespace there are more than 1 rows: ask by fewer"):
        report(lines, [], ("namespace",), HOURS, USD)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("team", "'team' is not KEY=VALUE"),
        ("color=red", "can't report by 'color'"),
        ("month=2026-11", "can't narrow to a month"),
        ("=x", "'=x' is not KEY=VALUE"),
    ],
)
def test_what_a_report_cannot_be_narrowed_to_is_said(text, said):
    with pytest.raises(BursarError, match=said):
        parse_filters(text)


def test_filters_are_read_from_text():
    assert parse_filters(None) == ()
    assert parse_filters("team=a, label:app.kubernetes.io/name=x") == (
        ("team", "a"),
        ("label:app.kubernetes.io/name", "x"),
    )


def test_a_label_that_is_not_kept_names_those_that_are():
    with pytest.raises(UnknownKey, match=r"setting report_labels\): there are app, cost"):
        check_labels(["label:team"], ["cost", "app"])
    with pytest.raises(UnknownKey, match="there is none"):
        check_labels(["label:team"], [])
    check_labels(["label:app", "team"], ["app"])


@pytest.mark.parametrize(
    ("zone", "moments", "names"),
    [
        pytest.param(
            "Europe/Berlin",
            ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("2026-10-25", "2026-10-26"),
            id="the day of 25 hours",
        ),
        pytest.param(
            "Asia/Kolkata",
            ("2026-10-24T18:30:00Z", "2026-10-25T18:30:00Z"),
            ("2026-10-25", "2026-10-26"),
            id="half an hour past the hour",
        ),
    ],
)
def test_days_begin_at_midnight_on_the_wall_clock(zone, moments, names):
    there = ZoneInfo(zone)
    one, two = (parse_time(moment) for moment in moments)
    window = Window(since=one - 1, until=two + 1)
    parts = stretches(window, ("day",), there)
    assert [part.since for part in parts] == [one - 1, one, two]
    assert [label(part.since, "day", there) for part in parts[1:]] == list(names)


def test_the_hour_that_autumn_repeats_is_two():
    berlin = ZoneInfo("Europe/Berlin")
    since = parse_time("2026-10-25T00:00:00Z")
    parts = stretches(Window(since=since, until=since + 2 * HOUR), ("hour",), berlin)
    assert [label(part.since, "hour", berlin) for part in parts] == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:00+01:00",
    ]


def test_more_stretches_than_one_answer_should_hold_are_refused():
    with pytest.raises(TooFine, match="more than 20000 of hour"):
        stretches(Window(since=0, until=30_000 * HOUR), ("hour",))
