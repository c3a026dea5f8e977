"""Istio's own injector adds the agent: a template in its ConfigMap, as a Helm upgrade of istiod puts it there."""

from typing import Any

from ..errors import Refused, RunError
from ..shape import AGENT
from . import template
from .way import Way

Json = dict[str, Any]

_NAMESPACE = "istio-system"
_CONFIG_MAP = "istio-sidecar-injector"
_CONFLICT = 409
_TRIES = 3
# What the template calls each source of the filter that is mounted into istio-proxy.
_MOUNTED = {"configMap": "configMap", "imageVolume": "image"}


class Injector(Way):
    """The injector of the cluster's Istio, or of the revision that the options name."""

    title = "Istio's injector"
    rights = (("get", "", "configmaps"), ("patch", "", "configmaps"))
    rights_in = _NAMESPACE
    # The ConfigMap as it was found, and the configuration that this run has made of it.
    _before: Json | None = None
    _ours = ""

    def install(self) -> None:
        """Adds the template, or takes the place of one that an earlier run has left."""
        found = self._config_map()
        config = found["data"]["config"]
        owner = owner_of(config)
        if owner and self.site.kube.read("Namespace", "", owner) is None:
            config = without_template(config)
        else:
            self._before = found
        self._ours = with_template(config, self._template())
        self._change(found, self._ours)

    def take_away(self) -> None:
        """Removes the template, and leaves everything else as it is."""
        for _ in range(_TRIES):
            found = self._config_map()
            if owner_of(found["data"]["config"]) != self.site.namespace:
                return
            try:
                self._restore(found)
            except Refused as refused:
                # Somebody else has changed it in this moment.
                if refused.status != _CONFLICT:
                    raise
            else:
                return
        raise RunError(f"the template {AGENT} is still in ConfigMap {_NAMESPACE}/{self._name}; please remove it")

    def _restore(self, found: Json) -> None:
        """If only this run has changed the ConfigMap, its text is the one from before, and so are the owners of its fields.

        With another owner of this field the next `helm upgrade` of istiod would end with a conflict.
        """
        config = found["data"]["config"]
        if self._before is None or config != self._ours:
            self._change(found, without_template(config))
            return
        changed = self._change(found, self._before["data"]["config"])
        version = changed["metadata"]["resourceVersion"]
        self._merge({"metadata": {"resourceVersion": version, "managedFields": self._before["metadata"]["managedFields"]}})

    def opt_out(self, namespace: str) -> None:
        """A ProxyConfig, which the owner of a namespace may create."""
        body = {
            "apiVersion": "networking.istio.io/v1beta1",
            "kind": "ProxyConfig",
            "metadata": {"name": AGENT},
            "spec": {"environmentVariables": {"EXEUNT_DRAIN": "off"}},
        }
        self.site.kube.create(namespace, body)

    @property
    def _name(self) -> str:
        revision = self.site.options.revision
        return f"{_CONFIG_MAP}-{revision}" if revision else _CONFIG_MAP

    def _template(self) -> str:
        options = self.site.options
        mounted = _MOUNTED.get(options.source)
        told = {"image": options.agent_image, **({"module": mounted} if mounted else {})}
        return template.for_namespaces(self.site.namespace, self.images, told)

    def _config_map(self) -> Json:
        found = self.site.kube.read("ConfigMap", _NAMESPACE, self._name)
        if found is None:
            raise RunError(f"there is no ConfigMap {_NAMESPACE}/{self._name}; for an Istio with revisions, use --revision NAME")
        return found

    def _change(self, found: Json, config: str) -> Json:
        """Changes the configuration, if nobody else has changed it since."""
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        return self._merge({"metadata": version, "data": {"config": config}})

    def _merge(self, body: Json) -> Json:
        return self.site.kube.merge("ConfigMap", _NAMESPACE, self._name, body)


def owner_of(config: str) -> str:
    """The namespace of the run whose template is in the injector's configuration; empty if there is none of a run."""
    return template.run_of((_load(config).get("templates") or {}).get(AGENT, ""))


def with_template(config: str, text: str) -> str:
    """The injector's configuration with the template, as one of those that every pod gets."""
    loaded = _load(config)
    templates = loaded.get("templates") or {}
    if AGENT in templates:
        raise RunError(
            f"Istio's injector has a template {AGENT} already, so this run would test that one: remove it first, or wait for the "
            "end of the other run"
        )
    loaded["templates"] = templates | {AGENT: text}
    loaded["defaultTemplates"] = [*(loaded.get("defaultTemplates") or ["sidecar"]), AGENT]
    return _dump(loaded)


def without_template(config: str) -> str:
    """The injector's configuration without it."""
    loaded = _load(config)
    loaded["templates"].pop(AGENT)
    loaded["defaultTemplates"] = [name for name in loaded["defaultTemplates"] if name != AGENT]
    return _dump(loaded)


def _load(config: str) -> Json:
    # The Kubernetes client brings this package. Without a cluster the program works without both.
    import yaml

    loaded: Json = yaml.safe_load(config)
    return loaded


def _dump(config: Json) -> str:
    import yaml

    return str(yaml.safe_dump(config))
