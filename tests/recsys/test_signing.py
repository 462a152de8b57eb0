import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from recsys.errors import BundleError, ConfigError
from recsys.signing import PRIVATE_NAME, PUBLIC_NAME, SigningKey, VerifyKey


@pytest.fixture
def folder(tmp_path):
    SigningKey.load_or_make(tmp_path / "keys")
    return tmp_path / "keys"


def test_key_is_made_once_and_kept(folder):
    before = (folder / PRIVATE_NAME).read_bytes()
    SigningKey.load_or_make(folder)
    assert (folder / PRIVATE_NAME).read_bytes() == before
    assert sorted(p.name for p in folder.iterdir()) == [PRIVATE_NAME, PUBLIC_NAME]


def test_only_the_owner_may_read_the_secret_half(folder):
    assert (folder / PRIVATE_NAME).stat().st_mode & 0o777 == 0o600
    (folder / PRIVATE_NAME).chmod(0o640)
    with pytest.raises(ConfigError, match="may be read by others, its mode is 640"):
        SigningKey.load_or_make(folder)


def test_public_half_checks_what_the_secret_half_signed(folder):
    signature = SigningKey.load_or_make(folder).sign("letter", b"words")
    VerifyKey.load(folder).check("letter", b"words", signature)


@pytest.mark.parametrize(
    ("purpose", "content", "cut"),
    [("other", b"words", 64), ("letter", b"word", 64), ("letter", b"words", 63)],
)
def test_what_was_not_signed_is_refused(purpose, content, cut, folder):
    signature = SigningKey.load_or_make(folder).sign("letter", b"words")
    with pytest.raises(BundleError, match=f"signature of the {purpose} does not fit"):
        VerifyKey.load(folder).check(purpose, content, signature[:cut])


def test_lost_public_half_is_written_again(folder):
    before = (folder / PUBLIC_NAME).read_bytes()
    (folder / PUBLIC_NAME).unlink()
    SigningKey.load_or_make(folder)
    assert (folder / PUBLIC_NAME).read_bytes() == before


def test_public_half_alone_makes_no_new_key(folder):
    (folder / PRIVATE_NAME).unlink()
    with pytest.raises(ConfigError, match=f"is here without {PRIVATE_NAME}"):
        SigningKey.load_or_make(folder)


def test_missing_public_half_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="the first `dapei train` writes it"):
        VerifyKey.load(tmp_path)


OTHER = X25519PrivateKey.generate()
OTHER_PRIVATE = OTHER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
OTHER_PUBLIC = OTHER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("content", "message"), [(b"x", "is no signing key"), (OTHER_PRIVATE, "another sort of key")]
)
def test_wrong_secret_half_is_refused(content, message, folder):
    (folder / PRIVATE_NAME).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        SigningKey.load_or_make(folder)


@pytest.mark.parametrize(
    ("content", "message"), [(b"x", "is no public key"), (OTHER_PUBLIC, "another sort of key")]
)
def test_wrong_public_half_is_refused(content, message, folder):
    (folder / PUBLIC_NAME).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        VerifyKey.load(folder)
