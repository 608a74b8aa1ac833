"""Spin applications (`spin.toml`): read, checked, and turned into routes of ours.

Spin's manifest says which path patterns lead to which components and what each component may use.
Here that becomes one `Route` for each component, run by the same handlers as any other; what Spin
tells a component of a request is added to the request on its way. Facts come from Spin 4.1's
documentation and sources.
"""

from __future__ import annotations

from wsgi_wasm.spin.application import Application, load_application, load_applications, with_compositions

__all__ = ["Application", "load_application", "load_applications", "with_compositions"]
