// Certificates for the connection, from files that rotate or from a kubeconfig's own data.
import { createSecureContext } from "node:tls";
import type { FileContents } from "./file-contents.ts";

/** PEM text, or the file that has it. */
export type Pem = string | FileContents;

export interface TlsSettings {
  /** Absent: the system's authorities. */
  readonly authority?: Pem;
  readonly certificate?: Pem;
  readonly key?: Pem;
  /** Name to ask for and to check, instead of the server's host. */
  readonly serverName?: string;
  /** The server's certificate is not checked. */
  readonly insecure?: boolean;
}

export interface CurrentTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
  readonly insecure: boolean;
}

/** A certificate of a credential plugin, used instead of the settings' one. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

export class TlsMaterial {
  readonly settings: TlsSettings;
  #current: CurrentTls | undefined;

  constructor(settings: TlsSettings) {
    this.settings = settings;
  }

  /** The files are read again the next time. */
  expire(): void {
    for (const pem of [this.settings.authority, this.settings.certificate, this.settings.key]) {
      if (pem !== undefined && typeof pem !== "string") pem.expire();
    }
  }

  /**
   * The same object as long as nothing has changed. If certificate and key do not match, as in the middle of a rotation, the
   * older pair stays in use.
   */
  async current(certificate?: ClientCertificate): Promise<CurrentTls> {
    const { authority, serverName, insecure = false } = this.settings;
    const next: CurrentTls = {
      ca: await textOf(authority),
      cert: certificate?.cert ?? (await textOf(this.settings.certificate)),
      key: certificate?.key ?? (await textOf(this.settings.key)),
      serverName,
      insecure,
    };
    const current = this.#current;
    if (current !== undefined && current.ca === next.ca && current.cert === next.cert && current.key === next.key) {
      return current;
    }
    try {
      createSecureContext({
        ...(next.ca === undefined ? {} : { ca: next.ca }),
        ...(next.cert === undefined ? {} : { cert: next.cert }),
        ...(next.key === undefined ? {} : { key: next.key }),
      });
    } catch (error) {
      if (current !== undefined) return current;
      throw new Error(`the certificates can't be used: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    this.#current = next;
    return next;
  }
}

async function textOf(pem: Pem | undefined): Promise<string | undefined> {
  return pem === undefined || typeof pem === "string" ? pem : await pem.read();
}
