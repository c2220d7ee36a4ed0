"""Commands `sandboxes` and `sandboxes delete`, and mistyped names of sandboxes."""

from __future__ import annotations

import json

import httpx
import pytest

import mockvoice

from .processes import check_output, run, start_server


def test_sandboxes_lists_names_urls_and_requests() -> None:
    with start_server() as server:
        httpx.get(f"{server.url}/~my-test/retell/list-voices")
        mockvoice.connect(server.url).sandbox("other").clear_faults()
        assert check_output("sandboxes", "--url", server.url).splitlines() == [
            f"(default)  {server.url}  0 requests",
            f"my-test    {server.url}/~my-test  1 request",
            f"other      {server.url}/~other  0 requests",
        ]
        listed = json.loads(check_output("sandboxes", "--json", MOCKVOICE_URL=f"{server.url}/~x"))
        assert [sandbox["name"] for sandbox in listed["sandboxes"]] == ["", "my-test", "other"]


def test_sandboxes_delete_removes_them() -> None:
    with mockvoice.serve() as mock:
        for name in ("one", "two", "three"):
            mock.sandbox(name).fail(502)
        assert check_output("sandboxes", "delete", "one", "two", MOCKVOICE_URL=mock.url) == ""
        assert mock.sandboxes == ["", "three"]
        result = run("sandboxes", "delete", "tree", MOCKVOICE_URL=mock.url)
        assert result.returncode == 1
        assert result.stderr == (
            "mockvoice: there is no sandbox tree (did you mean three?);"
            " `GET /sandboxes` lists all\n"
        )


@pytest.mark.parametrize(
    "command",
    [
        ["requests"],
        ["faults"],
        ["faults", "remove", "fault_1"],
        ["faults", "clear"],
        ["report"],
        ["voices"],
        ["voices", "delete", "x"],
        ["voices", "clear"],
        ["accounts"],
        ["accounts", "show", "telnyx", "KEY"],
        ["clock"],
        ["export"],
    ],
    ids=" ".join,
)
def test_mistyped_sandbox_is_reported_with_the_existing_ones(command: list[str]) -> None:
    with mockvoice.serve() as mock:
        none = run(*command, "--sandbox", "my-test", MOCKVOICE_URL=mock.url)
        assert none.stderr == (
            "mockvoice: there is no sandbox my-test; existing sandboxes: none but the default one\n"
        )
        mock.sandbox("my-test").fail(502)
        mock.sandbox("other").fail(502)
        for variable, flags in ((mock.url, ["--sandbox", "my-tset"]), (f"{mock.url}/~my-tset", [])):
            result = run(*command, *flags, MOCKVOICE_URL=variable)
            assert (result.returncode, result.stdout) == (1, "")
            assert result.stderr == (
                "mockvoice: there is no sandbox my-tset (did you mean my-test?);"
                " existing sandboxes: my-test, other\n"
            )
        assert mock.sandboxes == ["", "my-test", "other"]


def test_message_names_only_the_newest_of_many_sandboxes() -> None:
    with mockvoice.serve() as mock:
        for number in range(25):
            mock.sandbox(f"box-{number}").clear_faults()
        stderr = run("requests", "--sandbox", "x", MOCKVOICE_URL=mock.url).stderr
    assert "existing sandboxes: box-5, box-6, " in stderr
    assert stderr.endswith("box-24, and 5 older ones\n")


def test_adding_a_fault_creates_the_sandbox() -> None:
    with mockvoice.serve() as mock:
        check_output("faults", "add", "502", "--sandbox", "new", MOCKVOICE_URL=mock.url)
        assert mock.sandboxes == ["", "new"]
