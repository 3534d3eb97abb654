"""The Model Context Protocol: every capability is a tool for hosts, and other servers' tools are capabilities here.

Needs the ``pea[mcp]`` extra, which is imported when the first host connects or a server is mounted.
"""

from pea.mcp.tools import Tool, Toolbox

__all__ = ["Tool", "Toolbox"]
