"""Lua scripts under the gateway."""
