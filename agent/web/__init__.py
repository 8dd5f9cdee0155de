"""The web door: pages for people and a JSON API, over the same store, chat and actions as the command line."""
