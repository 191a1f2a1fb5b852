// What is wrong with a Service's ports (Kubernetes 1.37: pkg/apis/core/validation).
import type { Causes } from "./causes.ts";
import { againstLabel, againstPortName, againstPortNumber, againstQualifiedName } from "./names.ts";
import type { ServicePort } from "./objects.ts";

const protocols = ["SCTP", "TCP", "UDP"];

/** Each port by itself, and the names of all. */
export function validateServicePorts(ports: readonly ServicePort[], causes: Causes): void {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const field = `spec.ports[${index}]`;
    const { name = "", port: number = 0, protocol = "", targetPort = 0, appProtocol } = port;
    if (name !== "") {
      causes.allInvalid(`${field}.name`, name, againstLabel(name));
      if (names.has(name)) causes.duplicate(`${field}.name`, name);
      names.add(name);
    } else if (ports.length > 1) {
      causes.required(`${field}.name`);
    }
    causes.allInvalid(`${field}.port`, number, againstPortNumber(number));
    if (!protocols.includes(protocol)) causes.notSupported(`${field}.protocol`, protocol, protocols);
    const reasons = typeof targetPort === "number" ? againstPortNumber(targetPort) : againstPortName(targetPort);
    causes.allInvalid(`${field}.targetPort`, targetPort, reasons);
    if (appProtocol !== undefined) {
      causes.allInvalid(`${field}.appProtocol`, appProtocol, againstQualifiedName(appProtocol));
    }
  }
}

/** Of one protocol, a node port may stand once, and so may a port. */
export function validateUniquePorts(ports: readonly ServicePort[], causes: Causes): void {
  const nodePorts = new Set<string>();
  for (const [index, { protocol, nodePort = 0 }] of ports.entries()) {
    const key = `${nodePort}/${protocol}`;
    if (nodePort !== 0 && nodePorts.has(key)) causes.duplicate(`spec.ports[${index}].nodePort`, nodePort);
    nodePorts.add(key);
  }
  const keys = new Set<string>();
  for (const [index, { protocol = "", port = 0 }] of ports.entries()) {
    const key = `${port}/${protocol}`;
    if (keys.has(key)) {
      // The server shows the key that it compares, a port of which nothing else is set.
      const shown = { Name: "", Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
      causes.duplicate(`spec.ports[${index}]`, shown);
    }
    keys.add(key);
  }
}
