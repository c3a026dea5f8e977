"""The releases of Istio that the manifests are checked against: for each its Go module istio.io/api and the checksum.

To add one: `go mod download -json istio.io/api@v1.31.1` prints `Sum`. The module proxy has no older one than the oldest here.
"""

ISTIO = {
    "1.20.0": "h1:heE1eQoMsuZlwWOf7Xm8TKqKLNKVs11G/zMe5QyR1u4=",
    "1.22.0": "h1:CdMUHgN/OfQK9ojj6lCjxlJSuUe0vD0ZAvoCcoBfn20=",
    "1.24.0": "h1:KH1Xxha9HAFekQILzdHpRF9AB4RY13/Sdi3rmHQWoQI=",
    "1.26.0": "h1:hYWzFonwfimFkzp3P4iKJ0bCyenIoYvEIOXrLi74tjg=",
    "1.29.6": "h1:O7xvL89MJut2Lho0L27XDeB+WO8eb8seyDd9+zjaVGc=",
    "1.30.3": "h1:pPSa0uah/t7CEuwacS4rw5qK/oHGvxC0WO8i4RRGwEU=",
    "1.31.1": "h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk=",
}
NEWEST = "1.31.1"


def has_traffic_extension(version: str) -> bool:
    """Whether that release has the kind."""
    return int(version.split(".")[1]) >= 30
