// Which kubeconfig counts where none is named: the one that kubectl would read.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { UsageError } from "../exit-codes.ts";

/**
 * @returns "" if there is none, and this is a pod with a service account
 * @throws UsageError there is none at all, or $KUBECONFIG names several
 */
export function kubeconfigPath(
  option: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  home: string = homedir(),
): string {
  if (option !== undefined) return option;
  const named = (env.KUBECONFIG ?? "").split(delimiter).filter((path) => path !== "");
  // As kubectl does, which passes over those that are not there. It merges the others, and that is not done here.
  const [first, ...more] = named.filter((path) => existsSync(path));
  if (more.length > 0) {
    const hint = "name one by --kubeconfig; `kubectl config view --flatten --raw` makes one of them";
    throw new UsageError("$KUBECONFIG names several files", hint);
  }
  if (first !== undefined) return first;
  if (named[0] !== undefined) throw new UsageError(`$KUBECONFIG: there is no ${named[0]}`, "check the path");
  const usual = join(home, ".kube", "config");
  if (existsSync(usual)) return usual;
  if ((env.KUBERNETES_SERVICE_HOST ?? "") !== "") return "";
  throw new UsageError(`there is no kubeconfig at ${usual}`, "name one: --kubeconfig FILE");
}
