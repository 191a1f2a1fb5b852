// Node's HTTP. Where an ES module imports it, Node 24 fills in all its exports, and for the one named WebSocket loads an undici
// of its own: 8 MB and 40 ms of every start.
export const { createServer, get } = process.getBuiltinModule("node:http");
