"""Bursar's own configuration in the cluster, besides budgets: prices, and what labels mean.

Each object's status says whether it is in use, and names what this release does not act upon.
"""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

from bursar.api import meta
from bursar.api.aimodel import AIModel
from bursar.api.classificationpolicy import ClassificationPolicy
from bursar.api.common import Resource
from bursar.api.conditions import Status, remove_condition, set_condition
from bursar.api.inforce import not_in_force
from bursar.api.pricebook import PriceBook
from bursar.classify import LabelMapping
from bursar.domain.action import ObjectRef, WriteStatus
from bursar.domain.time import Ms
from bursar.errors import InvalidObject
from bursar.price.books import Books, merge
from bursar.runtime.cluster.gateway import JSON

MODELS: dict[str, type[Resource]] = {
    "pricebooks": PriceBook,
    "classificationpolicies": ClassificationPolicy,
    "aimodels": AIModel,
}


class Configuration:
    """The objects of these kinds that there are, and what they come to."""

    def __init__(self) -> None:
        self._raw: dict[str, dict[str, JSON]] = {plural: {} for plural in MODELS}
        self._parsed: dict[str, dict[str, Any]] = {plural: {} for plural in MODELS}

    def apply(self, plural: str, obj: JSON, *, gone: bool) -> bool:
        """Take in an object's state; True where what it says has changed."""
        uid = str(obj["metadata"]["uid"])
        if gone:
            self._raw[plural].pop(uid, None)
            return self._parsed[plural].pop(uid, None) is not None
        before = self._raw[plural].get(uid)
        self._raw[plural][uid] = obj
        if before is not None and before.get("spec") == obj.get("spec"):
            return False
        self._parsed[plural].pop(uid, None)
        with suppress(InvalidObject):  # its status says so
            self._parsed[plural][uid] = MODELS[plural].parse(obj)
        return True

    def books(self) -> Books:
        """All price books, merged."""
        return merge(self._parsed["pricebooks"].values())

    def weights(self) -> dict[str, Fraction]:
        """Normalized devices for one device, by accelerator."""
        return dict(self.books().weights)

    def mappings(self) -> tuple[LabelMapping, ...]:
        """What the organisation's labels mean, in the order of the policies' names."""
        policies = sorted(
            self._parsed["classificationpolicies"].values(), key=lambda each: each.metadata.name
        )
        return tuple(
            LabelMapping(key=mapping.key, values=dict(mapping.values))
            for policy in policies
            for mapping in policy.spec.mappings
        )

    def statuses(
        self, conflicts: list[str], catalog: tuple[bool, str], now: Ms
    ) -> Iterator[WriteStatus]:
        """Statuses that are not what they should be.

        Args:
            conflicts: origins of entries of price books among which only the name decided.
            catalog: whether the bundled catalog is current, and what to say of it.
            now: milliseconds since the epoch.
        """
        for plural, objects in self._raw.items():
            for obj in objects.values():
                status = obj.get("status") or {}
                fresh = self._status(plural, obj, conflicts, now)
                if plural == "pricebooks":
                    fresh["conditions"] = _catalog_said(fresh, catalog, now)
                if _said(status) != _said(fresh):
                    yield WriteStatus(
                        ref=ObjectRef.of(obj, meta.API_VERSION, MODELS[plural].KIND), status=fresh
                    )

    def done(self, action: WriteStatus) -> None:
        """Remember a status that has been written."""
        for objects in self._raw.values():
            if action.ref.uid in objects:
                obj = objects[action.ref.uid]
                objects[action.ref.uid] = {**obj, "status": action.status}

    def _status(self, plural: str, obj: JSON, ties: list[str], now: Ms) -> dict[str, Any]:
        generation = int(obj["metadata"].get("generation") or 0)
        conditions = list((obj.get("status") or {}).get("conditions") or [])
        parsed = self._parsed[plural].get(str(obj["metadata"]["uid"]))
        ready: tuple[Status, str, str] = ("True", meta.REASON_EVALUATED, "in use")
        if parsed is None:
            ready = ("False", meta.REASON_INVALID, _problem(plural, obj))
        elif plural == "pricebooks" and any(tie.startswith(_prefix(obj)) for tie in ties):
            ready = ("False", meta.REASON_CONFLICTING_RATES, "; ".join(ties)[:1000])
        said, reason, message = ready
        conditions = set_condition(
            conditions,
            meta.CONDITION_READY,
            said,
            reason=reason,
            message=message,
            now_ms=now,
            observed_generation=generation,
        )
        fields = not_in_force(parsed.spec) if parsed else ()
        if fields:
            conditions = set_condition(
                conditions,
                meta.CONDITION_NOT_IN_FORCE,
                "True",
                reason=meta.REASON_FIELDS_NOT_IN_FORCE,
                message=f"set, but not acted upon by this release: {', '.join(fields)}",
                now_ms=now,
                observed_generation=generation,
            )
        else:
            conditions = remove_condition(conditions, meta.CONDITION_NOT_IN_FORCE)
        return {"observedGeneration": generation, "conditions": conditions}


def _prefix(obj: JSON) -> str:
    """How the origins of a price book's entries begin."""
    return f"PriceBook {obj['metadata']['name']}/"


def _catalog_said(status: JSON, catalog: tuple[bool, str], now: Ms) -> list[Any]:
    current, message = catalog
    return set_condition(
        status["conditions"],
        meta.CONDITION_CATALOG_CURRENT,
        "True" if current else "False",
        reason=meta.REASON_CATALOG_CURRENT if current else meta.REASON_CATALOG_STALE,
        message=message,
        now_ms=now,
        observed_generation=status["observedGeneration"],
    )


def _problem(plural: str, obj: JSON) -> str:
    try:
        MODELS[plural].parse(obj)
    except InvalidObject as error:
        return f"{error.field}: {error.problem}"
    return "cannot be read"


def _said(status: JSON) -> list[tuple[Any, ...]]:
    return [
        (each.get("type"), each.get("status"), each.get("reason"), each.get("message"))
        for each in status.get("conditions") or []
    ] + [(status.get("observedGeneration"),)]
