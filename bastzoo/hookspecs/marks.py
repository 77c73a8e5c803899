"""The two marks of pluggy: what specifies a hook, and what implements one."""

from __future__ import annotations

import pluggy

hookspec = pluggy.HookspecMarker("bastzoo")
hookimpl = pluggy.HookimplMarker("bastzoo")
"""Marks a function of a plugin as the implementation of the hook that it is named after."""
