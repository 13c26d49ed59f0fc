"""Bridges over real sockets: the examples and every documented error of the vendors' pages."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from cyclesoft_async import errors
from cyclesoft_async.bridges import (
    BearerToken,
    Fleetio,
    HeaderTokens,
    Ppw,
)
from cyclesoft_async.bridges import fleetio as fleetio_bridge
from cyclesoft_async.bridges import ppw as ppw_bridge
from cyclesoft_async.sandbox import FleetioSandbox, PpwSandbox, ShopCtrlSandbox
from tests.support.bridges import a_work_order, an_invoice, fleetio, ppw, shopctrl
from tests.support.http_server import failure

pytestmark = pytest.mark.filterwarnings("ignore:(PPW|Fleetio) deprecates:DeprecationWarning")


async def test_wrong_credentials_are_rejected() -> None:
    async with FleetioSandbox() as sandbox:
        for key, account in (("wrong", "account"), ("key", "wrong")):
            async with Fleetio(key, account, base_url=sandbox.url) as bridge:
                await failure(bridge.create_work_order(a_work_order()), fleetio_bridge.NotAuthenticatedError)
    async with PpwSandbox() as box, Ppw("wrong", base_url=box.url) as maker:
        await failure(maker.create_invoice(an_invoice()), ppw_bridge.AccessDeniedError)


@pytest.mark.parametrize("token", ["", "canary\r\nX: y", "canary caf\xe9", " canary", "canary\x00"])
def test_invalid_tokens_are_rejected(token: str) -> None:
    makers: list[Callable[[], object]] = [
        lambda: BearerToken(token),
        lambda: HeaderTokens({"Account-Token": token}),
        lambda: Ppw(token, base_url="https://ppw.example/svc"),
        lambda: Fleetio(token, "account"),
        lambda: Fleetio("key", token),
    ]
    for make in makers:
        with pytest.raises(errors.UsageError, match=r"^the token in [A-Za-z-]+ must not") as caught:
            make()
        assert "canary" not in str(caught.value)
    with pytest.raises(errors.UsageError, match="name of a header"):
        HeaderTokens({"a b": "token"})


def test_the_repr_of_a_bridge_and_its_arguments() -> None:
    assert repr(Fleetio("key", "account")) == "Fleetio('https://secure.fleetio.com')"
    assert repr(HeaderTokens({"Account-Token": "x"})) == "HeaderTokens(Account-Token)"
    assert repr(BearerToken("x")) == "BearerToken(Authorization)"
    with pytest.raises(errors.UsageError, match="minutely_limit"):
        Fleetio("key", "account", minutely_limit=0)
    with pytest.raises(errors.UsageError, match="base_url"):
        Ppw("x", base_url="ppw.example")


@pytest.mark.filterwarnings("default:(PPW|Fleetio) deprecates:DeprecationWarning")
async def test_a_deprecation_names_its_successor() -> None:
    async with PpwSandbox() as sandbox, ppw(sandbox.url) as bridge:
        with pytest.warns(DeprecationWarning, match=r"use /invoice/update") as warned:
            await bridge.create_invoice(an_invoice())
        assert [warning.filename for warning in warned] == [__file__]
    async with FleetioSandbox() as box, fleetio(box.url) as fleet:
        with pytest.warns(DeprecationWarning, match=r"use POST /api/v2/work_orders") as warned:
            await fleet.create_work_order(a_work_order())
        assert [warning.filename for warning in warned] == [__file__]
    async with ShopCtrlSandbox({1: Decimal(1)}) as shop, shopctrl(shop.url) as other:
        await other.create_invoice(1)
