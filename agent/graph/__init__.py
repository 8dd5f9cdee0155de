"""The LangGraph agent that holds a claim."""
