"""A migration that was once applied somewhere is never edited: whoever has it could not start the next release.

`sha256sum *.sql > ../../tests/contract/migrations.sha256` in the folder of the migrations adds a new one; a changed line in
that file is a mistake.
"""

import hashlib
from pathlib import Path

MIGRATIONS = Path(__file__).parents[2] / "infra" / "migrations"
RELEASED = Path(__file__).with_name("migrations.sha256")


def test_every_migration_is_the_text_that_it_was_when_it_was_released() -> None:
    released = dict(reversed(line.split()) for line in RELEASED.read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in MIGRATIONS.glob("*.sql")}
    assert found == released
