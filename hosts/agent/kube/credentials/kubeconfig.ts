// Reads a kubeconfig file: the cluster and the user of a context.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { keepSecret } from "../../log/secrets.ts";
import { ClusterAccessError } from "./cluster-access-error.ts";

/** The context in use. Paths are absolute, data is decoded. */
export interface Kubeconfig {
  readonly file: string;
  readonly context: string;
  readonly cluster: KubeconfigCluster;
  readonly user: KubeconfigUser;
}

export interface KubeconfigCluster {
  readonly server: string;
  readonly certificateAuthority: KubeconfigPem | undefined;
  readonly insecureSkipTlsVerify: boolean;
  readonly tlsServerName: string | undefined;
  readonly proxyUrl: string | undefined;
}

export interface KubeconfigUser {
  readonly name: string;
  readonly clientCertificate: KubeconfigPem | undefined;
  readonly clientKey: KubeconfigPem | undefined;
  readonly token: string | undefined;
  readonly tokenFile: KubeconfigPath | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Headers that ask to act as somebody else. */
  readonly impersonate: Readonly<Record<string, string>>;
  readonly exec: ExecConfig | undefined;
  readonly authProvider: Readonly<Record<string, unknown>> | undefined;
}

/** A path and the field that it stands in. */
export interface KubeconfigPath {
  readonly path: string;
  readonly field: string;
}

export type KubeconfigPem = { readonly pem: string } | KubeconfigPath;

export interface ExecConfig {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly provideClusterInfo: boolean;
  /** For errors. */
  readonly field: string;
}

/**
 * @param path of the file; relative paths in it count from its directory
 * @param context to use in place of its current-context
 * @throws ClusterAccessError
 */
export async function readKubeconfig(path: string, context = ""): Promise<Kubeconfig> {
  const file = resolve(path);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new ClusterAccessError(file, "", messageOf(error), "give the path of a kubeconfig that can be read");
  }
  const parsed = parseYaml(text, file);
  if (!isMapping(parsed))
    throw new ClusterAccessError(file, "", "no kubeconfig", "it needs clusters, users and contexts");
  return new Reader(file).read(parsed, context);
}

/** The parser's message quotes the file, which has secrets. So only its code and the place are shown. */
function parseYaml(text: string, file: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, logLevel: "error", lineCounter });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    const what = `no YAML at line ${line}, column ${col} (${error.code})`;
    throw new ClusterAccessError(file, "", what, "check indentation, quotes and brackets there");
  }
  try {
    return document.toJS();
  } catch {
    throw new ClusterAccessError(file, "", "no YAML: an alias (*) in it can't be resolved", "write the value itself");
  }
}

type Mapping = Record<string, unknown>;

const isMapping = (value: unknown): value is Mapping =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

class Reader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  read(config: Mapping, wanted: string): Kubeconfig {
    const current = wanted || (this.#text(config, "", "current-context") ?? "");
    const names = this.#names(config, "contexts");
    if (current === "") {
      throw this.#error(
        "current-context",
        "is not set",
        `set it to one of: ${names.join(", ") || "(there are no contexts)"}`,
      );
    }
    const { value: context, field } = this.#named(
      config,
      "contexts",
      "context",
      current,
      wanted === "" ? "current-context" : "--context",
    );
    const clusterName = this.#text(context, field, "cluster") ?? "";
    const userName = this.#text(context, field, "user") ?? "";
    const cluster = this.#named(config, "clusters", "cluster", clusterName, `${field}.cluster`);
    const user =
      userName === ""
        ? { value: {}, field: `${field}.user` }
        : this.#named(config, "users", "user", userName, `${field}.user`);
    return {
      file: this.#file,
      context: current,
      cluster: this.#cluster(cluster.value, cluster.field),
      user: this.#user(userName, user.value, user.field),
    };
  }

  #cluster(cluster: Mapping, field: string): KubeconfigCluster {
    const server = this.#text(cluster, field, "server") ?? "";
    const certificateAuthority = this.#pem(cluster, field, "certificate-authority");
    const insecure = this.#boolean(cluster, field, "insecure-skip-tls-verify");
    if (insecure && certificateAuthority !== undefined) {
      throw this.#error(`${field}.insecure-skip-tls-verify`, "is set beside a certificate authority", "leave one out");
    }
    return {
      server,
      certificateAuthority,
      insecureSkipTlsVerify: insecure,
      tlsServerName: this.#text(cluster, field, "tls-server-name") || undefined,
      proxyUrl: this.#text(cluster, field, "proxy-url") || undefined,
    };
  }

  #user(name: string, user: Mapping, field: string): KubeconfigUser {
    const clientCertificate = this.#pem(user, field, "client-certificate");
    const clientKey = this.#pem(user, field, "client-key");
    if ((clientCertificate === undefined) !== (clientKey === undefined)) {
      const missing = clientKey === undefined ? "client-key" : "client-certificate";
      throw this.#error(
        `${field}.${missing}`,
        "is missing",
        "a client certificate needs its key, and the other way round",
      );
    }
    const tokenFile = this.#path(user, field, "tokenFile");
    const username = this.#text(user, field, "username") || undefined;
    const token = this.#text(user, field, "token") || undefined;
    keepSecret(token);
    if (username !== undefined && (token !== undefined || tokenFile !== undefined)) {
      throw this.#error(`${field}.username`, "is set beside a token", "leave one out");
    }
    return {
      name,
      clientCertificate,
      clientKey,
      token,
      tokenFile,
      username,
      password: this.#text(user, field, "password"),
      impersonate: this.#impersonation(user, field),
      exec: this.#exec(user, field),
      authProvider: this.#mapping(user, field, "auth-provider"),
    };
  }

  #impersonation(user: Mapping, field: string): Record<string, string> {
    const headers: Record<string, string> = {};
    const as = this.#text(user, field, "as");
    if (as) headers["impersonate-user"] = as;
    const uid = this.#text(user, field, "as-uid");
    if (uid) headers["impersonate-uid"] = uid;
    const unsupported = ["as-groups", "as-user-extra"].find((key) => user[key] !== undefined && user[key] !== null);
    if (unsupported !== undefined) {
      // Several headers of one name are refused: without them requests would have other rights.
      throw this.#error(`${field}.${unsupported}`, "is not supported", "bind the rights to the user itself");
    }
    return headers;
  }

  #exec(user: Mapping, field: string): ExecConfig | undefined {
    const exec = this.#mapping(user, field, "exec");
    if (exec === undefined) return undefined;
    const at = `${field}.exec`;
    const apiVersion = this.#text(exec, at, "apiVersion") ?? "";
    if (!/^client\.authentication\.k8s\.io\/v1(beta1)?$/.test(apiVersion)) {
      const hint = "use a plugin that speaks client.authentication.k8s.io/v1";
      throw this.#error(`${at}.apiVersion`, "is neither v1 nor v1beta1 of client.authentication.k8s.io", hint);
    }
    const command = this.#text(exec, at, "command") ?? "";
    if (command === "") throw this.#error(`${at}.command`, "is not set", "name the plugin's program");
    const args = this.#list(exec, at, "args").map((value, index) => this.#textValue(value, `${at}.args[${index}]`));
    const env = this.#list(exec, at, "env").map((value, index) => {
      const entry = `${at}.env[${index}]`;
      if (!isMapping(value)) throw this.#error(entry, "is no mapping", "write name and value");
      return { name: this.#text(value, entry, "name") ?? "", value: this.#text(value, entry, "value") ?? "" };
    });
    const provideClusterInfo = this.#boolean(exec, at, "provideClusterInfo");
    return {
      apiVersion,
      // As in a shell: with a slash it is a path. It is relative to the file's directory.
      command: command.includes("/") ? resolve(dirname(this.#file), command) : command,
      args,
      env,
      provideClusterInfo,
      field: at,
    };
  }

  /** `key-data` comes before `key`. */
  #pem(mapping: Mapping, field: string, key: string): KubeconfigPem | undefined {
    const data = this.#text(mapping, field, `${key}-data`);
    if (data) {
      if (key === "client-key") keepSecret(data);
      const pem = Buffer.from(data, "base64").toString("utf8");
      if (!pem.includes("-----BEGIN")) {
        throw this.#error(`${field}.${key}-data`, "is no PEM in base64", "encode the PEM file as a whole, in base64");
      }
      return { pem };
    }
    return this.#path(mapping, field, key);
  }

  #path(mapping: Mapping, field: string, key: string): KubeconfigPath | undefined {
    const path = this.#text(mapping, field, key);
    return path ? { path: resolve(dirname(this.#file), path), field: `${this.#file}: ${field}.${key}` } : undefined;
  }

  #named(config: Mapping, list: string, inner: string, name: string, from: string): { value: Mapping; field: string } {
    for (const [index, entry] of this.#list(config, "", list).entries()) {
      if (!isMapping(entry) || entry.name !== name) continue;
      const field = `${list}[${index}].${inner}`;
      return { value: this.#mapping(entry, `${list}[${index}]`, inner) ?? {}, field };
    }
    const known = this.#names(config, list).join(", ") || "none";
    throw this.#error(from, `names ${JSON.stringify(name)}, which is not in ${list}`, `there is: ${known}`);
  }

  #names(config: Mapping, list: string): string[] {
    return this.#list(config, "", list).flatMap((entry) =>
      isMapping(entry) && typeof entry.name === "string" ? [entry.name] : [],
    );
  }

  #list(mapping: Mapping, field: string, key: string): unknown[] {
    const value = mapping[key];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.#error(join(field, key), "is no list", "write a list");
    return value;
  }

  #mapping(mapping: Mapping, field: string, key: string): Mapping | undefined {
    const value = mapping[key];
    if (value === undefined || value === null) return undefined;
    if (!isMapping(value)) throw this.#error(join(field, key), "is no mapping", "write fields and values");
    return value;
  }

  #text(mapping: Mapping, field: string, key: string): string | undefined {
    const value = mapping[key];
    return value === undefined || value === null ? undefined : this.#textValue(value, join(field, key));
  }

  #textValue(value: unknown, field: string): string {
    if (typeof value !== "string") throw this.#error(field, "is no text", "put it in quotes");
    return value;
  }

  #boolean(mapping: Mapping, field: string, key: string): boolean {
    const value = mapping[key] ?? false;
    if (typeof value !== "boolean") throw this.#error(join(field, key), "is no boolean", "write true or false");
    return value;
  }

  #error(field: string, what: string, hint: string): ClusterAccessError {
    return new ClusterAccessError(this.#file, field, what, hint);
  }
}

const join = (field: string, key: string) => (field === "" ? key : `${field}.${key}`);
