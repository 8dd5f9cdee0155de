"""Answers about what is held, each finding with the evidence that it rests on; with a model or without one.

`answer.ask` gives one answer and is what `retest ask`, the conversation, the web page and the MCP server call.
`graph` is the conversation with its history and its two actions.
"""
