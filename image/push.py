"""Putting the images into a registry, and making sure that they arrived as they are."""

from collections.abc import Callable

from .arguments import Options
from .content import digest_of
from .fault import Fault
from .images import PLUGIN, Image
from .reference import Reference
from .skopeo import Skopeo


def push(options: Options, images: list[Image], warn: Callable[[str], None]) -> list[str]:
    """Pushes all, and returns the lines that say what to write where. Nothing is pushed to a registry that cannot be asked."""
    skopeo = Skopeo(options.registry)
    targets = [(image, _target(options.push, image.name, options.tag)) for image in images]
    before = {image.name: skopeo.find_manifest(target) for image, target in targets}
    lines = []
    for image, target in targets:
        known = before[image.name]
        if known is not None and digest_of(known) != image.top.digest:
            warn(
                f"warning: {target} moves: it was {digest_of(known)}. Who has pulled it keeps that one, others get the new one: "
                "pin digests, or push under a new tag"
            )
        skopeo.upload(options.output / image.name, options.tag, target)
        _check(skopeo, image, target)
        state = "was there already" if known == image.top.data else "pushed"
        lines += [
            f"{target} {state}: {', '.join(image.platforms)}",
            f"  digest  {image.top.digest}",
            f"  {_usage(image, target)}",
        ]
    return lines


def _check(skopeo: Skopeo, image: Image, target: Reference) -> None:
    """A registry or something before it that rewrites manifests would make every pinned pull fail."""
    arrived = digest_of(skopeo.manifest(target))
    if arrived != image.top.digest:
        raise Fault(
            f"{target} arrived as {arrived} and not as {image.top.digest}: the registry changes manifests, so it cannot be used"
        )


def _usage(image: Image, target: Reference) -> str:
    pinned = target.at(image.top.digest)
    return f"url: oci://{pinned}" if image.name == PLUGIN else f"image: {pinned}"


def _target(prefix: str, name: str, tag: str) -> Reference:
    registry, _, path = prefix.partition("/")
    return Reference(registry, f"{path}/{name}" if path else name, tag)
