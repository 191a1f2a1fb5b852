// The health server: /healthz for cloud load balancers, /livez and /readyz for the kubelet.
import type { HealthState } from "./health-state.ts";
import { type Answer, send, sendNotFound, targetOf } from "./limited-server.ts";
import { HttpListener, type ListenerOptions } from "./listener.ts";

export interface HealthServerOptions extends ListenerOptions {
  /** kube-proxy counts the answers of these two. */
  readonly onProbe?: (path: "healthz" | "livez", code: number) => void;
}

export function healthServer(state: HealthState, options: HealthServerOptions): HttpListener {
  const answer: Answer = (request, response) => {
    const { path } = targetOf(request);
    const name = path.slice(1);
    if (name !== "healthz" && name !== "livez" && name !== "readyz") return sendNotFound(response);
    const { code, body } = state[name]();
    if (name !== "readyz") options.onProbe?.(name, code);
    send(response, code, "application/json", body);
  };
  return new HttpListener("the health server", answer, options);
}
