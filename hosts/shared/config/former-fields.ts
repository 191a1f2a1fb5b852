// Fields that v1alpha1 of KubeProxyConfiguration has had and has no more, with the first release that does not know them.
// Sources: config/v1alpha1/types.go of k8s.io/kube-proxy 0.15 to 0.37; for conntrack.max the flag that went with it
// (kubernetes/kubernetes#78399), for resourceContainer #78294.

export const formerFields: ReadonlyMap<string, string> = new Map([
  ["udpIdleTimeout", "1.26"],
  ["resourceContainer", "1.16"],
  ["conntrack.max", "1.15"],
]);
