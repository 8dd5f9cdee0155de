"""The pages. Handlers are plain functions; `agent.web.door` has what they are handed, `agent.web.render` draws."""

from fastapi import APIRouter

from agent.web.pages import act, chat, claim, digests, experiments, imports, judge, library, live, papers

router = APIRouter(include_in_schema=False)
for _part in (library, claim, act, judge, papers, experiments, live, digests, chat, imports):
    router.include_router(_part.router)
