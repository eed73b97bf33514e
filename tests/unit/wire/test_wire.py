"""A node takes what the scheduler signed for it, now, once; and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from crane_celery.errors import ConfigError, Denied
from crane_celery.wire import launch as wire
from crane_celery.wire.signing import Inbox, Signer, Verifier
from tests.unit.sched.cases import spec

KEY = Ed25519PrivateKey.generate()
SIGNER, VERIFIER = Signer(KEY), Verifier(KEY.public_key())
TO = wire.Address("n1", 3, 7, "abc", 1000.0)
LAUNCH = wire.Launch(10, 2, 12, 1, 4, 3, 1.5, 1 << 30, {"gpu:a": (0, 2)}, ("n1", "n2"), True, "10")
ORDER = (12, 1, {"suspend": 1})
SPEC = spec(name='it\'s "quoted"\n\udc80 ü', array="0-4:2", nodelist=("n1", "n2"), time_limit=60)


def text_of(to: wire.Address = TO) -> str:
    return wire.build(to, {"10": wire.spec_text(SPEC)}, [LAUNCH], [wire.Kill(11, 1, 0)], [ORDER])


def accept(text: str, signature: str, node: str = "n1", epoch: int = 3, now: float = 900.0) -> wire.Message:
    return Inbox(node, VERIFIER).accept(text, signature, epoch, now)


def test_what_is_built_is_read() -> None:
    message = accept(text_of(), SIGNER.sign(text_of()))
    assert message == wire.Message("n1", 3, 7, "abc", 1000.0, {"10": SPEC}, [LAUNCH], [wire.Kill(11, 1, 0)], [ORDER])


def test_the_documented_form() -> None:
    value = json.loads(text_of())
    assert list(value) == ["node", "epoch", "fence", "nonce", "until", "jobs", "launches", "kills", "orders"]
    assert value["launches"] == [[10, 2, 12, 1, 4, 3, 1.5, 1 << 30, {"gpu:a": [0, 2]}, ["n1", "n2"], True, "10", -1]]
    assert value["kills"] == [[11, 1, 0, 1]] and text_of().isascii()


def test_cpus_by_node_travel_only_where_they_differ() -> None:
    wide = LAUNCH._replace(cpus_each=(8.0, 4.0))
    text = wire.build(TO, {"10": wire.spec_text(SPEC)}, [wide, LAUNCH], [])
    assert [len(row) for row in json.loads(text)["launches"]] == [14, 13]
    assert wire.read(text).launches == [wide, LAUNCH]


@pytest.mark.parametrize("signature", ["", "AAAA", "no base64!", "é"])
def test_a_wrong_signature_is_refused(signature: str) -> None:
    with pytest.raises(Denied, match="signature"):
        accept(text_of(), signature)


def test_a_changed_text_is_refused() -> None:
    with pytest.raises(Denied, match="signature"):
        accept(text_of() + " ", SIGNER.sign(text_of()))


def test_another_key_is_refused() -> None:
    with pytest.raises(Denied, match="signature"):
        accept(text_of(), Signer(Ed25519PrivateKey.generate()).sign(text_of()))


def test_meant_for_another_node() -> None:
    with pytest.raises(Denied, match="for node n1, this is n2"):
        accept(text_of(), SIGNER.sign(text_of()), node="n2")


@pytest.mark.parametrize("epoch", [2, 4])
def test_meant_for_another_epoch(epoch: int) -> None:
    with pytest.raises(Denied, match="epoch 3"):
        accept(text_of(), SIGNER.sign(text_of()), epoch=epoch)


def test_too_late() -> None:
    with pytest.raises(Denied, match="good until"):
        accept(text_of(), SIGNER.sign(text_of()), now=1000.1)


def test_twice() -> None:
    inbox = Inbox("n1", VERIFIER)
    inbox.accept(text_of(), SIGNER.sign(text_of()), 3, 900.0)
    with pytest.raises(Denied, match="before"):
        inbox.accept(text_of(), SIGNER.sign(text_of()), 3, 900.0)


def test_what_was_refused_is_not_remembered() -> None:
    inbox = Inbox("n1", VERIFIER)
    with pytest.raises(Denied):
        inbox.accept(text_of(), SIGNER.sign(text_of()), 2, 900.0)
    inbox.accept(text_of(), SIGNER.sign(text_of()), 3, 900.0)


def test_nonces_are_kept_no_longer_than_their_messages_live() -> None:
    inbox = Inbox("n1", Verifier(None))
    for number in range(3000):
        inbox.accept(text_of(TO._replace(nonce=str(number), until=number + 10.0)), "", 3, float(number))
    assert len(inbox._seen) < 1100


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"node": 1', '{"node":"n1","epoch":3,"fence":1}'])
def test_unsigned_nonsense_is_refused_not_raised(text: str) -> None:
    with pytest.raises(Denied, match="cannot be read"):
        Inbox("n1", Verifier(None)).accept(text, "", 3, 900.0)


def test_keys_from_files(tmp_path: Path) -> None:
    private, public = tmp_path / "launch.key", tmp_path / "launch.pub"
    private.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    Verifier.load(str(public)).check("text", Signer.load(str(private)).sign("text"))


def test_missing_and_foreign_keys_are_configuration_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the launch key"):
        Signer.load(str(tmp_path / "none"))
    other = X25519PrivateKey.generate()
    (tmp_path / "key").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "pub").write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "junk").write_text("junk")
    for path in ("key", "junk"):
        with pytest.raises(ConfigError, match="no Ed25519 private key"):
            Signer.load(str(tmp_path / path))
    for path in ("pub", "junk"):
        with pytest.raises(ConfigError, match="no Ed25519 public key"):
            Verifier.load(str(tmp_path / path))


def test_a_specification_that_cannot_be_read_costs_the_message_nothing_else() -> None:
    text = wire.build(TO, {"1": '{"uid":{}}', "10": wire.spec_text(SPEC)}, [LAUNCH], [])
    message = wire.read(text)
    assert list(message.jobs) == ["10"] and list(message.unreadable) == ["1"] and message.launches == [LAUNCH]


@pytest.mark.parametrize(
    ("part", "at", "value"),
    [
        ("launches", 2, {"7": []}),
        ("launches", 8, {"gpu": [{}]}),
        ("launches", 6, "many"),
        ("launches", 9, [5]),
        ("kills", 0, None),
        ("orders", 2, {"limit": []}),
    ],
)
def test_a_row_that_cannot_be_read_costs_no_other(part: str, at: int, value: object) -> None:
    launches = [wire.Launch(7, 0, 7, 1, None, 1, 1.0, 1, {"gpu": (0,)}, ("n1",))] * 2
    to = wire.Address("n1", 1, 1, "x", 2e9)
    made = json.loads(wire.build(to, {"7": "{}"}, launches, [wire.Kill(5, 1, 15)] * 2, [(6, 1, {"limit": 60.0})] * 2))
    made[part][0][at] = value
    message = wire.read(json.dumps(made))
    assert {name: len(getattr(message, name)) for name in ("launches", "kills", "orders")} == {
        **dict.fromkeys(("launches", "kills", "orders"), 2),
        part: 1,
    }
