// Reads Services (v1) into ServiceRecords.
import { Severity } from "../abi/problems";
import { sizeOf } from "../bytes/sizes";
import { PortRecord, ServiceFlag, ServiceRecord, ServiceType } from "../cluster/records";
import { deleteService, keepService, storeService } from "../cluster/store";
import {
  chooseClusterIPs,
  clearClusterIPs,
  clusterIPv4,
  clusterIPv4Index,
  clusterIPv6,
  clusterIPv6Index,
  hasClusterIPv4,
  hasClusterIPv6,
  Lack,
  readClusterIP,
  readClusterIPs,
  readIPFamilies,
  releaseClusterIPs,
  saysNone,
} from "./cluster-ips";
import { readOtherMember } from "./identity";
import {
  checkNames,
  creationTimestamp,
  hasProxyName,
  isDNS,
  namespaceText,
  nameText,
  readMetadata,
  resetMetadata,
} from "./metadata";
import { accepted, Outcome } from "./outcome";
import { portNamesSize } from "./port-items";
import { dropObjectProblems, literalProblem, numberProblem, objectErrors, objectStart, valueProblem } from "./report";
import { enterObject, moreMembers, readKey, stringAt, stringIs, stringLength, valueAt } from "./scanner";
import { recordRoom } from "./scratch";
import {
  addressCount,
  checkServiceAddresses,
  clearSpecAddresses,
  clearStatusAddresses,
  externalIPCount,
  rangeCount,
  readExternalIPs,
  readServiceStatus,
  readSourceRanges,
  releaseServiceAddresses,
  serviceAddressesSize,
  writeServiceAddresses,
} from "./service-addresses";
import {
  clearServicePorts,
  countServicePorts,
  readServicePorts,
  releaseServicePorts,
  writeServicePorts,
} from "./service-ports";
import { skipValue } from "./skip";
import { integer, integerAt, openObject, readInteger, readText } from "./values";

/** API default of sessionAffinityConfig.clientIP.timeoutSeconds: three hours. */
const DEFAULT_TIMEOUT: i32 = 10800;

const SERVICE_SIZE: usize = offsetof<ServiceRecord>();
const PORT_SIZE: usize = offsetof<PortRecord>();

let type: u8 = ServiceType.CLUSTER_IP;
let isClientIP: bool = false;
let timeout: i32 = DEFAULT_TIMEOUT;
let timeoutAt: usize = 0;
let isExternalPolicyLocal: bool = false;
let isInternalPolicyLocal: bool = false;
let healthCheckNodePort: i32 = 0;
/** Why the Service that was committed last has none. */
export let clusterIPLack: u32 = Lack.NONE;

export function releaseServices(): void {
  releaseServicePorts();
  releaseServiceAddresses();
  releaseClusterIPs();
}

function resetSpec(): void {
  type = ServiceType.CLUSTER_IP;
  isClientIP = false;
  timeout = DEFAULT_TIMEOUT;
  isExternalPolicyLocal = false;
  isInternalPolicyLocal = false;
  healthCheckNodePort = 0;
  clearClusterIPs();
  clearServicePorts();
  clearSpecAddresses();
}

function readType(): u8 {
  if (!readText() || stringLength == 0 || stringIs("ClusterIP")) return ServiceType.CLUSTER_IP;
  if (stringIs("NodePort")) return ServiceType.NODE_PORT;
  if (stringIs("LoadBalancer")) return ServiceType.LOAD_BALANCER;
  if (stringIs("ExternalName")) return ServiceType.EXTERNAL_NAME;
  valueProblem(
    Severity.ERROR,
    "invalid-type",
    valueAt,
    stringAt,
    stringLength,
    " is no type of Service",
    "write ClusterIP, NodePort, LoadBalancer or ExternalName",
  );
  return ServiceType.CLUSTER_IP;
}

function readClientIPConfig(): void {
  timeout = DEFAULT_TIMEOUT;
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("timeoutSeconds")) {
      timeout = readInteger() ? integer : DEFAULT_TIMEOUT;
      timeoutAt = integerAt;
    } else {
      skipValue();
    }
  } while (moreMembers());
}

function readAffinityConfig(): void {
  timeout = DEFAULT_TIMEOUT;
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("clientIP")) readClientIPConfig();
    else skipValue();
  } while (moreMembers());
}

function readHealthCheckNodePort(): void {
  healthCheckNodePort = readInteger() ? integer : 0;
  if (healthCheckNodePort >= 0 && healthCheckNodePort <= 65535) return;
  numberProblem("invalid-port", integerAt, healthCheckNodePort, " is no port number", "use a number from 1 to 65535");
}

function readSpec(): void {
  resetSpec();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("ports")) readServicePorts();
    else if (stringIs("clusterIP")) readClusterIP();
    else if (stringIs("clusterIPs")) readClusterIPs();
    else if (stringIs("type")) type = readType();
    else if (stringIs("ipFamilies")) readIPFamilies();
    else if (stringIs("sessionAffinity")) isClientIP = readText() && stringIs("ClientIP");
    else if (stringIs("sessionAffinityConfig")) readAffinityConfig();
    else if (stringIs("externalIPs")) readExternalIPs();
    else if (stringIs("externalTrafficPolicy")) isExternalPolicyLocal = readText() && stringIs("Local");
    else if (stringIs("internalTrafficPolicy")) isInternalPolicyLocal = readText() && stringIs("Local");
    else if (stringIs("loadBalancerSourceRanges")) readSourceRanges();
    else if (stringIs("healthCheckNodePort")) readHealthCheckNodePort();
    else skipValue();
  } while (moreMembers());
}

/** At `{`: reads a Service into the scratch lists. */
export function readService(): void {
  resetMetadata();
  resetSpec();
  clearStatusAddresses();
  if (!enterObject()) return;
  do {
    readKey();
    if (stringIs("metadata")) readMetadata();
    else if (stringIs("spec")) readSpec();
    else if (stringIs("status")) readServiceStatus();
    else readOtherMember();
  } while (moreMembers());
}

/** As ExternalPolicyLocal of kube-proxy's service ports. External IPs count whether they are good or not, as upstream. */
function isExternalLocal(): bool {
  if (!isExternalPolicyLocal) return false;
  if (type == ServiceType.LOAD_BALANCER || type == ServiceType.NODE_PORT) return true;
  return type == ServiceType.CLUSTER_IP && externalIPCount() > 0;
}

function checkTimeout(): void {
  if (!isClientIP || timeout >= 1) return;
  literalProblem(
    Severity.WARNING,
    "invalid-timeout",
    timeoutAt,
    "the timeout is less than a second; 10800 is used",
    "use a number of seconds from 1 to 86400",
  );
  timeout = DEFAULT_TIMEOUT;
}

function buildRecord(portCount: u32, namesOffset: usize): usize {
  const size = (sizeOf(1, namesOffset, portNamesSize()) + 3) & ~3;
  const record = recordRoom(size);
  const service = changetype<ServiceRecord>(record);
  service.size = <u32>size;
  service.type = type;
  let flags: u8 = 0;
  if (isExternalLocal()) {
    flags |= ServiceFlag.EXTERNAL_LOCAL;
    if (type == ServiceType.LOAD_BALANCER) service.healthCheckNodePort = <u16>healthCheckNodePort;
  }
  if (isInternalPolicyLocal) flags |= ServiceFlag.INTERNAL_LOCAL;
  if (isClientIP) {
    flags |= ServiceFlag.CLIENT_IP;
    service.affinityTimeout = <u32>timeout;
  }
  if (hasClusterIPv4) {
    flags |= ServiceFlag.HAS_IPV4;
    service.clusterIPv4 = load<u32>(clusterIPv4);
    service.clusterIPv4Index = clusterIPv4Index;
  }
  if (hasClusterIPv6) {
    flags |= ServiceFlag.HAS_IPV6;
    v128.store(record, v128.load(clusterIPv6), offsetof<ServiceRecord>("clusterIPv6Word0"));
    service.clusterIPv6Index = clusterIPv6Index;
  }
  if (isDNS) flags |= ServiceFlag.DNS;
  service.flags = flags;
  service.creationTimestamp = creationTimestamp;
  service.portCount = portCount;
  service.addressCount = addressCount();
  service.rangeCount = rangeCount();
  writeServicePorts(record, SERVICE_SIZE, namesOffset);
  writeServiceAddresses(record + SERVICE_SIZE + <usize>portCount * PORT_SIZE);
  return record;
}

/**
 * Entry points and source checks of one Service at most: ports × (cluster IP, addresses and source ranges). Each takes some
 * 200 bytes here and an element or a rule in the kernel. No other number of a Service has a limit.
 */
const MOST_RULES: u64 = 2097152;

/** False with an error if the Service comes to more. */
function checkRuleCount(portCount: u32): bool {
  if (<u64>portCount * (1 + <u64>addressCount() + <u64>rangeCount()) <= MOST_RULES) return true;
  literalProblem(
    Severity.ERROR,
    "too-many",
    objectStart(),
    "ports times addresses and source ranges are more than 2097152; the Service is left out and its old rules are removed",
    "spread its ports over several Services",
  );
  return false;
}

function remove(): u32 {
  if (!checkNames(true)) return Outcome.REFUSED;
  return accepted(deleteService(namespaceText.bytes, namespaceText.length, nameText.bytes, nameText.length));
}

/** Stores the Service that was read, or deletes it if that is what happened or it is not one for kube-proxy. */
export function commitService(deleted: bool): u32 {
  clusterIPLack = Lack.NONE;
  if (deleted || hasProxyName) {
    dropObjectProblems();
    return remove();
  }
  chooseClusterIPs();
  checkTimeout();
  const portCount = countServicePorts();
  checkServiceAddresses();
  const namesOffset = sizeOf(portCount, PORT_SIZE, SERVICE_SIZE + serviceAddressesSize());
  const fits = checkRuleCount(portCount);
  if (!checkNames(true) || objectErrors > 0) {
    // What is known of a Service that has become too much stays no longer: it may allow more than the Service does now.
    if (!fits) remove();
    else if (nameText.length != 0) {
      keepService(namespaceText.bytes, namespaceText.length, nameText.bytes, nameText.length);
    }
    return Outcome.REFUSED;
  }
  if (type == ServiceType.EXTERNAL_NAME || (!hasClusterIPv4 && !hasClusterIPv6)) {
    if (type == ServiceType.EXTERNAL_NAME) clusterIPLack = Lack.EXTERNAL_NAME;
    else clusterIPLack = saysNone() ? Lack.HEADLESS : Lack.UNASSIGNED;
    return remove();
  }
  return accepted(
    storeService(
      namespaceText.bytes,
      namespaceText.length,
      nameText.bytes,
      nameText.length,
      buildRecord(portCount, namesOffset),
    ),
  );
}
