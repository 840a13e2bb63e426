"""`bursar report` in each of its forms, from an answer of the read API."""

import csv
import io

import pytest

from bursar.cli.output import Format, print_page
from bursar.cli.report import FIGURES, page

ZERO = {
    "cost": "0.000000000",
    "capex": "0.000000000",
    "opex": "0.000000000",
    "gpuHours": "0.000000000",
    "normalizedGpuHours": "0.000000000",
    "energyKWh": None,
    "kgCO2e": None,
    "estimatedCost": "0.000000000",
    "assumedCost": "0.000000000",
    "unpricedGpuHours": "0.000000000",
    "pods": 0,
    "uncountedPods": 0,
}


def figures(cost, **more):
    return ZERO | {"cost": cost, "opex": cost} | more


def answer(**more):
    return {
        "currency": "USD",
        "from": "2026-11-01T00:00:00Z",
        "to": "2026-12-01T00:00:00Z",
        "by": ["team"],
        "rows": [{"key": {"team": "=cmd|' /C calc'!A1"}, **figures("7.000000000", pods=2)}],
        "idle": figures("-0.000000004"),
        "recovery": figures("-1.500000000"),
        "cpuMemory": figures("3.000000000"),
        "total": figures("8.499999996", pods=2),
    } | more


def printed(capsys, output, **more):
    print_page(page(answer(**more)), output)
    return capsys.readouterr()


def test_csv_has_the_same_columns_whatever_is_in_it(capsys):
    text = printed(capsys, Format.CSV).out
    head = text.splitlines()[0]
    assert head == ",".join(["line", "team", "currency", *FIGURES])
    empty = printed(capsys, Format.CSV, rows=[], idle=None, recovery=None, cpuMemory=None).out
    assert empty.splitlines() == [head]


def test_csvs_lines_end_as_rfc_4180_says_and_add_up_to_the_total(capsys):
    text = printed(capsys, Format.CSV).out
    assert text.endswith("\r\n")
    assert text.count("\n") == text.count("\r\n")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["line"] for line in lines] == ["allocated", "idle", "recovery", "cpuMemory"]
    assert f"{sum(float(line['cost']) for line in lines):.9f}" == answer()["total"]["cost"]
    assert {line["currency"] for line in lines} == {"USD"}
    assert lines[0]["energyKWh"] == "", "what cannot be told is empty, and not zero"


@pytest.mark.parametrize(
    ("told", "written"),
    [
        pytest.param("=1+1", "'=1+1", id="an equals sign"),
        pytest.param("+SUM(A1)", "'+SUM(A1)", id="a plus"),
        pytest.param("-2+3", "'-2+3", id="a minus that is no number"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="an at sign"),
        pytest.param("\t=1", "'\t=1", id="a tab before it"),
        pytest.param("＝1", "'＝1", id="a wide equals sign"),
        pytest.param('a,"b"', 'a,"b"', id="quotes and commas stay what they are"),
        pytest.param("line\nbreak", "line\nbreak", id="a line break within"),
        pytest.param("-0.000000004", "-0.000000004", id="a negative amount stays a number"),
    ],
)
def test_what_tenants_name_runs_in_no_spreadsheet(capsys, told, written):
    rows = [{"key": {"team": told}, **figures("1.000000000")}]
    text = printed(capsys, Format.CSV, rows=rows).out
    first = next(csv.DictReader(io.StringIO(text, newline="")))
    assert first["team"] == written


def test_a_table_shows_what_no_pod_pays_as_lines_of_their_own(capsys):
    text = printed(capsys, Format.TABLE).out
    for name in ("(idle)", "(recovery)", "(cpuMemory)", "(total)"):
        assert name in text
    assert "(corrections)" not in text
    assert "UNCOUNTED" not in text
    assert "UNPRICED" not in text


def test_a_table_shows_what_is_unpriced_or_uncounted_where_there_is_any(capsys):
    rows = [{"key": {"team": "a"}, **figures("1.0", unpricedGpuHours="2.5", uncountedPods=3)}]
    text = printed(capsys, Format.TABLE, rows=rows).out
    assert "UNCOUNTED" in text
    assert "UNPRICED H" in text


def test_what_is_left_out_and_what_cannot_be_told_is_said(capsys):
    said = printed(capsys, Format.TABLE, omitted={"rows": 7}, limits=["pods are gone"]).err
    assert "7 rows are left out" in said
    assert "pods are gone" in said
