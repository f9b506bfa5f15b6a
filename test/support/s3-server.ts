// Real S3 services for tests: versitygw, which keeps its objects as files, and minio. Each is built once, by Go, and kept.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { findPort } from '../../src/lab/ports.ts'

const BIN = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'kdr/bin')
const START_MS = 20_000
/** Cold, on a machine with two busy cores. */
const BUILD_MS = 900_000

export const S3_KEYS = { access: 'testtest', secret: 'testsecret' } as const
export const S3_REGION = 'us-east-1'

export type S3Kind = 'versitygw' | 'minio'
export const S3_KINDS: readonly S3Kind[] = ['versitygw', 'minio']

export type S3Server = {
  readonly endpoint: string
  /** `withLocks`: objects in it may be locked, which a bucket is made for or not. */
  makeBucket(name: string, options?: { readonly withLocks?: boolean }): Promise<void>
  stop(): Promise<void>
}

type Program = {
  readonly module: string
  readonly version: string
  readonly health: string
  readonly env: Readonly<Record<string, string>>
  args(address: string, dir: string): readonly string[]
}

const PROGRAMS: Readonly<Record<S3Kind, Program>> = {
  versitygw: {
    module: 'github.com/versity/versitygw/cmd/versitygw',
    version: 'v1.8.0',
    health: '/health',
    env: {},
    args: (address, dir) =>
      [
        ['--access', S3_KEYS.access, '--secret', S3_KEYS.secret, '--port', address],
        ['--health', '/health', '--quiet', 'posix', '--versioning-dir', join(dir, 'versions')],
        [join(dir, 'data')],
      ].flat(),
  },
  minio: {
    module: 'github.com/minio/minio',
    version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
    health: '/minio/health/live',
    env: {
      MINIO_ROOT_USER: S3_KEYS.access,
      MINIO_ROOT_PASSWORD: S3_KEYS.secret,
      // A key of its own, for encryption by the service.
      MINIO_KMS_SECRET_KEY: `test:${Buffer.alloc(32, 7).toString('base64')}`,
    },
    args: (address, dir) => ['server', '--quiet', '--address', address, join(dir, 'data')],
  },
}

/** The SDK finds its credentials where users have theirs: here, in the environment. Throws when Go is missing, or the service does not come up. */
export async function startS3Server(kind: S3Kind = 'versitygw'): Promise<S3Server> {
  const program = PROGRAMS[kind]
  const binary = await build(program)
  const dir = mkdtempSync(join(tmpdir(), 'kdr-s3-'))
  for (const folder of ['data', 'versions']) await mkdir(join(dir, folder))
  const address = `127.0.0.1:${await findPort()}`
  const env = { ...process.env, ...program.env }
  const child = spawn(binary, program.args(address, dir), { stdio: 'ignore', env })
  const stop = async (): Promise<void> => {
    await ended(child)
    rmSync(dir, { recursive: true, force: true })
  }
  const endpoint = `http://${address}`
  process.env['AWS_ACCESS_KEY_ID'] = S3_KEYS.access
  process.env['AWS_SECRET_ACCESS_KEY'] = S3_KEYS.secret
  for (const until = performance.now() + START_MS; ; await sleep(50)) {
    if (await isUp(`${endpoint}${program.health}`))
      return {
        endpoint,
        stop,
        makeBucket: async (name, { withLocks = false } = {}) => await makeBucket(endpoint, name, withLocks),
      }
    if (child.exitCode !== null || performance.now() > until) {
      await stop()
      throw new Error(`${kind} did not come up (exit code ${String(child.exitCode)})`)
    }
  }
}

async function isUp(url: string): Promise<boolean> {
  return await fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )
}

async function makeBucket(endpoint: string, name: string, withLocks: boolean): Promise<void> {
  const client = new S3Client({ endpoint, region: S3_REGION, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: withLocks }))
  client.destroy()
}

async function build({ module, version }: Program): Promise<string> {
  const name = module.slice(module.lastIndexOf('/') + 1)
  const binary = join(BIN, `${name}-${version}`)
  if (existsSync(binary)) return binary
  const dir = mkdtempSync(join(tmpdir(), 'kdr-go-'))
  const env = { ...process.env, GOBIN: dir }
  await promisify(execFile)('go', ['install', `${module}@${version}`], { env, timeout: BUILD_MS })
  await mkdir(BIN, { recursive: true })
  await promisify(execFile)('mv', [join(dir, name), binary])
  rmSync(dir, { recursive: true, force: true })
  return binary
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  await closed
}
