"""The services: each a class, one file or, when large, one package; the same under every kernel."""
