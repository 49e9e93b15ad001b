"""The line between a channel and the orchestrator."""

import asyncio
import socket

import pytest

from core.fleet.lines import LineSocket, encode
from core.fleet.link import Link, LinkClosed


async def _pair() -> tuple[Link, socket.socket]:
    ours, theirs = socket.socketpair()
    link = Link(theirs.detach())
    await link.open()
    return link, ours


async def test_messages_come_in_order_and_the_end_is_told() -> None:
    link, other = await _pair()
    for number in range(50):
        other.sendall(encode({"t": "wake", "number": number}))
    assert [(await link.receive())["number"] for _ in range(50)] == list(range(50))
    other.close()
    with pytest.raises(LinkClosed):
        await link.receive()
    await link.close()


async def test_more_than_fits_waits_in_the_socket() -> None:
    link, other = await _pair()
    other.setblocking(False)
    sender = LineSocket(other, lambda line: None, lambda reason: None)
    for number in range(5000):
        sender.send({"number": number})
    await asyncio.sleep(0.05)
    assert [(await link.receive())["number"] for _ in range(5000)] == list(range(5000))
    sender.close()
    await link.close()


async def test_sending_to_one_who_does_not_read_drops_and_never_waits() -> None:
    link, other = await _pair()
    for _ in range(5000):
        link.send({"t": "event", "text": "x" * 1000})
    other.close()
    await link.close()


async def test_a_line_that_is_no_json_ends_the_link() -> None:
    link, other = await _pair()
    other.sendall(b"what\n")
    with pytest.raises(LinkClosed):
        await link.receive()
    await link.close()
    other.close()


async def test_receive_can_be_cancelled_without_a_loss() -> None:
    link, other = await _pair()
    for number in range(50):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link.receive(), 0.001)
        other.sendall(encode({"number": number}))
        assert (await link.receive())["number"] == number
    other.close()
    await link.close()
