// The files of undici that undici.ts loads by their paths. Their types are those of its index.
declare module "undici/lib/api/index.js" {
  import type { Dispatcher } from "undici";

  const methods: Pick<Dispatcher, "request" | "stream" | "pipeline" | "upgrade" | "connect">;
  export default methods;
}
declare module "undici/lib/dispatcher/dispatcher.js" {
  export { Dispatcher as default } from "undici";
}
declare module "undici/lib/dispatcher/agent.js" {
  export { Agent as default } from "undici";
}
declare module "undici/lib/dispatcher/proxy-agent.js" {
  export { ProxyAgent as default } from "undici";
}
