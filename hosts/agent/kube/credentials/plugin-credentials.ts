// Credentials that programs and providers make. Rare on nodes, so what they need is loaded only when they are used.
import { type SpawnOptions, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { keepSecret } from "../../log/secrets.ts";
import type { Clock } from "../../time/clock.ts";
import { ClusterAccessError } from "./cluster-access-error.ts";
import type { Credentials, Presented } from "./credentials.ts";
import { FileContents } from "./file-contents.ts";
import type { ExecConfig } from "./kubeconfig.ts";
import type { TlsSettings } from "./tls-material.ts";

/** Cloud plugins take seconds on a busy node. */
const PLUGIN_TIMEOUT_MS = 30_000;
/** New ones are fetched so long before the old ones expire. */
const LEEWAY_MS = 60_000;
/** A token with a chain of certificates and their key has some kilobytes. */
const MOST_OUTPUT_BYTES = 1024 * 1024;

interface ExecCredential {
  readonly kind?: string;
  readonly status?: {
    readonly token?: string;
    readonly clientCertificateData?: string;
    readonly clientKeyData?: string;
    readonly expirationTimestamp?: string;
  };
}

/** What this uses of client-node's class for exec plugins. */
interface ExecAuth {
  execFn: (command: string, args: string[], options: SpawnOptions) => ReturnType<typeof spawn>;
  getCredential(user: object): Promise<ExecCredential | null>;
}

/** An exec plugin: run once for all that ask at the same time, again before its credentials expire or when refused. */
export class ExecCredentials implements Credentials {
  readonly #file: string;
  readonly #exec: ExecConfig;
  readonly #cluster: { readonly server: URL; readonly tls: TlsSettings };
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** How the plugin ended that ran last. */
  #end = "";
  #running: Promise<Presented> | undefined;
  #presented: Presented | undefined;
  #expires = Number.POSITIVE_INFINITY;

  constructor(
    file: string,
    exec: ExecConfig,
    cluster: { readonly server: URL; readonly tls: TlsSettings },
    clock: Clock,
    timeoutMs = PLUGIN_TIMEOUT_MS,
  ) {
    this.#file = file;
    this.#exec = exec;
    this.#cluster = cluster;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  async current(): Promise<Presented> {
    if (this.#presented !== undefined && this.#clock.now() < this.#expires) return this.#presented;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  rejected(): void {
    this.#presented = undefined;
  }

  certificateExpires(): number | undefined {
    const cert = this.#presented?.certificate?.cert;
    if (cert === undefined) return undefined;
    try {
      return Date.parse(new X509Certificate(cert).validTo);
    } catch {
      return undefined; // whatever it is, connections fail by it
    }
  }

  async #run(): Promise<Presented> {
    const { field } = this.#exec;
    // The rest of that text may be anything, secrets included.
    const command = this.#exec.command.split(/\s/)[0];
    const started = performance.now();
    let credential: ExecCredential | null;
    try {
      credential = await this.#ask();
    } catch (error) {
      const late = performance.now() - started >= this.#timeoutMs;
      const what = late ? `did not answer within ${this.#timeoutMs / 1000} s` : `failed: ${this.#whatFailed(error)}`;
      throw new ClusterAccessError(this.#file, field, `${command} ${what}`, "run it by hand to see why");
    }
    const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = credential?.status ?? {};
    const given = [token, cert, key, expirationTimestamp].filter((each) => each !== undefined && each !== null);
    const areTexts = given.every((each) => typeof each === "string");
    if (credential?.kind !== "ExecCredential" || !areTexts || (!token && !(cert && key))) {
      const what = `${command} answered neither a token nor a certificate with its key`;
      throw new ClusterAccessError(this.#file, field, what, "run it by hand to see what it prints");
    }
    keepSecret(token);
    const lasts = expirationTimestamp == null ? Number.NaN : Date.parse(expirationTimestamp) - Date.now();
    // At least a moment, so that a plugin whose credentials expire at once is not run for each request.
    this.#expires = Number.isNaN(lasts)
      ? Number.POSITIVE_INFINITY
      : this.#clock.now() + Math.max(1000, lasts - Math.min(LEEWAY_MS, lasts / 10));
    this.#presented = {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      ...(cert && key ? { certificate: { cert, key } } : {}),
    };
    return this.#presented;
  }

  /** Neither the plugin's output nor a parser's message about it is shown: there may be a token in it. */
  #whatFailed(error: unknown): string {
    if (error instanceof ClusterAccessError) return error.message;
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code === "string") return `it could not be started (${code})`;
    return this.#end === "" ? "it printed no JSON" : this.#end;
  }

  #spawn(command: string, args: readonly string[], options: SpawnOptions): ReturnType<typeof spawn> {
    const stdio: SpawnOptions = { stdio: ["ignore", "pipe", "pipe"], timeout: this.#timeoutMs, killSignal: "SIGKILL" };
    const child = spawn(command, args, { ...options, ...stdio });
    this.#end = "";
    let size = 0;
    const count = (chunk: string | Buffer) => {
      size += chunk.length;
      if (size > MOST_OUTPUT_BYTES) child.kill("SIGKILL");
    };
    child.stdout?.on("data", count);
    child.stderr?.on("data", count);
    child.once("exit", (code, signal) => {
      if (size > MOST_OUTPUT_BYTES) this.#end = `it printed more than ${MOST_OUTPUT_BYTES} bytes`;
      else if (signal !== null) this.#end = `it was ended by ${signal}`;
      else if (code !== 0) this.#end = `it ended with exit code ${code}`;
    });
    return child;
  }

  async #ask(): Promise<ExecCredential | null> {
    // This file of the package alone: the package as a whole takes a second and 90 MB.
    const { ExecAuth } = await import("@kubernetes/client-node/dist/exec_auth.js");
    // A fresh one each time: its cache respects neither our leeway nor a 401.
    const auth = new ExecAuth() as unknown as ExecAuth;
    auth.execFn = (command, args, options) => this.#spawn(command, args ?? [], options);
    const { apiVersion, command, args, env } = this.#exec;
    const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false, ...(await this.#clusterInfo()) } };
    const withInfo = [...env, { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) }];
    return auth.getCredential({ name: "user", exec: { command, args: [...args], env: withInfo } });
  }

  async #clusterInfo(): Promise<object> {
    if (!this.#exec.provideClusterInfo) return {};
    const { server, tls } = this.#cluster;
    const authority = tls.authority instanceof FileContents ? await tls.authority.read() : tls.authority;
    return {
      cluster: {
        server: server.href.replace(/\/$/, ""),
        ...(tls.serverName === undefined ? {} : { "tls-server-name": tls.serverName }),
        ...(tls.insecure ? { "insecure-skip-tls-verify": true } : {}),
        ...(authority === undefined ? {} : { "certificate-authority-data": Buffer.from(authority).toString("base64") }),
      },
    };
  }
}

/** What this uses of client-node's classes for providers. */
interface Authenticator {
  isAuthProvider(user: object): boolean | Promise<boolean>;
  applyAuthentication(user: object, options: { headers: Record<string, string> }): Promise<void>;
}

/** `auth-provider`, the forerunner of exec plugins: what client-node still knows of them (azure, gcp, oidc). */
export class AuthProviderCredentials implements Credentials {
  readonly #file: string;
  readonly #user: { readonly name: string; readonly authProvider: Readonly<Record<string, unknown>> };
  #authenticator: Promise<Authenticator | undefined> | undefined;

  constructor(file: string, name: string, provider: Readonly<Record<string, unknown>>) {
    this.#file = file;
    this.#user = { name, authProvider: provider };
  }

  async current(): Promise<Presented> {
    const headers: Record<string, string> = {};
    try {
      this.#authenticator ??= authenticatorFor(this.#user);
      await (await this.#authenticator)?.applyAuthentication(this.#user, { headers });
    } catch {
      // Its message may quote tokens.
      const what = `the provider ${String(this.#user.authProvider.name)} has no token to show`;
      throw new ClusterAccessError(
        this.#file,
        "users[].user.auth-provider",
        what,
        "use a token file or an exec plugin",
      );
    }
    const authorization = headers.Authorization;
    return { headers: authorization === undefined ? {} : { authorization } };
  }

  rejected(): void {
    this.#authenticator = undefined;
  }
}

/** These files of the package alone: its generated client, which makes up nearly all of it, has 14 MB. */
async function authenticatorFor(user: object): Promise<Authenticator | undefined> {
  const [{ AzureAuth }, { GoogleCloudPlatformAuth }, { FileAuth }, { OpenIDConnectAuth }] = await Promise.all([
    import("@kubernetes/client-node/dist/azure_auth.js"),
    import("@kubernetes/client-node/dist/gcp_auth.js"),
    import("@kubernetes/client-node/dist/file_auth.js"),
    import("@kubernetes/client-node/dist/oidc_auth.js"),
  ]);
  const known = [new AzureAuth(), new GoogleCloudPlatformAuth(), new FileAuth(), new OpenIDConnectAuth()];
  return (known as unknown as Authenticator[]).find((each) => each.isAuthProvider(user));
}
