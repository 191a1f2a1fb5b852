// One line of what --check found.
import type { Hazard } from "../hazards/hazard.ts";

export interface Finding {
  readonly area: "configuration" | "permissions" | "kernel" | "settings" | "addresses" | "API server";
  readonly subject: string;
  /** `failed`: the agent cannot do its work. `warning`: it can, with less. */
  readonly status: "ok" | "warning" | "failed";
  readonly detail: string;
  /** What to do; empty if nothing. */
  readonly hint: string;
}

export function warningOf(area: Finding["area"], { subject, message, hint }: Hazard): Finding {
  return { area, subject, status: "warning", detail: message, hint };
}

export function ok(area: Finding["area"], subject: string, detail: string): Finding {
  return { area, subject, status: "ok", detail, hint: "" };
}
