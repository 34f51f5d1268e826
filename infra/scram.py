"""A password as PostgreSQL stores it (SCRAM-SHA-256, RFC 5803), so that setting one never sends the clear text.

`alter role ... password 'clear'` would show the password in the server's log and in pg_stat_statements.
"""

import base64
import hashlib
import hmac
import secrets


def scram_verifier(password: str, iterations: int, salt: bytes | None = None) -> str:
    """What `alter role ... password` takes in place of `password`. ValueError unless ASCII (else it needs SASLprep)."""
    if not password.isascii():
        raise ValueError("a database password must be ASCII")
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"
