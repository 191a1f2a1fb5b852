// Reflectors and an API server that misbehaves.
import type { ApiServer, Fault } from "../../../../fixtures/api-server/api-server.ts";
import { makeService, reflecting, type Setting, until } from "./reflecting.ts";

/** Services `a` and `b`. */
export const prepare = (server: ApiServer) => {
  server.apply(makeService("a", "10.96.0.1"), makeService("b", "10.96.0.2"));
};

/** The same from a server that misbehaves from the start. */
export const withFault =
  (fault: Fault, verb: "list" | "watch" = "watch", times = 1) =>
  (server: ApiServer) => {
    prepare(server);
    server.misbehave(fault, { verb, times });
  };

/** The reflector follows: what is applied now arrives. */
export async function follows({ server, known }: Setting): Promise<void> {
  server.apply(makeService("new", "10.96.0.9"));
  await until("the change is there", () => known().includes("new"));
  server.delete(makeService("new", ""));
  await until("it is gone again", () => !known().includes("new"));
}

/** What was asked for so far: `stream watch confirm list`. */
export const kinds = ({ server }: Setting) =>
  server.requests
    .map(({ verb, query }) => {
      if (query.get("sendInitialEvents") === "true") return "stream";
      return query.has("resourceVersionMatch") ? "confirm" : verb;
    })
    .join(" ");

/** Runs while a watch is open that has lived for 2 s; afterwards the reflector must follow again. */
export async function interrupted(
  run: (setting: Setting) => Promise<void>,
  options: Parameters<typeof reflecting>[0] = {},
): Promise<void> {
  await reflecting({ prepare, ...options }, async (setting) => {
    await setting.reflector.whenSynced;
    setting.clock.pass(2_000);
    await run(setting);
    await follows(setting);
  });
}
