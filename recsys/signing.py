"""Who made a file: Ed25519 keys in a folder, and signatures that say what they are for."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from recsys.errors import BundleError, ConfigError
from recsys.files import fsync_folder, make_folder, write_atomic

PRIVATE_NAME, PUBLIC_NAME = "bundles.key", "bundles.pub"


def _said(purpose: str, content: bytes) -> bytes:
    # The purpose is signed too, so that one signed file never passes for another sort.
    return f"dapei {purpose}\n".encode() + content


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """The public half: tells what the holder of the signing key wrote."""

    key: Ed25519PublicKey

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The public half in a folder of keys; a server needs only this file.

        Raises
        ------
        ConfigError
            There is none, or it is no such key.
        """
        path = folder / PUBLIC_NAME
        try:
            key = load_pem_public_key(path.read_bytes())
        except OSError as cause:
            raise ConfigError(
                f"{path} cannot be read; the first `dapei train` writes it: {cause.strerror}"
            ) from cause
        except ValueError as cause:
            raise ConfigError(f"{path} is no public key; allowed: Ed25519 in PEM") from cause
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigError(f"{path} is another sort of key; allowed: Ed25519 in PEM")
        return cls(key)

    def check(self, purpose: str, content: bytes, signature: bytes) -> None:
        """Raise BundleError unless the content was signed for this purpose by our key."""
        try:
            self.key.verify(signature, _said(purpose, content))
        except InvalidSignature as cause:
            raise BundleError(
                f"the signature of the {purpose} does not fit: damaged, edited, or another key's"
            ) from cause


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The secret half; it stays where bundles are trained."""

    key: Ed25519PrivateKey

    @classmethod
    def load_or_make(cls, folder: Path) -> Self:
        """The key of a folder, made on first use: readable by its owner only, public half beside.

        Raises
        ------
        ConfigError
            The file is no such key, others may read it, or only its public half is here.
        """
        make_folder(folder)
        path, beside = folder / PRIVATE_NAME, folder / PUBLIC_NAME
        if not path.exists():
            if beside.exists():
                raise ConfigError(
                    f"{beside} is here without {PRIVATE_NAME}; bring that, or drop it"
                )
            _make(path)
        signing = cls(_read(path))
        public = signing.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if not beside.exists() or beside.read_bytes() != public:
            write_atomic(beside, public)
        return signing

    @property
    def public(self) -> VerifyKey:
        """The half that servers hold."""
        return VerifyKey(self.key.public_key())

    def sign(self, purpose: str, content: bytes) -> bytes:
        """A signature of 64 bytes over the purpose and the content."""
        return self.key.sign(_said(purpose, content))


def _make(path: Path) -> None:
    """Write a new key; of two processes that do so at once, one wins and both then read it."""
    content = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        pass
    finally:
        beside.unlink()
    fsync_folder(path.parent)


def _read(path: Path) -> Ed25519PrivateKey:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(f"{path} may be read by others, its mode is {mode:o}; allowed: 600")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as cause:
        raise ConfigError(f"{path} is no signing key; allowed: Ed25519 in PEM") from cause
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is another sort of key; allowed: Ed25519 in PEM")
    return key
