// Where the API server is and how to get in, found as client-go finds it.

import { keepSecretsOf } from "../../log/secrets.ts";
import { type Clock, systemClock } from "../../time/clock.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { ClusterAccessError } from "./cluster-access-error.ts";
import { type Credentials, StaticCredentials, TokenFileCredentials, WithHeaders } from "./credentials.ts";
import { environmentProxy } from "./environment-proxy.ts";
import { CERTIFICATE_FILE_MS, FileContents, TOKEN_FILE_MS } from "./file-contents.ts";
import { inCluster } from "./in-cluster.ts";
import { type Kubeconfig, type KubeconfigPem, type KubeconfigUser, readKubeconfig } from "./kubeconfig.ts";
import { AuthProviderCredentials, ExecCredentials } from "./plugin-credentials.ts";
import { proxyUrl } from "./proxy-url.ts";
import { type Pem, TlsMaterial, type TlsSettings } from "./tls-material.ts";

export interface Where {
  /** Path of a kubeconfig; "" or absent: none. */
  readonly kubeconfig?: string;
  /** Of the kubeconfig; "" or absent: its current one. */
  readonly context?: string;
  /** URL of the API server, in place of the kubeconfig's; "" or absent: none. */
  readonly master?: string;
}

/**
 * With neither kubeconfig nor master it is the service account of this pod.
 *
 * @throws ClusterAccessError
 */
export async function findCluster(
  { kubeconfig = "", context = "", master = "" }: Where,
  environment: NodeJS.ProcessEnv = process.env,
  clock: Clock = systemClock,
): Promise<ClusterAccess> {
  if (kubeconfig !== "") return fromKubeconfig(await readKubeconfig(kubeconfig, context), master, environment, clock);
  if (master === "") return inCluster(environment, clock);
  const server = serverUrl(master, false, "", "--master");
  return {
    source: "--master",
    server,
    tls: new TlsMaterial({}),
    credentials: new StaticCredentials(),
    proxy: environmentProxy(server, environment),
  };
}

function fromKubeconfig(
  config: Kubeconfig,
  master: string,
  environment: NodeJS.ProcessEnv,
  clock: Clock,
): ClusterAccess {
  const { file, context, cluster, user } = config;
  const settings = tlsSettings(config, clock);
  const secured = settings.insecure === true || settings.authority !== undefined || settings.certificate !== undefined;
  if (master === "" && cluster.server === "") {
    throw new ClusterAccessError(file, "clusters", `the cluster of context ${context} has no server`, "set its URL");
  }
  const server =
    master === ""
      ? serverUrl(cluster.server, secured, file, "clusters[].cluster.server")
      : serverUrl(master, secured, "", "--master");
  return {
    source: `${file}, context ${context}`,
    server,
    tls: new TlsMaterial(settings),
    credentials: credentialsOf(config, user, server, settings, clock),
    proxy:
      cluster.proxyUrl === undefined
        ? environmentProxy(server, environment)
        : proxyUrl(cluster.proxyUrl, file, "clusters[].cluster.proxy-url"),
  };
}

function tlsSettings({ cluster, user }: Kubeconfig, clock: Clock): TlsSettings {
  const authority = pemOf(cluster.certificateAuthority, clock);
  const certificate = pemOf(user.clientCertificate, clock);
  const key = pemOf(user.clientKey, clock);
  return {
    ...(authority === undefined ? {} : { authority }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
    ...(cluster.tlsServerName === undefined ? {} : { serverName: cluster.tlsServerName }),
    insecure: cluster.insecureSkipTlsVerify,
  };
}

function pemOf(pem: KubeconfigPem | undefined, clock: Clock): Pem | undefined {
  if (pem === undefined) return undefined;
  return "pem" in pem ? pem.pem : new FileContents(pem.path, pem.field, CERTIFICATE_FILE_MS, clock);
}

function credentialsOf(
  config: Kubeconfig,
  user: KubeconfigUser,
  server: URL,
  tls: TlsSettings,
  clock: Clock,
): Credentials {
  const credentials = userCredentials(config, user, server, tls, clock);
  return Object.keys(user.impersonate).length === 0 ? credentials : new WithHeaders(credentials, user.impersonate);
}

function userCredentials(
  { file }: Kubeconfig,
  user: KubeconfigUser,
  server: URL,
  tls: TlsSettings,
  clock: Clock,
): Credentials {
  const { tokenFile, token, username, password, exec, authProvider } = user;
  if (tokenFile !== undefined) {
    return new TokenFileCredentials(new FileContents(tokenFile.path, tokenFile.field, TOKEN_FILE_MS, clock), token);
  }
  if (token !== undefined) return StaticCredentials.bearer(token);
  if (username !== undefined) return StaticCredentials.basic(username, password ?? "");
  if (exec !== undefined) return new ExecCredentials(file, exec, { server, tls }, clock);
  if (authProvider !== undefined) return new AuthProviderCredentials(file, user.name, authProvider);
  return new StaticCredentials();
}

/** Without a scheme it is https where certificates are given, else http, as client-go has it. */
function serverUrl(text: string, secured: boolean, file: string, field: string): URL {
  const withScheme = text.includes("://") ? text : `${secured ? "https" : "http"}://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (url !== undefined) keepSecretsOf(url);
  const what = whatIsWrong(url);
  if (url === undefined || what !== "") throw new ClusterAccessError(file, field, what, "write https://HOST:PORT");
  return url;
}

/** Without the URL itself: there may be a password or a token in it. */
function whatIsWrong(url: URL | undefined): string {
  if (url === undefined) return "is no address";
  if (!/^https?:$/.test(url.protocol)) return "is no address of http or https";
  return url.search === "" && url.hash === "" ? "" : "is no address of a server: it has a query or a fragment";
}
