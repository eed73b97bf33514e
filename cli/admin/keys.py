"""The key pair of a cluster: schedulers sign launches with the private one, nodes check with the public one."""

from __future__ import annotations

import os

from cli.common.main import say
from cli.common.options import Parser
from crane_celery.settings import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from crane_celery.settings import Settings


def keys(argv: list[str]) -> int:
    """Make the pair where there is none, and say where each half belongs. Raises ConfigError."""
    parser = Parser("crane keys", "Make the cluster's key pair, where there is none: once, on a scheduler's host.")
    parser.parse(argv)
    settings = load()
    say("made:" if make_keys(settings) else "there already:")
    say(f"  {settings.private_key}  for schedulers only")
    say(f"  {settings.public_key}  copy it to every node, to the same place")
    return 0


def make_keys(settings: Settings) -> bool:
    """Write an Ed25519 pair as PEM (0600 and 0644) where there is none; True when one was made."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    if os.path.exists(settings.private_key) and os.path.exists(settings.public_key):
        return False
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    os.makedirs(os.path.dirname(settings.private_key), mode=0o755, exist_ok=True)
    _write(settings.private_key, secret, 0o600)
    _write(settings.public_key, public, 0o644)
    return True


def _write(path: str, content: bytes, mode: int) -> None:
    """Whole or not at all; never readable by others for a moment."""
    fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(fd, mode)
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(f"{path}.new", path)
