// Which port of a pod a Service's port leads to (component-helpers, FindPort of podutil; endpointslice, getEndpointPorts).
import { type Fields, fieldsOf, listOf, textOf } from "../manifests/objects.ts";
import { isWholeNumber } from "./objects.ts";

/** A slice's port, as the controller writes it. */
export interface EndpointPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  readonly appProtocol?: string;
}

export interface ResolvedPorts {
  readonly ports: readonly EndpointPort[];
  /** Indices of the Service's ports whose name no container of the pod has. */
  readonly missing: readonly number[];
}

/** @param pod a pod's spec */
export function resolvePorts(service: Fields, pod: Fields): ResolvedPorts {
  const ports: EndpointPort[] = [];
  const missing: number[] = [];
  for (const [index, port] of listOf(service.ports).map(fieldsOf).entries()) {
    const number = targetPort(port, pod);
    if (number === undefined) {
      missing.push(index);
      continue;
    }
    const appProtocol = textOf(port.appProtocol);
    ports.push({
      name: textOf(port.name),
      protocol: protocolOf(port),
      port: number,
      ...(appProtocol === "" ? {} : { appProtocol }),
    });
  }
  return { ports, missing };
}

function protocolOf(port: Fields): string {
  return textOf(port.protocol) || "TCP";
}

function targetPort(port: Fields, pod: Fields): number | undefined {
  // Without one, and with 0, it is the Service's own.
  const wanted = port.targetPort || port.port;
  if (isWholeNumber(wanted)) return wanted;
  const name = textOf(wanted);
  const protocol = protocolOf(port);
  for (const container of runningContainers(pod)) {
    const found = listOf(container.ports)
      .map(fieldsOf)
      .find((each) => each.name === name && protocolOf(each) === protocol);
    if (found !== undefined) return isWholeNumber(found.containerPort) ? found.containerPort : undefined;
  }
  return undefined;
}

/** Containers, and init containers that go on running beside them (sidecars). */
function runningContainers(pod: Fields): Fields[] {
  const sidecars = listOf(pod.initContainers)
    .map(fieldsOf)
    .filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...listOf(pod.containers).map(fieldsOf), ...sidecars];
}

/** Names of ports that a pod has, as `http/TCP`, for messages. */
export function portNames(pod: Fields): string[] {
  return runningContainers(pod)
    .flatMap((container) => listOf(container.ports).map(fieldsOf))
    .filter(({ name }) => textOf(name) !== "")
    .map((port) => `${textOf(port.name)}/${protocolOf(port)}`);
}
