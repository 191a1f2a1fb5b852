// What the agent needs of undici. Its index also loads fetch, WebSocket, caches and mocks, which was half of what every start
// paid for it: 6 MB and 45 ms.
import methods from "undici/lib/api/index.js";
import Agent from "undici/lib/dispatcher/agent.js";
import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
import ProxyAgent from "undici/lib/dispatcher/proxy-agent.js";

// As the index does.
Object.assign(Dispatcher.prototype, methods);

export { Agent, type Dispatcher, ProxyAgent };
