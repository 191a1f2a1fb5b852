// Every field of KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1, as of Kubernetes 1.37.

/** What Go's decoder accepts for a field. `duration`: text such as 30s; some fields also take nanoseconds. */
export type FieldType =
  | "string"
  | "bool"
  | "int32"
  | "uint32"
  | "float"
  | "duration"
  | "durationOrNumber"
  | "quantity"
  | { list: FieldType }
  | { map: FieldType }
  | { fields: Fields };

export type Fields = { readonly [name: string]: FieldType };

export const configFields: Fields = {
  apiVersion: "string",
  kind: "string",
  featureGates: { map: "bool" },
  clientConnection: {
    fields: {
      kubeconfig: "string",
      acceptContentTypes: "string",
      contentType: "string",
      qps: "float",
      burst: "int32",
    },
  },
  logging: {
    fields: {
      format: "string",
      flushFrequency: "durationOrNumber",
      verbosity: "uint32",
      vmodule: { list: { fields: { filePattern: "string", verbosity: "uint32" } } },
      options: {
        fields: {
          text: { fields: { splitStream: "bool", infoBufferSize: "quantity" } },
          json: { fields: { splitStream: "bool", infoBufferSize: "quantity" } },
        },
      },
    },
  },
  hostnameOverride: "string",
  bindAddress: "string",
  healthzBindAddress: "string",
  metricsBindAddress: "string",
  bindAddressHardFail: "bool",
  enableProfiling: "bool",
  showHiddenMetricsForVersion: "string",
  mode: "string",
  iptables: {
    fields: {
      masqueradeBit: "int32",
      masqueradeAll: "bool",
      localhostNodePorts: "bool",
      syncPeriod: "duration",
      minSyncPeriod: "duration",
    },
  },
  ipvs: {
    fields: {
      syncPeriod: "duration",
      minSyncPeriod: "duration",
      scheduler: "string",
      excludeCIDRs: { list: "string" },
      strictARP: "bool",
      tcpTimeout: "duration",
      tcpFinTimeout: "duration",
      udpTimeout: "duration",
    },
  },
  nftables: {
    fields: {
      masqueradeBit: "int32",
      masqueradeAll: "bool",
      syncPeriod: "duration",
      minSyncPeriod: "duration",
    },
  },
  winkernel: {
    fields: {
      networkName: "string",
      sourceVip: "string",
      enableDSR: "bool",
      rootHnsEndpointName: "string",
      forwardHealthCheckVip: "bool",
    },
  },
  detectLocalMode: "string",
  detectLocal: { fields: { bridgeInterface: "string", interfaceNamePrefix: "string" } },
  clusterCIDR: "string",
  nodePortAddresses: { list: "string" },
  oomScoreAdj: "int32",
  conntrack: {
    fields: {
      maxPerCore: "int32",
      min: "int32",
      tcpEstablishedTimeout: "duration",
      tcpCloseWaitTimeout: "duration",
      tcpBeLiberal: "bool",
      udpTimeout: "duration",
      udpStreamTimeout: "duration",
    },
  },
  configSyncPeriod: "duration",
  portRange: "string",
  windowsRunAsService: "bool",
};
