"""The nightly refresh: keeps a library of claims current, and tells what changed and why."""

from agent.refresh.explain import Explained, Match, explain
from agent.refresh.night import NightWish
from agent.refresh.nightly import refresh
from agent.refresh.plan import Due, NightPlan, plan_night

__all__ = ["Due", "Explained", "Match", "NightPlan", "NightWish", "explain", "plan_night", "refresh"]
