// oom_score_adj: the kernel should not kill first the process that every Service on this node depends on.
import { ensureSetting, type Machine, type Setting } from "./setting.ts";

export function applyOomScore(oomScoreAdj: number, machine: Machine): Promise<Setting> {
  return ensureSetting(machine, {
    name: "oom_score_adj",
    path: "/proc/self/oom_score_adj",
    wanted: oomScoreAdj,
    hint: "less than before needs CAP_SYS_RESOURCE; or let the service manager set it (OOMScoreAdjust=)",
  });
}
