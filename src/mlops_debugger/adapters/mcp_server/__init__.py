"""The environment as an MCP server: a tool per action, an episode per MCP session. Needs neither OpenEnv nor torch.

serve_stdio(...)          one client, over standard input and output: `mlops-debugger mcp`
mount_mcp(app, ...)       many clients, streamable HTTP at /mcp of a running server

Not named mcp: a folder of adapters on `sys.path` must not hide the package of that name.
"""

from mlops_debugger.adapters.mcp_server.http import is_mcp, mount_mcp
from mlops_debugger.adapters.mcp_server.seats import Hall, Start
from mlops_debugger.adapters.mcp_server.server import create_mcp_server
from mlops_debugger.adapters.mcp_server.stdio import serve_stdio

__all__ = ["Hall", "Start", "create_mcp_server", "is_mcp", "mount_mcp", "serve_stdio"]
