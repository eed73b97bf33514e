"""Signatures of launch messages, and a node's inbox, which lets in what was signed for it, is fresh and came once."""

from __future__ import annotations

import base64
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from crane_celery.errors import ConfigError, Denied
from crane_celery.wire.launch import Message, read


class Signer:
    """Signs messages; without a key (``signing: false``) the signature is empty."""

    def __init__(self, key: Ed25519PrivateKey | None) -> None:
        self._key = key

    @classmethod
    def load(cls, path: str) -> Signer:
        """From a PEM file. Raises ConfigError when there is none or it is no Ed25519 key."""
        key = _parsed(lambda: load_pem_private_key(_pem(path), password=None))
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{path} is no Ed25519 private key: remove the pair, and `crane keys` makes a new one")
        return cls(key)

    def sign(self, text: str) -> str:
        """The signature, base64."""
        return base64.b64encode(self._key.sign(text.encode())).decode() if self._key else ""


class Verifier:
    """Checks signatures; without a key (``signing: false``) every text passes."""

    def __init__(self, key: Ed25519PublicKey | None) -> None:
        self._key = key

    @classmethod
    def load(cls, path: str) -> Verifier:
        """From a PEM file. Raises ConfigError when there is none or it is no Ed25519 key."""
        key = _parsed(lambda: load_pem_public_key(_pem(path)))
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigError(f"{path} is no Ed25519 public key: copy keys/launch.pub from the scheduler's host")
        return cls(key)

    def check(self, text: str, signature: str) -> None:
        """Raises Denied unless the signature is the scheduler's own of exactly this text."""
        if self._key is None:
            return
        try:
            self._key.verify(base64.b64decode(signature, validate=True), text.encode())
        except (InvalidSignature, ValueError) as error:
            raise Denied("launch message refused: its signature is not that of this cluster's scheduler") from error


class Inbox:
    """A node's door: what passes it was meant for this node, now, and for the first time."""

    def __init__(self, node: str, verifier: Verifier) -> None:
        self._node = node
        self._verifier = verifier
        self._seen: dict[str, float] = {}

    def accept(self, text: str, signature: str, epoch: int, now: float) -> Message:
        """The message. Raises Denied, saying why, and remembers nothing of what it refuses.

        ``epoch`` is the node's own, ``now`` server time.
        """
        self._verifier.check(text, signature)
        message = read(text)
        if message.node != self._node:
            raise Denied(f"launch message refused: it is for node {message.node}, this is {self._node}")
        if message.epoch != epoch:
            raise Denied(f"launch message refused: it is for epoch {message.epoch}, this node is at {epoch}")
        if message.until < now:
            raise Denied(f"launch message refused: it was good until {message.until:.0f}, now is {now:.0f}")
        self._remember(message, now)
        return message

    def _remember(self, message: Message, now: float) -> None:
        if message.nonce in self._seen:
            raise Denied("launch message refused: it was delivered before")
        if len(self._seen) > 1000 and min(self._seen.values()) < now:
            self._seen = {nonce: until for nonce, until in self._seen.items() if until >= now}
        self._seen[message.nonce] = message.until


def _parsed(load: Callable[[], object]) -> object:
    """A key, or None for what is none."""
    try:
        return load()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _pem(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(
            f"cannot read the launch key {path}: {error.strerror}; copy it from a scheduler's host, where `crane up` or"
            " `crane keys` makes the pair"
        ) from error
