// Node's HTTP, by require(). With an ES import Node 24 evaluates all exports. For the one named WebSocket it loads an undici of
// its own, which costs 8 MB and 40 ms of every start.
export const { createServer, get } = process.getBuiltinModule("node:http");
