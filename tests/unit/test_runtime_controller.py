"""When the operator gives up: another one has taken its ledger over."""

import asyncio
from pathlib import Path

import pytest

from bursar.errors import Deposed
from bursar.runtime.ledger import Ledger
from support.runtime import CLUSTER, Operator


async def test_an_operator_whose_ledger_was_taken_over_ends(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    op = Operator.start(path)
    controller = op.controller()
    controller.ledger = Ledger.open(str(path), CLUSTER)
    successor = Ledger.open(str(path), CLUSTER)
    try:
        loop = asyncio.create_task(controller.assess_for_ever())
        with pytest.raises(Deposed):
            await asyncio.wrap_future(controller.ledger.submit([]))
        with pytest.raises(Deposed):
            await asyncio.wait_for(loop, 30)
    finally:
        controller.ledger.close()
        successor.close()
