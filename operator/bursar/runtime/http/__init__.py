"""The one HTTP server: metrics, probes and the read API."""

from bursar.runtime.http.routes import PREFIX, ROUTES, Pages, Question, Route, Scope
from bursar.runtime.http.server import Probes, application, serve

__all__ = [
    "PREFIX",
    "ROUTES",
    "Pages",
    "Probes",
    "Question",
    "Route",
    "Scope",
    "application",
    "serve",
]
