"""Problems become one sentence, one line per fault, one exit code."""

import msgspec
import pytest

from services.cli.exits import EXIT_CODES, Exit, exit_of_status
from services.cli.problems import problem_of


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (200, Exit.OK),
        (400, Exit.REFUSED),
        (401, Exit.NOT_ALLOWED),
        (403, Exit.NOT_ALLOWED),
        (404, Exit.NOT_FOUND),
        (409, Exit.REFUSED),
        (412, Exit.STALE),
        (413, Exit.REFUSED),
        (422, Exit.REFUSED),
        (428, Exit.STALE),
        (429, Exit.AWAY),
        (500, Exit.AWAY),
        (503, Exit.AWAY),
    ],
)
def test_each_status_has_its_exit_code(status: int, wanted: Exit) -> None:
    assert exit_of_status(status) is wanted


def test_every_exit_code_is_explained() -> None:
    assert set(EXIT_CODES) == set(Exit)


def test_every_fault_has_its_line() -> None:
    body = {
        "detail": "It is wrong.",
        "code": "invalid_body",
        "faults": [{"path": "/a", "detail": "is missing"}, {"path": "", "detail": "odd"}],
    }
    assert problem_of(422, msgspec.json.encode(body)).lines() == [
        "It is wrong. (invalid_body)",
        "  /a: is missing",
        "  /: odd",
    ]


def test_a_body_that_is_no_problem_is_not_repeated() -> None:
    problem = problem_of(502, b"<html>secret internals</html>")
    assert problem.lines() == ["The gateway answered with status 502."]


def test_without_a_token_the_setting_is_named() -> None:
    body = msgspec.json.encode({"detail": "Show a token.", "code": "unauthenticated"})
    assert "GONOGO_TOKEN" in problem_of(401, body).sentence


def test_the_code_is_found_in_the_type_where_it_stands_nowhere_else() -> None:
    body = msgspec.json.encode({"type": "https://gonogo.dev/problems/seal_changed", "detail": "Look again."})
    assert problem_of(409, body).code == "seal_changed"
