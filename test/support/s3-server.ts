// A real S3 service for tests: versitygw, which keeps its objects as files. It is built once, by Go, and kept.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const MODULE = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0'
const BIN = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'kdr/bin/versitygw-v1.8.0')
const START_MS = 10_000
/** Cold, on a machine with two busy cores. */
const BUILD_MS = 900_000

export const S3_KEYS = { access: 'testtest', secret: 'testsecret' } as const

export type S3Server = { readonly endpoint: string; stop(): Promise<void> }

/** Throws when Go is missing, or the service does not come up. */
export async function startS3Server(): Promise<S3Server> {
  await build()
  const dir = mkdtempSync(join(tmpdir(), 'kdr-s3-'))
  await mkdir(join(dir, 'data'))
  const address = `127.0.0.1:${await freePort()}`
  const keys = ['--access', S3_KEYS.access, '--secret', S3_KEYS.secret]
  const child = spawn(
    BIN,
    [...keys, '--port', address, '--health', '/health', '--quiet', 'posix', join(dir, 'data')],
    { stdio: 'ignore' },
  )
  const stop = async (): Promise<void> => {
    await ended(child)
    rmSync(dir, { recursive: true, force: true })
  }
  const endpoint = `http://${address}`
  for (const until = performance.now() + START_MS; ; await sleep(50)) {
    if (
      await fetch(`${endpoint}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return { endpoint, stop }
    if (child.exitCode !== null || performance.now() > until) {
      await stop()
      throw new Error(`versitygw did not come up (exit code ${String(child.exitCode)})`)
    }
  }
}

async function build(): Promise<void> {
  if (existsSync(BIN)) return
  const dir = mkdtempSync(join(tmpdir(), 'kdr-go-'))
  const env = { ...process.env, GOBIN: dir }
  await promisify(execFile)('go', ['install', MODULE], { env, timeout: BUILD_MS })
  await mkdir(join(BIN, '..'), { recursive: true })
  await promisify(execFile)('mv', [join(dir, 'versitygw'), BIN])
  rmSync(dir, { recursive: true, force: true })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  await closed
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
