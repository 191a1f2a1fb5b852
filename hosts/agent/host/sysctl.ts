// sysctls by their dotted names.
import { ensureSetting, type Machine, readSetting, type Setting, type Wish } from "./setting.ts";

/** `net.ipv4.ip_forward`. Not for names with an interface in them, which may have dots. */
function sysctlPath(name: string): string {
  return `/proc/sys/${name.replaceAll(".", "/")}`;
}

export function ensureSysctl(machine: Machine, wish: Omit<Wish, "path">): Promise<Setting> {
  return ensureSetting(machine, { ...wish, path: sysctlPath(wish.name) });
}

export function readSysctl(machine: Machine, name: string): Promise<number | undefined> {
  return readSetting(machine, sysctlPath(name));
}
