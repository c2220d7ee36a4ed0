"""Connections to Redis or Valkey, and the Lua scripts that run there."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha1
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import redis
import redis.asyncio
from redis import exceptions
from redis.asyncio.connection import BlockingConnectionPool

from ..errors import StoreUnavailable
from ..redact import redact_url

log = logging.getLogger("mockvoice")

SCHEMA = 3  # of the keys and values; two versions that differ in it cannot share a prefix
TIMEOUT = 10.0  # seconds for one call, which may send a file of 64 MB
_CONNECTIONS = 64  # of one process; more calls at the same time wait for one
_MIN_VERSION = 7  # Valkey 8 reports the version of Redis that it is compatible with
_SCRIPTS = Path(__file__).parent / "lua"
_RETRY_SECONDS = 0.2

_LOGIN_ERRORS = (exceptions.AuthenticationError, exceptions.NoPermissionError)

Argument = str | bytes | int | float
Constants = Mapping[str, int | str]
_Pool = AsyncGenerator[BlockingConnectionPool, None]  # closes the connections that it yields


class RedisClient:
    """Runs the scripts of one deployment. Each is sent once, and then called by its hash.

    Connections belong to the event loop that opened them, and are closed before it ends.
    """

    def __init__(self, url: str, constants: Constants) -> None:
        self.url = url
        self.shown_url = redact_url(url)
        self._constants = constants
        self._pools: dict[asyncio.AbstractEventLoop, tuple[BlockingConnectionPool, _Pool]] = {}
        self._hashes: dict[str, str] = {}
        self._available = True

    def check(self, wait: float) -> None:
        """Check server and schema, for up to `wait` seconds until the server is available.

        Raises StoreUnavailable.
        """
        end = monotonic() + wait
        while True:
            try:
                self._check()
            except (OSError, exceptions.RedisError) as error:
                unavailable = self._unavailable(error)
                if not _is_connection_error(error):
                    raise unavailable from None
                if monotonic() >= end:
                    advice = "check that it runs, or wait for it with --store-wait SECONDS"
                    raise StoreUnavailable(f"{unavailable}; {advice}") from None
            else:
                return
            sleep(_RETRY_SECONDS)

    def _check(self) -> None:
        try:
            client = redis.Redis.from_url(
                self.url,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=None,
                protocol=2,  # servers before Redis 6 know no other one
            )
        except ValueError:  # its message may contain the password
            raise StoreUnavailable(
                f"--store {self.shown_url} is not a valid URL; expected redis://host:6379/0,"
                " with special characters of the password encoded"
            ) from None
        with client:
            version: str = client.info("server")["redis_version"]
            schema: Any = client.get(f"{self._constants['PREFIX']}schema")
        if int(version.split(".", maxsplit=1)[0]) < _MIN_VERSION:
            raise StoreUnavailable(
                f"{self.shown_url} is Redis {version}; --store needs Redis 7 or Valkey 8, or newer"
            )
        if schema and int(schema) != SCHEMA:
            raise self._wrong_schema(schema.decode())

    def _wrong_schema(self, schema: str) -> StoreUnavailable:
        prefix = self._constants["PREFIX"]
        return StoreUnavailable(
            f"the data under {prefix}* in {self.shown_url} has schema {schema}, and this version of"
            f" mockvoice needs schema {SCHEMA}: select another --store-prefix, or delete the data"
            f" with redis-cli --scan --pattern '{prefix}*' | xargs redis-cli unlink"
        )

    async def run(self, name: str, *arguments: Argument) -> Any:
        """Return the result of a script. Raises StoreUnavailable.

        A script is never repeated after an error of the connection, since it may have run.
        """
        hash = self._hashes.get(name) or self._hash(name)
        try:
            try:
                result = await self._execute("EVALSHA", hash, 0, *arguments)
            except exceptions.NoScriptError:
                await self._execute("SCRIPT", "LOAD", script(name, self._constants))
                result = await self._execute("EVALSHA", hash, 0, *arguments)
        except (OSError, TimeoutError, exceptions.RedisError) as error:
            unavailable = self._unavailable(error)
            if self._available:
                log.error("%s", unavailable)  # noqa: TRY400 - the cause is part of the message
            self._available = False
            raise unavailable from None
        if not self._available:
            log.warning("%s is available again", self.shown_url)
            self._available = True
        return result

    def _hash(self, name: str) -> str:
        text = script(name, self._constants)
        self._hashes[name] = sha1(text.encode(), usedforsecurity=False).hexdigest()
        return self._hashes[name]

    async def _execute(self, *command: Any) -> Any:
        # One limit for everything. The timeouts of redis-py lose cancellations on Python 3.11.
        async with asyncio.timeout(TIMEOUT):
            pool = await self._open_pool()
            connection: Any = await pool.get_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.send_command(*command)
                return await connection.read_response()
            finally:
                await pool.release(connection)

    async def _open_pool(self) -> BlockingConnectionPool:
        """Return the connections of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            forget_ended(self._pools)
            pool = _pool(self.url)
            self._pools[loop] = await anext(pool), pool
        return self._pools[loop][0]

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[Callable[[float], Awaitable[Any]]]:
        """Subscribe to a channel; yields a function that waits some seconds for a message.

        Raises StoreUnavailable.
        """
        client = redis.asyncio.Redis.from_url(
            self.url, socket_timeout=None, socket_connect_timeout=TIMEOUT
        )
        try:
            async with client, client.pubsub() as messages:
                await _finish(messages.subscribe(f"{self._constants['PREFIX']}{channel}"))
                await messages.get_message(timeout=TIMEOUT)  # the confirmation
                yield lambda seconds: messages.get_message(timeout=seconds)
        except (OSError, exceptions.RedisError) as error:
            raise self._unavailable(error) from None

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        _, pool = self._pools.pop(asyncio.get_running_loop(), (None, None))
        if pool:
            await pool.aclose()

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        """Return an error of the server or the connection with advice."""
        if isinstance(error, StoreUnavailable):
            return error
        if schema := re.search(r"MOCKVOICE-SCHEMA (\w+)", str(error)):
            return self._wrong_schema(schema[1])
        return StoreUnavailable(f"the store {self.shown_url} {self._reason(error)}")

    def _reason(self, error: Exception) -> str:
        if isinstance(error, _LOGIN_ERRORS):
            return f"rejects the login: {error}; check user and password in the URL of --store"
        if isinstance(error, exceptions.OutOfMemoryError) or "OOM " in str(error):
            return (
                "is out of memory: raise maxmemory in its configuration, or lower"
                " --upload-cache-mb, --journal-mb, --max-sandboxes or --sandbox-ttl"
            )
        if isinstance(error, exceptions.TimeoutError | TimeoutError):
            return f"did not respond within {TIMEOUT:g} s"
        if _is_connection_error(error):
            return f"is not available: {error}"
        return f"reports an error: {error}"


async def _pool(url: str) -> _Pool:
    """Yield the connections of the running event loop.

    A loop closes its asynchronous generators before it ends (`shutdown_asyncgens`), so also these.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=None,
        socket_timeout=None,
        socket_connect_timeout=TIMEOUT,
    )
    try:
        yield pool
    finally:
        await pool.disconnect()


def forget_ended(values: dict[asyncio.AbstractEventLoop, Any]) -> None:
    """Remove the values of event loops that have ended."""
    for loop in [*values]:
        if loop.is_closed():
            values.pop(loop, None)


async def _finish(connecting: Coroutine[Any, Any, None]) -> None:
    """Wait until a connection is open, even if cancelled: redis-py would never close its socket."""
    task = asyncio.ensure_future(connecting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _is_connection_error(error: Exception) -> bool:
    """Return True if the server may be reachable later."""
    if isinstance(error, StoreUnavailable | exceptions.AuthenticationError):
        return False
    return isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError)


@cache
def _source(path: str) -> str:
    return (_SCRIPTS / path).read_text(encoding="utf-8")


def script(name: str, constants: Constants) -> str:
    """Return the text of a script, with the constants and the parts that it needs."""
    shebang, needs, body = _source(f"{name}.lua").split("\n", 2)
    parts = [_source(f"parts/{part}.lua") for part in needs.removeprefix("--!").split()]
    values = [f"local {key} = {_literal(value)}" for key, value in constants.items()]
    return "\n".join([shebang, *values, *parts, body])


def _literal(value: int | str) -> str:
    """Return a constant as Lua has it."""
    if isinstance(value, int):
        return str(value)
    return '"' + "".join(f"\\{byte:03}" for byte in value.encode()) + '"'
