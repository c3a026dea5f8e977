"""A real registry: Debian's docker-registry on a loopback port, with or without TLS, with or without a password."""

import base64
import hashlib
import http.client
import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .child import Child
from .paths import Missing
from .ports import Ports
from .wait import until

PROGRAM = "docker-registry"
USER, PASSWORD = "captain", "aye"
# The registry sends an OCI manifest only to a client that names this media type.
_MANIFESTS = ", ".join(f"application/vnd.{kind}+json" for kind in ("oci.image.manifest.v1", "docker.distribution.manifest.v2"))
# The output of htpasswd -B for that password; the registry accepts only bcrypt.
_HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuuwd/d6pAXJMzbiGNRB5rHv/GphOPC/6a\n"


@dataclass(frozen=True)
class Authority:
    """A self-signed certificate for 127.0.0.1; a client trusts it only with the file `certificate`."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Makes a certificate. An elliptic-curve key takes a few milliseconds."""
        certificate, key = folder / "ca.crt", folder / "ca.key"
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        argv += [
            "-subj",
            "/CN=exeunt test",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ]
        subprocess.run(argv, check=True, capture_output=True)
        return cls(certificate, key)


class Registry:
    """Runs until the end of its `with` block; the pushed images are in `folder`."""

    def __init__(self, folder: Path, *, authority: Authority | None = None, realm: str = "") -> None:
        """Prepares the registry; with a `realm` it requires `USER` and `PASSWORD` by Basic authentication."""
        if shutil.which(PROGRAM) is None:
            raise Missing(f"{PROGRAM} is missing: as root, apt-get install {PROGRAM}")
        self._folder = folder
        self._ports = Ports()
        self._authority = authority
        self._realm = realm
        self.name = f"127.0.0.1:{self._ports.numbers[0]}"
        self._child: Child | None = None

    def __enter__(self) -> Self:
        configuration = self._folder / "registry.json"
        # The registry reads YAML, and JSON is YAML.
        configuration.write_text(json.dumps(self._configuration()))
        self._child = Child([PROGRAM, "serve", configuration], self._folder / "registry.log", reports=False)
        until(f"{PROGRAM} answers on {self.name}", self._answers)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._child is not None:
            self._child.stop()
        self._ports.release()

    def put(self, repository: str, tag: str, manifest: dict[str, Any], blobs: Iterable[bytes]) -> str:
        """Stores a manifest with its blobs and returns its digest; only for a registry without TLS and password."""
        base = f"http://{self.name}/v2/{repository}"
        for blob in blobs:
            with self._send("POST", f"{base}/blobs/uploads/", b"") as started:
                location = started.headers["Location"]
            self._send("PUT", f"{location}{'&' if '?' in location else '?'}digest={_digest(blob)}", blob).close()
        data = json.dumps(manifest).encode()
        self._send("PUT", f"{base}/manifests/{tag}", data, manifest["mediaType"]).close()
        return _digest(data)

    def manifest(self, repository: str, tag: str) -> bytes:
        """A stored manifest, byte for byte."""
        request = urllib.request.Request(f"http://{self.name}/v2/{repository}/manifests/{tag}", headers={"Accept": _MANIFESTS})
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            data: bytes = response.read()
        return data

    @staticmethod
    def _send(method: str, url: str, data: bytes, media_type: str = "application/octet-stream") -> http.client.HTTPResponse:
        request = urllib.request.Request(url, data, {"Content-Type": media_type}, method=method)  # noqa: S310
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=10)  # noqa: S310
        return response

    def auth_file(self, folder: Path, password: str = PASSWORD) -> Path:
        """Writes the credentials to config.json, as `docker login` does."""
        path = folder / "config.json"
        credentials = base64.b64encode(f"{USER}:{password}".encode()).decode()
        path.write_text(json.dumps({"auths": {self.name: {"auth": credentials}}}))
        return path

    def _configuration(self) -> dict[str, object]:
        listener: dict[str, object] = {"addr": self.name}
        if self._authority is not None:
            listener["tls"] = {"certificate": str(self._authority.certificate), "key": str(self._authority.key)}
        more: dict[str, object] = {}
        if self._realm:
            path = self._folder / "htpasswd"
            path.write_text(_HTPASSWD)
            more["auth"] = {"htpasswd": {"realm": self._realm, "path": str(path)}}
        storage = {"filesystem": {"rootdirectory": str(self._folder / "registry")}}
        return {"version": 0.1, "log": {"level": "info"}, "storage": storage, "http": listener, **more}

    def _answers(self) -> bool:
        assert self._child is not None
        assert self._child.running, self._child.describe()
        trust = ssl.create_default_context(cafile=str(self._authority.certificate)) if self._authority is not None else None
        scheme = "http" if trust is None else "https"
        try:
            urllib.request.urlopen(f"{scheme}://{self.name}/v2/", timeout=5, context=trust).close()  # noqa: S310
        except urllib.error.HTTPError:
            # 401: the registry asks for the password.
            return True
        except OSError:
            return False
        return True


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
