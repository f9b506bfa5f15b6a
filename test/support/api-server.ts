// A real API server of Kubernetes with its etcd, and no nodes: it judges manifests and runs none of them. Both are built once, by Go, and
// kept: node test/support/api-server.ts. That takes five minutes on two idle cores and 3 GB of Go's caches, so no test does it by itself.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findPorts } from '../../src/lab/ports.ts'

const BIN = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'kdr/bin')
/** `libraries`: of Kubernetes' own parts, which its module takes from its source tree. */
const KUBERNETES = { version: 'v1.36.3', libraries: 'v0.36.3' }
const PROGRAMS = {
  'kube-apiserver': { version: KUBERNETES.version, package: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  etcd: { version: 'v3.6.8', package: 'go.etcd.io/etcd/server/v3' },
}
type Program = keyof typeof PROGRAMS
const START_MS = 60_000

const pathOf = (name: Program): string => join(BIN, `${name}-${PROGRAMS[name].version}`)

/** For `skip:` of a test: false when both are there. */
export function isMissing(): string | false {
  const missing = (Object.keys(PROGRAMS) as Program[]).filter(name => !existsSync(pathOf(name)))
  return missing.length > 0 && `${missing.join(' and ')} not built (node test/support/api-server.ts)`
}

export type Answer = { readonly status: number; readonly body: string; readonly warnings: readonly string[] }

export class ApiServer {
  readonly #port: number
  readonly #token: string
  readonly #ca: Buffer
  readonly #stop: () => Promise<void>

  private constructor(at: { port: number; token: string; ca: Buffer; stop: () => Promise<void> }) {
    this.#port = at.port
    this.#token = at.token
    this.#ca = at.ca
    this.#stop = at.stop
  }

  /** Throws with the end of their logs when one of them does not come up. */
  static async start(): Promise<ApiServer> {
    const dir = mkdtempSync(join(tmpdir(), 'kdr-api-server-'))
    const [port = 0, client = 0, peer = 0] = await findPorts(3)
    const [atClient, atPeer] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
    const token = randomUUID()
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const file = (name: string, text: string | Buffer): string => {
      writeFileSync(join(dir, name), text)
      return join(dir, name)
    }
    const logs: string[] = []
    const children: ChildProcess[] = []
    const run = (name: Program, args: readonly string[]): void => {
      const child = spawn(pathOf(name), args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
      child.stderr.setEncoding('utf8').on('data', (text: string) => logs.push(text))
      children.push(child)
    }
    const stop = async (): Promise<void> => {
      for (const child of children.toReversed()) await ended(child)
      rmSync(dir, { recursive: true, force: true })
    }
    run('etcd', [
      `--data-dir=${join(dir, 'etcd')}`,
      `--listen-client-urls=${atClient}`,
      `--advertise-client-urls=${atClient}`,
      `--listen-peer-urls=${atPeer}`,
      `--initial-advertise-peer-urls=${atPeer}`,
      `--initial-cluster=default=${atPeer}`,
      '--log-level=warn',
    ])
    run('kube-apiserver', [
      `--etcd-servers=${atClient}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${join(dir, 'certs')}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      '--service-account-issuer=https://127.0.0.1',
      `--service-account-key-file=${file('sa.pub', keys.publicKey.export({ type: 'spki', format: 'pem' }))}`,
      `--service-account-signing-key-file=${file('sa.key', keys.privateKey.export({ type: 'pkcs8', format: 'pem' }))}`,
      `--token-auth-file=${file('tokens.csv', `${token},admin,1,system:masters\n`)}`,
      // Nobody is there who would make the accounts of pods.
      '--disable-admission-plugins=ServiceAccount',
    ])
    for (const until = performance.now() + START_MS; ; await sleep(100)) {
      const certificate = join(dir, 'certs/apiserver.crt')
      if (existsSync(certificate)) {
        const server = new ApiServer({ port, token, ca: readFileSync(certificate), stop })
        const ready = await server.ask('GET', '/readyz').catch(() => undefined)
        if (ready?.status === 200) return server
      }
      if (children.every(({ exitCode }) => exitCode === null) && performance.now() < until) continue
      await stop()
      throw new Error(`the API server does not come up:\n${logs.join('').slice(-3000)}`)
    }
  }

  /** `body`: of the media type. */
  async ask(method: string, path: string, body = '', mediaType = 'application/yaml'): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.#token}`, 'content-type': mediaType }
    const at = { host: '127.0.0.1', port: this.#port, path, method, headers, ca: this.#ca, agent: false }
    return await new Promise((resolve, reject) => {
      const asked = request(at, answer => {
        let text = ''
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        answer.on('error', reject).on('end', () => {
          const warnings = answer.headersDistinct['warning'] ?? []
          resolve({ status: answer.statusCode ?? 0, body: text, warnings })
        })
      })
      asked.on('error', reject).end(body)
    })
  }

  async stop(): Promise<void> {
    await this.#stop()
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await closed
  clearTimeout(timer)
}

/** In a module of its own: that of Kubernetes takes its parts from its source tree, which who only uses it does not have. */
async function build(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'kdr-go-'))
  const go = async (...args: string[]) =>
    await promisify(execFile)('go', args, { cwd: dir, maxBuffer: 64 * 1024 * 1024 })
  const { version, libraries } = KUBERNETES
  const { stdout } = await go('mod', 'download', '-json', `k8s.io/kubernetes@${version}`)
  const theirs = readFileSync((JSON.parse(stdout) as { GoMod: string }).GoMod, 'utf8')
  const parts = [...theirs.matchAll(/^\s+(k8s\.io\/[a-z-]+) => \.\/staging/gm)].map(([, name]) => name!)
  // Two are examples that nothing needs, and are not to be had alone.
  const replaced = parts
    .filter(name => !name.includes('/sample-c'))
    .map(name => `${name} => ${name} ${libraries}`)
  writeFileSync(
    join(dir, 'go.mod'),
    [
      'module build',
      'go 1.26',
      `require k8s.io/kubernetes ${version}`,
      `require ${PROGRAMS.etcd.package} ${PROGRAMS.etcd.version}`,
      `replace (\n${replaced.join('\n')}\n)\n`,
    ].join('\n\n'),
  )
  const imports = Object.values(PROGRAMS).map(({ package: path }) => `_ ${JSON.stringify(path)}`)
  writeFileSync(
    join(dir, 'tools.go'),
    `//go:build tools\n\npackage tools\n\nimport (\n${imports.join('\n')}\n)\n`,
  )
  await go('mod', 'tidy')
  // It says of itself which version it is, and goes by that.
  const [major, minor] = version.slice(1).split('.')
  const said = { gitVersion: version, gitMajor: major, gitMinor: minor }
  const flags = Object.entries(said).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value ?? ''}`,
  )
  mkdirSync(BIN, { recursive: true })
  for (const name of Object.keys(PROGRAMS) as Program[])
    await go('build', '-ldflags', ['-s -w', ...flags].join(' '), '-o', pathOf(name), PROGRAMS[name].package)
  rmSync(dir, { recursive: true, force: true })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build()
