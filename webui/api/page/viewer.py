"""Who looks at the page, and which jobs are theirs to see and to stop."""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

from webui.api.parts import Parts
from webui.domain.visitor import owner_of, user_in
from webui.jobs.job import AnyJob

NO_JOB = "there is no job of that id"


@dataclass(frozen=True, slots=True)
class Viewer:
    """One who looks at jobs.

    Where nobody logs in, and where only one can, everybody sees every job and may do with it what the list offers; on
    a server that several log in to, each sees their own.

    Attributes:
        owner: of the viewer's own jobs; "" where nobody can tell.
        sees_all: whether the viewer sees the jobs of others.
    """

    owner: str
    sees_all: bool = True

    def sees(self, owner: str) -> bool:
        """Whether jobs of that owner are shown."""
        return self.sees_all or owner == self.owner

    def owns(self, owner: str) -> bool:
        """Whether jobs of that owner are the viewer's own."""
        return bool(owner) and owner == self.owner

    @property
    def only(self) -> str | None:
        """The one owner whose jobs the viewer sees; None: all of them."""
        return None if self.sees_all else self.owner


def viewer_of(parts: Parts, request: Request) -> Viewer:
    """Who has sent a request."""
    return Viewer(owner_of(request), not (user_in(request.scope) and parts.is_shared))


def listed_job(parts: Parts, viewer: Viewer, job_id: str) -> AnyJob:
    """A job in memory that the viewer sees. Raises HTTPException (404)."""
    job = parts.engine.overview.find(job_id)
    if job is None or not viewer.sees(job.owner):
        raise HTTPException(404, NO_JOB)
    return job
