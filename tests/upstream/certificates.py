"""A certificate authority of the tests' own, made by the openssl command line tool."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True)
class Authority:
    folder: Path

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def server_context(self, host: str) -> ssl.SSLContext:
        """For a server whose certificate names `host` and nothing else."""
        certificate, key = self.folder / f"{host}.pem", self.folder / f"{host}.key"
        if not certificate.exists():
            self._issue(host, certificate, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    def _issue(self, host: str, certificate: Path, key: Path) -> None:
        _openssl(
            *("req", "-x509", *_NEW_KEY, "-keyout", key, "-out", certificate, "-days", "2"),
            *("-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-CA", self.ca_file, "-CAkey", self.folder / "ca.key"),
        )


def make_authority(folder: Path) -> Authority:
    _openssl(
        *("req", "-x509", *_NEW_KEY, "-keyout", folder / "ca.key", "-out", folder / "ca.pem"),
        *("-days", "2", "-subj", "/CN=Headway tests"),
    )
    return Authority(folder)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
