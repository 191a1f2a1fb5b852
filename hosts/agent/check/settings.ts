// Which kernel settings would be written, and whether they can.
import type { AgentConfig } from "../config/agent-config.ts";
import { applySettings } from "../host/apply.ts";
import type { Machine } from "../host/setting.ts";
import { mayLowerOomScore } from "./capabilities.ts";
import { type Finding, ok } from "./finding.ts";

export async function checkSettings(config: AgentConfig, machine: Machine): Promise<Finding[]> {
  const settings = await applySettings(config, { ...machine, readOnly: true });
  const mayLower = await mayLowerOomScore(machine);
  return settings.map(({ name, wanted, found, action, reason, hint }): Finding => {
    const area = "settings";
    // The file can be written by everybody; the kernel looks at the value.
    if (name === "oom_score_adj" && action === "to be written" && wanted < (found ?? 0) && mayLower === false) {
      const detail = `is ${found}, and less needs CAP_SYS_RESOURCE`;
      return { area, subject: name, status: "warning", detail, hint: "let the service manager or kubelet set it" };
    }
    if (action === "kept") return ok(area, name, found === wanted ? `is ${found}` : `is ${found}, ${wanted} is enough`);
    if (action === "to be written") return ok(area, name, `is ${found}, can be set to ${wanted}`);
    const is = found === undefined ? "" : `is ${found}; `;
    return { area, subject: name, status: "warning", detail: `${is}${wanted} is wanted: ${action} (${reason})`, hint };
  });
}
