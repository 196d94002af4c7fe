/** Starts nginx (Debian's package) on this machine, in front of servers. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fixedEnvironment } from "../build/processes.ts";

/** The value of a proof that needs nginx, where it is missing. */
export const NO_NGINX = "nginx is not installed here";

export function hasNginx(): boolean {
  return spawnSync("nginx", ["-v"]).error === undefined;
}

export interface Nginx {
  /** Ends it with its worker, which SIGKILL would leave behind, and removes its files. */
  stop(): Promise<void>;
}

/** Starts nginx with these directives of its `http` block. */
export function startNginx(http: string): Nginx {
  const folder = mkdtempSync(join(tmpdir(), "lossd-nginx-"));
  // Started by root, the worker is another user, who keeps long bodies in this folder.
  chmodSync(folder, 0o755);
  const file = join(folder, "nginx.conf");
  writeFileSync(file, configOf(http));
  const child = spawn("nginx", ["-p", folder, "-c", file], { env: fixedEnvironment(), stdio: "ignore" });
  return {
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configOf(http: string): string {
  return `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
${http}
}
`;
}
