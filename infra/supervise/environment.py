"""The environment of each service under the supervisor: whom to log in as, where, and which files are its own."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from infra.embedded.folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.postgres import PostgresServer
from infra.embedded.secrets import SERVICES, passwords, write_private
from infra.supervise.spec import ServiceSpec

_OURS = ("GONOGO_DATABASE_URL_FILE", "GONOGO_NATS_PASSWORD_FILE", "GONOGO_MASTER_KEY")
"""Set by the person for other ways of running; beside what we set they would contradict it."""


class Environments:
    """Makes a service's environment from the ports, the passwords, and what the person set."""

    def __init__(
        self, folder: DataFolder, postgres: PostgresServer, nats: NatsServer, environ: Mapping[str, str], http_port: int
    ) -> None:
        self._folder = folder
        self._postgres = postgres
        self._nats = nats
        self._base = {name: value for name, value in environ.items() if name not in _OURS}
        self._http_port = http_port
        self._roles = passwords(folder.secrets / "database.json", SERVICES)

    @property
    def role_passwords(self) -> Mapping[str, str]:
        """By service, for the migration."""
        return self._roles

    @property
    def start_file(self) -> Path:
        """Appears when the database is migrated; services wait for it with their imports done."""
        return self._folder.run / "started"

    def status_file(self, name: str) -> Path:
        return self._folder.run / f"{name}.port"

    def of(self, spec: ServiceSpec) -> dict[str, str]:
        """The whole environment, also usable by a test or a shell that wants to run the service by itself."""
        return {
            **self._base,
            **spec.env,
            "GONOGO_DATABASE_URL": self._database_url(spec.name),
            "GONOGO_NATS_URL": self._nats.url,
            "GONOGO_NATS_USER": spec.name if spec.name in self._nats.users else "",
            "GONOGO_NATS_PASSWORD": self._nats.users.get(spec.name, ""),
            "GONOGO_DATA": str(self._folder.path),
            "GONOGO_HTTP_PORT": str(self._http_port),
            "GONOGO_MASTER_KEY_FILE": self._base.get("GONOGO_MASTER_KEY_FILE") or str(self._master_key()),
            "GONOGO_STATUS_PORT": "0",
            "GONOGO_STATUS_FILE": str(self.status_file(spec.name)),
            "GONOGO_START_FILE": str(self.start_file),
        }

    def _database_url(self, service: str) -> str:
        return self._postgres.dsn(f"gonogo_{service}", self._roles.get(service, ""))

    def _master_key(self) -> Path:
        """The key store's key: 256 random bits in hex, made once. Whoever loses it loses the secrets that it seals."""
        file = self._folder.secrets / "master.key"
        if not file.exists():
            write_private(file, f"{secrets.token_bytes(32).hex()}\n".encode())
        return file
