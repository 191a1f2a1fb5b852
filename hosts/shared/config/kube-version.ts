// The version of Kubernetes that defaults depend on: the API server's, or the one that `--kube-version` names.

export interface KubeVersion {
  readonly major: number;
  readonly minor: number;
}

/** The newest release whose kube-proxy the rules have been compared with. */
export const defaultKubeVersion: KubeVersion = { major: 1, minor: 37 };

/** `1.37`, `v1.38.0-beta.0`, `1.38+`; undefined: it is no version. */
export function parseKubeVersion(text: string): KubeVersion | undefined {
  const [, major, minor] = /^v?(\d{1,3})\.(\d{1,4})(?:[.+-][0-9A-Za-z.+-]*)?$/.exec(text.trim()) ?? [];
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

export function kubeVersionText({ major, minor }: KubeVersion): string {
  return `${major}.${minor}`;
}

export function isAtLeast(version: KubeVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}
