// Real name servers for tests: BIND's `named` and Knot's `knotd`, each with one zone that takes signed updates. They are
// found on the PATH or where systems keep servers; nothing of the machine's own configuration is read.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPort } from '../../src/lab/ports.ts'
import { TYPE } from '../../src/redirect/dns-wire.ts'
import { NameServer } from '../../src/redirect/name-server.ts'
import { systemClock } from '../../src/wiring/system.ts'

export type NameServerKind = 'named' | 'knotd'

export const ZONE = 'kafka.example'
export const KEY_NAME = 'kdr-key'
/** Of the tests, and of nothing else. */
export const KEY_SECRET = Buffer.from('a key for tests, of thirty-two b').toString('base64')
/** As `tsig:` of the config takes it, and a name server too. */
export const KEY = `key "${KEY_NAME}" {\n\talgorithm hmac-sha256;\n\tsecret "${KEY_SECRET}";\n};\n`

const PACKAGES = { named: 'bind9', knotd: 'knot' } as const

/** Undefined: it is not installed. */
export function findNameServer(kind: NameServerKind): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(':'),
    '/usr/sbin',
    '/usr/local/sbin',
    '/opt/homebrew/sbin',
  ]
  return folders.map(folder => join(folder, kind)).find(existsSync)
}

/** For `skip:` of a test: false when it is there. */
export function isMissing(kind: NameServerKind): string | false {
  if (findNameServer(kind) !== undefined) return false
  return `\`${kind}\` is not installed (on Debian or Ubuntu: apt-get install ${PACKAGES[kind]})`
}

export type Rights = 'all' | 'no-guard' | 'nothing'

export class TestNameServer {
  readonly address: string
  readonly #directory: string
  readonly #child: ChildProcess
  readonly #log: () => string

  private constructor(address: string, directory: string, child: ChildProcess, log: () => string) {
    this.address = address
    this.#directory = directory
    this.#child = child
    this.#log = log
  }

  /** `records`: lines of the zone file. `rights`: what the key may change; `no-guard` is the address of `bootstrap` alone. */
  static async start(
    kind: NameServerKind,
    records: readonly string[],
    rights: Rights = 'all',
  ): Promise<TestNameServer> {
    const directory = mkdtempSync(join(tmpdir(), `kdr-${kind}-`))
    const port = await findPort()
    writeFileSync(
      join(directory, 'zone'),
      ['$TTL 60', '@ IN SOA ns admin 1 60 60 3600 5', '@ IN NS ns', 'ns IN A 127.0.0.1', ...records, ''].join(
        '\n',
      ),
    )
    mkdirSync(join(directory, 'db'))
    writeFileSync(join(directory, 'conf'), CONFIGS[kind](directory, port, rights))
    const output = join(directory, 'log')
    const child = spawn(
      findNameServer(kind) ?? kind,
      kind === 'named' ? ['-g', '-c', 'conf'] : ['-c', 'conf'],
      {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const take = (chunk: Buffer) => writeFileSync(output, chunk, { flag: 'a' })
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    const server = new TestNameServer(`127.0.0.1:${port}`, directory, child, () =>
      existsSync(output) ? readFileSync(output, 'utf8') : '',
    )
    await server.#ready()
    return server
  }

  async #ready(): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      if (this.#child.exitCode !== null) break
      if (await answers(this.address).catch(() => false)) return
      await sleep(20)
    }
    const log = this.#log()
    await this.stop()
    throw new Error(`the name server does not start:\n${log}`)
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = new Promise(resolve => this.#child.once('exit', resolve))
      this.#child.kill('SIGTERM')
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000)
      await gone
      clearTimeout(timer)
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** Whether it has loaded the zone: it listens before that. */
async function answers(address: string): Promise<boolean> {
  const zone = `${ZONE}.`
  const server = await NameServer.open({ server: address, zone, key: undefined, clock: systemClock })
  try {
    return (await server.records(zone, TYPE.SOA)).length > 0
  } finally {
    server.close()
  }
}

const NAMED_POLICY: Readonly<Record<Rights, string>> = {
  all: `grant ${KEY_NAME} zonesub ANY;`,
  'no-guard': `grant ${KEY_NAME} name bootstrap.${ZONE} A AAAA CNAME;`,
  nothing: `grant ${KEY_NAME} name elsewhere.${ZONE} A;`,
}

const KNOT_ACL: Readonly<Record<Rights, string>> = {
  all: '',
  'no-guard': '    update-type: [A, AAAA, CNAME]\n',
  nothing: '    update-type: [MX]\n',
}

const CONFIGS: Readonly<Record<NameServerKind, (directory: string, port: number, rights: Rights) => string>> =
  {
    named: (directory, port, rights) => `
key "${KEY_NAME}" { algorithm hmac-sha256; secret "${KEY_SECRET}"; };
options {
  directory "${directory}"; pid-file none; session-keyfile none;
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no;
};
controls { };
zone "${ZONE}" { type primary; file "zone"; update-policy { ${NAMED_POLICY[rights]} }; };
`,
    knotd: (directory, port, rights) => `
server:
    listen: 127.0.0.1@${port}
    rundir: "${directory}"
database:
    storage: "${directory}/db"
log:
  - target: stderr
    any: info
key:
  - id: ${KEY_NAME}
    algorithm: hmac-sha256
    secret: ${KEY_SECRET}
acl:
  - id: kdr
    action: update
    key: ${KEY_NAME}
${KNOT_ACL[rights]}zone:
  - domain: ${ZONE}
    storage: "${directory}"
    file: zone
    acl: kdr
`,
  }
