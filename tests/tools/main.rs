//! The tools from outside: the task tools, the registry's bounds, and the MCP service over a
//! socket.

#![expect(clippy::unwrap_used, reason = "a failure is what a test is for")]

mod display;
mod mcp;
mod mcp_client;
mod memory_store;
mod registry;
mod scripted_tool;
mod task_tools;
mod test_server;
mod tool_server;
