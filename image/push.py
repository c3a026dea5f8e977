"""Pushing the images into a registry, and making sure that they arrive unchanged."""

import shutil
from collections.abc import Callable

from .arguments import Options
from .content import digest_of
from .fault import Fault
from .images import AGENT, PLUGIN, Image
from .ping import ping_for_push
from .reference import Reference
from .skopeo import Skopeo


def check_registry(options: Options) -> None:
    """Raises a `Fault` if the push cannot succeed. It takes a moment; building what is pushed takes minutes."""
    targets = [_target(options.push, name, options.tag) for name in (PLUGIN, AGENT)]
    answer = ping_for_push(targets[0].registry, options.registry)
    # build.sh installs skopeo after the first call of this; the second call, before the push, always has it.
    if answer.challenges and shutil.which("skopeo") is not None:
        Skopeo(options.registry).check_login(targets[0])


def push(options: Options, images: list[Image], warn: Callable[[str], None]) -> list[str]:
    """Pushes all images, and returns the lines that say what to write where."""
    skopeo = Skopeo(options.registry)
    targets = [(image, _target(options.push, image.name, options.tag)) for image in images]
    before = {image.name: skopeo.find_manifest(target) for image, target in targets}
    lines = []
    for image, target in targets:
        known = before[image.name]
        if known is not None and digest_of(known) != image.top.digest:
            warn(
                f"warning: the tag {target} moves from {digest_of(known)} to the new image. Nodes and proxies that have pulled "
                "the old image keep it, others get the new one: use digests, or push under a new tag"
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
    """A registry, or a proxy before it, that rewrites manifests would make every pull by digest fail."""
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
