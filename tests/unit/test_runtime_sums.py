"""The whole sum of a pod or run: every factor, each version, and the report's own total."""

from datetime import UTC
from fractions import Fraction
from pathlib import Path
from typing import Any

from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import DAY, HOUR
from bursar.domain.usage import Basis
from bursar.report import Rules
from bursar.runtime.answers import sums
from bursar.runtime.answers.pages import Pages
from bursar.runtime.answers.reporting import Terms, parse_zone, report_of
from bursar.runtime.answers.routes import Question
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import Run
from support.ledger import NANO, P5, end, hold, node, node_hold, period, pod
from support.runtime import T0, Operator, book, flat
from support.runtime import node as api_node
from support.runtime import pod as api_pod

WAIT = 30
PLACE = {"namespace": "vision", "name": "train"}
OWNED = Rate(
    capex=Fraction(10 * NANO, 7),
    opex=Fraction(3 * NANO),
    currency="USD",
    origin="PriceBook own/dgx",
    devices_part=Fraction(9, 10),
    utilization=Fraction(3, 5),
)
RATES = (period(P5, until=40 * DAY), period(OWNED, since=40 * DAY))
NOW = 60 * DAY
JOB = Run(uid="r1", kind="Job", namespace="vision", name="big")


def write(ledger: Ledger, *rows: Any) -> None:
    ledger.submit(list(rows)).result(WAIT)


def told(ledger: Ledger, uid: str | None = None, now: int = NOW, zone: Any = UTC) -> dict[str, Any]:
    found = sums.of_pod(ledger.reader, PLACE, now, zone, uid)
    assert found is not None
    return found[0]


def reported(ledger: Ledger, **query: str) -> str:
    terms = Terms(rules=Rules(currency="USD"))
    window = {"from": "1970-01-01", "to": "1971-01-01"}
    return str(report_of(ledger.reader, {**window, **query}, terms, NOW)["total"]["cost"])


def test_each_factor_of_each_row_is_there_exactly(ledger: Ledger) -> None:
    ending = end(45 * DAY, Basis.ESTIMATED, "event:Killing", low=44 * DAY, high=46 * DAY)
    held = Fraction(12, 14)
    write(
        ledger,
        node(),
        node_hold(rates=RATES, known=NOW),
        pod(name="train"),
        hold(start=38 * DAY, stop=ending, devices=held, rates=RATES),
    )
    found = told(ledger)
    first, second = found["rows"]
    assert (first["devices"], first["nodeDevices"], first["share"]) == ("6/7", "8", "3/28")
    assert first["price"]["perHour"] == "1376/25"
    assert first["price"]["origin"] == "catalog 2026-07-20"
    assert first["end"]["witness"] == "price change"
    assert second["price"] == {
        "perHour": "31/7",
        "capexPerHour": "10/7",
        "opexPerHour": "3",
        "devicesPart": "9/10",
        "utilization": "3/5",
        "commitment": None,
        "currency": "USD",
        "origin": "PriceBook own/dgx",
        "assumed": False,
    }
    assert second["sum"].startswith(
        "4.428571/h x 3/28 x 9/10 for its devices / 3/5 expected use x 432000.000 s / 3600 = "
    )
    assert second["end"] == {
        "at": "1970-02-15T00:00:00Z",
        "basis": "estimated",
        "witness": "event:Killing",
        "earliest": "1970-02-14T00:00:00Z",
        "latest": "1970-02-16T00:00:00Z",
    }
    # 31/7 / 3600 / 1000 x 3/28 x 9/10 / (3/5), CapEx and OpEx each rounded down
    hours, share = Fraction(5 * DAY, HOUR), Fraction(3, 28) * Fraction(9, 10) / Fraction(3, 5)
    by_hand = [int(rate * share * hours) for rate in (OWNED.capex, OWNED.opex)]
    assert second["cost"] == f"{sum(by_hand) / NANO:.9f}"
    assert found["estimatedCost"] != "0.000000000"


def test_the_total_is_the_reports_and_its_months_add_up_to_it(ledger: Ledger) -> None:
    write(
        ledger,
        node(),
        node_hold(rates=RATES, known=NOW),
        pod(name="train"),
        hold(start=20 * DAY + 7, stop=50 * DAY + 3, devices=Fraction(3, 7), rates=RATES),
    )
    found = told(ledger)
    rows = report_of(
        ledger.reader,
        {"from": "1970-01-01", "to": "1971-01-01", "by": "pod"},
        Terms(rules=Rules(currency="USD")),
        NOW,
    )["rows"]
    assert [row["cost"] for row in rows] == [found["cost"]]
    for zone in (UTC, parse_zone("Asia/Kolkata")):
        months = told(ledger, zone=zone)["months"]
        assert [month["month"] for month in months] == ["1970-01", "1970-02"]
        for name in ("cost", "capex", "opex"):
            assert sum(Fraction(month[name]) for month in months) == Fraction(found[name])


def test_what_goes_on_counts_up_to_now(ledger: Ledger) -> None:
    write(ledger, node(), pod(name="train"), hold(start=0, known=HOUR))
    found = told(ledger, now=2 * HOUR)
    assert (found["goesOn"], found["cost"]) == (True, "55.040000000")
    assert found["rows"][0]["end"] is None
    assert [month["cost"] for month in found["months"]] == ["55.040000000"]


def test_both_versions_of_what_was_corrected_are_shown(ledger: Ledger) -> None:
    write(ledger, node(), pod(name="train"), hold(stop=HOUR))
    write(ledger, hold(stop=HOUR, rates=(period(OWNED),), generation=1))
    found = told(ledger)
    (now,), (before,) = found["rows"], found["superseded"]
    assert (now["generation"], now["price"]["origin"]) == (1, "PriceBook own/dgx")
    assert (before["generation"], before["supersededBy"]) == (0, 1)
    assert before["cost"] == "27.520000000"
    assert found["cost"] == now["cost"] == reported(ledger, where="pod=train")


def test_of_pods_of_one_name_the_newest_is_meant_and_the_others_are_listed(ledger: Ledger) -> None:
    for index in range(3):
        uid = f"u{index}"
        write(ledger, pod(uid, name="train"), hold(uid, start=index * DAY, stop=index * DAY + HOUR))
    assert told(ledger)["uid"] == "u2"
    assert [each["uid"] for each in told(ledger)["namesakes"]] == ["u1", "u0"]
    assert told(ledger, uid="u0")["rows"][0]["start"] == "1970-01-01T00:00:00Z"
    assert sums.of_pod(ledger.reader, PLACE, NOW, UTC, "nobody") is None


def test_what_is_unpriced_is_no_money_and_says_why(ledger: Ledger) -> None:
    why = (period(Unpriced("no list price")),)
    write(ledger, pod(name="train"), hold(stop=HOUR, rates=why))
    found = told(ledger)
    assert (found["priced"], found["cost"]) == (False, "0.000000000")
    assert found["rows"][0]["price"] == {"unpriced": "no list price"}
    assert found["rows"][0]["sum"].endswith("unpriced: no list price")


def test_a_run_is_the_sum_of_its_pods(ledger: Ledger) -> None:
    for index in range(3):
        uid = f"u{index}"
        write(
            ledger,
            pod(uid, run=JOB),
            hold(uid, start=index * HOUR, stop=index * HOUR + HOUR),
        )
    write(ledger, pod("other"), hold("other", stop=HOUR))
    found = sums.of_owner(ledger.reader, "job", {"namespace": "vision", "name": "big"}, NOW, UTC)
    assert found is not None
    assert (found["count"], len(found["pods"]), found["uid"]) == (3, 3, "r1")
    assert found["cost"] == "82.560000000"
    assert found["cost"] == reported(ledger, where="run=Job/vision/big")
    nobody = {"namespace": "vision", "name": "none"}
    assert sums.of_owner(ledger.reader, "job", nobody, NOW, UTC) is None


async def explained(op: Operator, kind: str, name: str, **query: str) -> dict[str, Any]:
    place = {"kind": kind, "namespace": "vision", "name": name}
    pages = Pages(op.controller(), "USD")
    found = await pages.read("explain", Question(query=query, place=place))
    assert isinstance(found, dict)
    return found


async def test_a_pod_that_has_ended_is_explained_from_the_ledger(tmp_path: Path) -> None:
    op = Operator.start(tmp_path / "l.db", books=[book(flat("48"))], namespaces={"vision": {}})
    op.nodes.apply(api_node(), T0, deleted=False)
    op.see(api_pod(bound=T0, finished=T0 + HOUR, phase="Succeeded"), T0 + HOUR)
    found = await explained(op, "pod", "p")
    told = {step["step"]: step for step in found["steps"]}
    assert list(told) == ["recognize", "classify", "allocate", "price", "meter", "budget"]
    assert told["recognize"]["details"] == ["held 4 devices of gpu-1 as nvidia.com/gpu"]
    assert told["price"]["details"] == ["PriceBook list/flat", "stated"]
    assert told["meter"]["answer"] == found["sum"]["cost"] == "24.000000000"
    op.close()


async def test_a_pod_that_runs_has_both_its_steps_and_its_sum(tmp_path: Path) -> None:
    op = Operator.start(tmp_path / "l.db", books=[book(flat("48"))], namespaces={"vision": {}})
    op.nodes.apply(api_node(), T0, deleted=False)
    op.see(api_pod(bound=T0), T0)
    found = await explained(op, "pod", "p")
    assert found["sum"]["goesOn"]
    assert any("asked: " in line for line in found["steps"][3]["details"])
    op.close()
