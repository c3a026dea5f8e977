"""The injection template, rendered by Istio's own injector."""
