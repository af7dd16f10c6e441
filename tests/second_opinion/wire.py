"""The world on a loopback socket: HTTP/1.1 with persistent connections, which can break in several ways."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import traceback
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from types import TracebackType
from typing import Self

from tests.second_opinion.clock import Clock
from tests.second_opinion.faulty_responses import Answer
from tests.second_opinion.world import World

Handle = Callable[[str, str, dict[str, str]], tuple[Answer, Callable[[], None]]]
Tamper = Callable[[World, str, str, dict[str, str]], Answer | None]
"""A planted defect between product and world. It returns a response, or None to let the world respond."""


class Wire:
    """Serves a world inside a `with` block, and runs a second server that must never receive a key."""

    def __init__(self, world: World, tamper: Tamper | None = None) -> None:
        self.world = world
        self._tamper = tamper
        self.clock: Clock = world.clock
        self.strangers: list[dict[str, str]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        """Open both sockets."""
        self._thread.start()
        self.port = self._open(self._of_world)
        self.world.stranger = f"http://127.0.0.1:{self._open(self._of_stranger)}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close all sockets and connections."""
        asyncio.run_coroutine_threadsafe(self._closed(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _closed(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _open(self, handle: Handle) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await self._connection(reader, writer, handle)
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                writer.transport.abort()
            except Exception:
                self.world.errors.append(traceback.format_exc())
                raise
            finally:
                self._tasks.discard(task)

        async def begin() -> int:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            self._servers.append(server)
            return int(server.sockets[0].getsockname()[1])

        self._servers: list[asyncio.Server] = getattr(self, "_servers", [])
        return asyncio.run_coroutine_threadsafe(begin(), self._loop).result(5)

    def _of_world(self, method: str, target: str, headers: dict[str, str]) -> tuple[Answer, Callable[[], None]]:
        forged = self._tamper(self.world, method, target, headers) if self._tamper is not None else None
        if forged is not None:
            return forged, lambda: None
        answer, exchange = self.world.answer(method, target, headers)

        def ended() -> None:
            exchange.ended = self.clock.now()

        return answer, ended

    def _of_stranger(self, method: str, target: str, headers: dict[str, str]) -> tuple[Answer, Callable[[], None]]:
        self.strangers.append({"method": method, "target": target, **headers})
        return Answer(200, b"{}", {"Content-Type": "application/json"}), lambda: None

    async def _connection(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handle: Handle,
    ) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ", 2)
            fields = (line.partition(":") for line in head[1:] if line)
            headers = {name.strip().lower(): value.strip() for name, _, value in fields}
            await reader.readexactly(int(headers.get("content-length", "0")))
            answer, ended = handle(method, target, headers)
            if answer.delay:
                await asyncio.sleep(answer.delay / self.clock.speed)
            if not await self._sent(writer, answer):
                ended()
                return
            ended()

    async def _sent(self, writer: asyncio.StreamWriter, answer: Answer) -> bool:
        """Send a response, which may be incomplete, and return whether the connection stays open."""
        if answer.wire == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        fields = {"Date": formatdate(self.clock.now(), usegmt=True), **answer.headers}
        if answer.status != HTTPStatus.NO_CONTENT:
            fields["Content-Length"] = str(len(answer.body))
        lines = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in fields.items() if value)]
        body = answer.body[: len(answer.body) // 2] if answer.wire == "cut" else answer.body
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await writer.drain()
        if answer.wire == "whole":
            return True
        writer.close()
        return False
