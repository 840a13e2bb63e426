"""The one HTTP server: metrics, probes and the read API."""

from bursar.runtime.answers.routes import PREFIX, ROUTES, Attachment, Pages, Question, Route, Scope
from bursar.runtime.http.server import Probes, application, serve
from bursar.runtime.http.standby import standby

__all__ = [
    "PREFIX",
    "ROUTES",
    "Attachment",
    "Pages",
    "Probes",
    "Question",
    "Route",
    "Scope",
    "application",
    "serve",
    "standby",
]
