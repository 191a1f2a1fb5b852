// The metrics server: /metrics, /healthz, /proxyMode, /configz, /flagz, /statusz. Plain HTTP without authentication, as kube-proxy's is,
// and so on loopback unless the configuration says otherwise.
import type { Mode } from "../../shared/contract.ts";
import { type Answer, send, sendNotFound, sendText, targetOf } from "./limited-server.ts";
import { HttpListener, type ListenerOptions } from "./listener.ts";
import { flagz, type Status, statusz } from "./status-pages.ts";

export interface MetricsPages {
  readonly mode: Mode;
  readonly metrics: { text(): Promise<string>; readonly contentType: string };
  /** The effective KubeProxyConfiguration as an object; without secrets. */
  config(): unknown;
  /** Of the command line, with their values; without secrets. */
  readonly flags: ReadonlyMap<string, string>;
  readonly status: Omit<Status, "paths" | "nowMs">;
}

const PATHS = ["/configz", "/flagz", "/healthz", "/metrics", "/proxyMode"];

export function metricsServer(pages: MetricsPages, options: ListenerOptions): HttpListener {
  let scrape: Promise<string> | undefined; // many who ask at once get one text
  const metricsText = () => {
    scrape ??= pages.metrics.text().finally(() => {
      scrape = undefined;
    });
    return scrape;
  };
  const answer: Answer = async (request, response) => {
    const { path, query } = targetOf(request);
    switch (path) {
      case "/metrics":
        return send(response, 200, pages.metrics.contentType, await metricsText());
      case "/healthz":
      case "/healthz/ping":
        return sendText(response, 200, query.has("verbose") ? "[+]ping ok\nhealthz check passed\n" : "ok");
      case "/proxyMode":
        return sendText(response, 200, pages.mode);
      case "/configz":
        return send(response, 200, "application/json", JSON.stringify({ "kubeproxy.config.k8s.io": pages.config() }));
      case "/flagz":
        return sendText(response, 200, flagz(pages.flags));
      case "/statusz":
        return sendText(response, 200, statusz({ ...pages.status, nowMs: Date.now(), paths: PATHS }));
      default:
        return sendNotFound(response);
    }
  };
  return new HttpListener("the metrics server", answer, options);
}
