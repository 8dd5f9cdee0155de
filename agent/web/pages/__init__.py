"""The pages. Handlers are plain functions; `agent.web.door` has what they are handed, `agent.web.render` draws."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
