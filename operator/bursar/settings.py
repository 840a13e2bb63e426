"""What an installation can set, from the command line or the environment, checked once at start.

The only module that reads the environment. Every setting is also a chart value (charts/bursar).
"""

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bursar.domain.action import Mode
from bursar.domain.money import parse_decimal
from bursar.domain.time import HOUR, SECOND, Ms
from bursar.errors import BursarError
from bursar.kpi import parse_utilization

PREFIX = "BURSAR_"
MOST_REPORT_LABELS = 8
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_RESOURCE = re.compile(
    r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
Network = IPv4Network | IPv6Network


class WatchPods(StrEnum):
    """Which pods the operator is sent by the API server."""

    STAMPED = "Stamped"
    ALL = "All"


class Settings(BaseModel):
    """The operator's settings, each read from `--name-of-it` or `BURSAR_NAME_OF_IT`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kubeconfig: Path | None = None
    """Kubeconfig to use; without one the Pod's ServiceAccount, else the default kubeconfig."""

    namespace: str = "bursar-system"
    """Namespace that the operator is installed in."""

    service_account: str = "bursar"
    """The operator's ServiceAccount; the admission policies know it by name."""

    service: str = Field(default="bursar", min_length=1, max_length=63)
    """Name of the Service of the read API: who may use its proxy sees all of it."""

    ledger: str = "sqlite:///bursar.db"
    """Where the ledger is kept, as a SQLAlchemy URL."""

    http_host: str = "127.0.0.1"
    """Address that metrics, probes and the read API listen on."""

    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port of the same; 0 takes a free one."""

    api_open_to: str = "0.0.0.0/0,::/0"
    """Networks, with commas between, from which the read API is served without a token, as the API
    server's service proxy asks for it; empty: from none."""

    api_write_open_to: str = "127.0.0.0/8,::1/128"
    """Networks, with commas between, from which the ledger is closed, re-rated or copied without a
    token: that of `kubectl port-forward`, and the API server's addresses where its service proxy is
    to be a way; empty: from none."""

    mode: Mode = Mode.OBSERVE
    """Observe: everything is computed and said, nothing is refused or suspended."""

    watch_pods: WatchPods = WatchPods.ALL
    """Stamped: only pods that the admission policies labelled at birth; others cost nothing. All:
    every pod, and those with accelerators are labelled a moment later; for where nothing is
    labelled at birth. The chart knows."""

    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    """The reporting currency, ISO 4217: of the ledger and of reports, and of prices and limits that
    name no other."""

    cluster_name: str = Field(default="default", min_length=1, max_length=63)
    """Name of this cluster in the ledger."""

    default_rate_per_device_hour: str | None = None
    """Last resort of the price path, in currency units; usage priced by it is marked assumed."""

    catalog_stale_days: int = Field(default=180, ge=1, le=3650)
    """Age in days at which the bundled price catalog is called stale; newer lists come with newer
    versions."""

    prometheus_url: str = Field(default="", pattern=r"^(https?://\S+)?$", max_length=2048)
    """Prometheus that has OpenCost's prices of nodes; they go before the bundled catalog. Empty:
    OpenCost is not asked."""

    opencost_query: str = Field(default="node_total_hourly_cost", min_length=1, max_length=4096)
    """What Prometheus is asked for: one series for each node, with its name in the label `node`.
    Where it holds several clusters, select one: `node_total_hourly_cost{cluster="a"}`."""

    opencost_currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    """Currency of OpenCost's prices, ISO 4217; another than the reporting currency needs an
    exchange rate in a PriceBook."""

    report_labels: str = ""
    """Keys of pods' labels, with commas between, that costs are reported by beside the usual ones,
    such as `app.kubernetes.io/part-of`; each value makes a row of its own, so choose few."""

    accelerator_resources: str = Field(default="", max_length=64 * 320)
    """Further names of extended resources that are whole accelerators, with commas between, such as
    `example.com/card`; the chart tells the admission policies the same."""

    log_level: str = Field(default="info", pattern=r"^(debug|info|warning|error)$")
    """Least severity that is logged."""

    leader_elect: bool = False
    """Several replicas share the ledger: one leads by a Lease, the others stand by. The ledger must
    then be a PostgreSQL that all of them reach."""

    pod_name: str = ""
    """Name of the Pod that this is: the one that leads is labelled, for the Service to find it."""

    checkpoint_seconds: int = Field(default=30, ge=1, le=3600)
    """How often open intervals are written to the ledger: the bound on what only Events and
    estimates could tell if the API server forgot everything while the operator was away."""

    ledger_keep_intervals_days: int = Field(default=400, ge=0, le=36_500)
    """How long what single pods held is kept after their end; then only sums by day are. At least
    367, so that yearly budgets and reports find it, or 0: for ever."""

    ledger_keep_hourly_days: int = Field(default=90, ge=0, le=36_500)
    """How long sums by the hour are kept; windows of older hours are read from what single pods
    held. At least 2, or 0: for ever."""

    metrics_workload_retention: str = Field(default="1h", pattern=r"^[1-9][0-9]{0,5}[smh]$")
    """How long the metrics of a workload are shown after its last pod's end, such as `90m`."""

    metrics_max_workloads: int = Field(default=1_000, ge=0, le=100_000)
    """Workloads with series of their own; the others are counted in one, `other`."""

    metrics_max_teams: int = Field(default=100, ge=0, le=5_000)
    """Teams with series of their own, first come, first served; the others are `other`."""

    metrics_max_models: int = Field(default=100, ge=0, le=5_000)
    """Models with series of their own, first come, first served; the others are `other`."""

    metrics_settle_seconds: int = Field(default=5, ge=0, le=300)
    """By how much counters lag behind what runs: the end of a pod is heard of within that time, so
    that nothing is counted which has to be taken back."""

    energy_utilization: str = ""
    """Part of its board power that a held accelerator draws, by class, where the default does not
    fit, such as `training=0.8,inference=0.4`."""

    @property
    def workload_retention(self) -> Ms:
        """`metrics_workload_retention` in milliseconds."""
        text = self.metrics_workload_retention
        return int(text[:-1]) * {"s": SECOND, "m": 60 * SECOND, "h": HOUR}[text[-1]]

    @field_validator("energy_utilization")
    @classmethod
    def _are_utilizations(cls, text: str) -> str:
        parse_utilization(text)
        return text

    @property
    def api_networks(self) -> tuple[Network, ...]:
        """`api_open_to`, read."""
        return _networks(self.api_open_to)

    @property
    def write_networks(self) -> tuple[Network, ...]:
        """`api_write_open_to`, read."""
        return _networks(self.api_write_open_to)

    @property
    def reported_labels(self) -> tuple[str, ...]:
        """`report_labels`, read: in order, each once."""
        return tuple(sorted({key.strip() for key in self.report_labels.split(",") if key.strip()}))

    @property
    def further_resources(self) -> frozenset[str]:
        """`accelerator_resources`, read."""
        names = (name.strip() for name in self.accelerator_resources.split(","))
        return frozenset(name for name in names if name)

    @field_validator("accelerator_resources")
    @classmethod
    def _are_resources(cls, text: str) -> str:
        for name in (each.strip() for each in text.split(",")):
            if name and not _RESOURCE.fullmatch(name):
                raise ValueError(f"{name[:80]!r} is no name of an extended resource: DOMAIN/NAME")
        return text.strip()

    @field_validator("report_labels")
    @classmethod
    def _are_label_keys(cls, text: str) -> str:
        keys = [key.strip() for key in text.split(",") if key.strip()]
        for key in keys:
            if not _LABEL_KEY.fullmatch(key):
                raise ValueError(f"{key[:80]!r} is no key of a label")
        if len(keys) > MOST_REPORT_LABELS:
            raise ValueError(f"{len(keys)} labels are more than {MOST_REPORT_LABELS}")
        return text.strip()

    @field_validator("api_open_to", "api_write_open_to")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for part in text.split(",") if text.strip() else ():
            try:
                ip_network(part.strip())
            except ValueError as error:
                said = f"{part.strip()[:60]!r} is no network: write them as 10.0.0.0/8,fd00::/8"
                raise ValueError(said) from error
        return text.strip()

    @field_validator("ledger_keep_intervals_days")
    @classmethod
    def _holds_a_year(cls, days: int) -> int:
        if 0 < days < 367:
            raise ValueError("0 (for ever), or at least 367: a yearly budget counts its pods")
        return days

    @field_validator("ledger_keep_hourly_days")
    @classmethod
    def _holds_a_day(cls, days: int) -> int:
        if days == 1:
            raise ValueError("0 (for ever), or at least 2")
        return days

    @field_validator("default_rate_per_device_hour")
    @classmethod
    def _is_a_price(cls, text: str | None) -> str | None:
        rate = None if text in (None, "") else parse_decimal(text)
        if text and (rate is None or rate < 0):
            raise ValueError("a price is a plain decimal such as 2.50, not negative")
        return text or None


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part)


def load(flags: Mapping[str, object]) -> Settings:
    """Settings from flags (None: not given), then the environment, then the defaults.

    Raises:
        BursarError: one line for each setting that does not fit, naming it and what it takes.
    """
    values: dict[str, object] = {}
    for name in Settings.model_fields:
        text = os.environ.get(PREFIX + name.upper())
        if text is not None:
            values[name] = text
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        problems = (
            f"setting {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        raise BursarError("; ".join(problems)) from error
