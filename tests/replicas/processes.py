"""Replicas: server processes that share one Redis server and behave as one mock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import TypeVar

import httpx

from ..cli.processes import serving
from ..redis_server import RedisServer

THREADS = 64
REPLICAS = 3
Result = TypeVar("Result")
_prefixes = count(1)


@contextmanager
def replicas(server: RedisServer, *arguments: str, number: int = REPLICAS) -> Iterator[list[str]]:
    """Start server processes with a prefix of their own; yield their URLs."""
    prefix = f"replicas{next(_prefixes)}"
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                serving("--store", server.url, "--store-prefix", prefix, *arguments)
            )[1]
            for _ in range(number)
        ]


class Clients:
    """HTTP clients of one sandbox, one for each replica."""

    def __init__(self, urls: Sequence[str], sandbox: str) -> None:
        self._clients = [
            httpx.Client(base_url=f"{url}/~{sandbox}", verify=False, timeout=30) for url in urls
        ]

    def __getitem__(self, number: int) -> httpx.Client:
        """Return the client of a replica; numbers go round."""
        return self._clients[number % len(self._clients)]

    def close(self) -> None:
        for client in self._clients:
            client.close()


def send_all(
    clients: Clients, requests: int, send: Callable[[httpx.Client, int], Result]
) -> list[Result]:
    """Send numbered requests from many threads, to one replica after the other."""
    with ThreadPoolExecutor(THREADS) as pool:
        return [*pool.map(lambda number: send(clients[number], number), range(requests))]


@contextmanager
def in_background(work: Callable[[], None]) -> Iterator[None]:
    """Repeat work in a thread until the end of a block; its first error is raised there."""
    ended, errors = threading.Event(), list[BaseException]()

    def repeat() -> None:
        try:
            while not ended.is_set():
                work()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if errors:
        raise errors[0]
