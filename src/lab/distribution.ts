// A Kafka that is ready to boot quickly: its class path, a formatted log dir to copy, and a shared class archive. The
// last two cost two JVM starts, once for each version, and halve what every later start takes.

import { copyFile, cp, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { KdrError } from '../model/errors.ts'
import { startBroker, stopBroker } from './broker.ts'
import { cached, classPathOf, type FetchOptions, kafkaJars } from './jars.ts'
import { findPorts } from './ports.ts'
import { javaTool, runTool } from './processes.ts'
import { brokerProperties, writeProperties } from './properties.ts'
import { DEFAULT_VERSION, KNOWN_VERSIONS, resolveVersion, unknownVersion } from './versions.ts'

export type Distribution = {
  readonly version: string
  readonly classPath: string
  /** A formatted log dir; its ids are replaced in each copy. */
  readonly template: string
  /** JVM options that go with it: the class archive, and the logging of an unpacked Kafka. */
  readonly jvm: readonly string[]
}

/** `version` as people name it; undefined is that of KAFKA_HOME, else the default one. */
export async function prepareDistribution(
  version: string | undefined,
  options: FetchOptions = {},
): Promise<Distribution> {
  const home = await findHome()
  if (home !== undefined && (version === undefined || resolveVersion(version) === home.version)) {
    const key = join('boot', `home-${createHash('sha256').update(home.dir).digest('hex').slice(0, 12)}`)
    return prepare(home.version, join(home.dir, 'libs'), key, homeLogging(home.dir), options)
  }
  const exact = resolveVersion(version ?? DEFAULT_VERSION)
  const jars = await kafkaJars(exact, options).catch((error: unknown) => {
    const isRefused = error instanceof KdrError && error.facts['output'] !== undefined
    if (isRefused && !KNOWN_VERSIONS.includes(exact)) throw unknownVersion(exact, error)
    throw error
  })
  return prepare(exact, jars, join('boot', exact), [], options)
}

async function prepare(
  version: string,
  libs: string,
  key: string,
  logging: readonly string[],
  { onProgress, signal }: FetchOptions,
): Promise<Distribution> {
  const classPath = await classPathOf(libs)
  const boot = await cached(key, async scratch => {
    onProgress?.(`preparing Kafka ${version} for quick starts`)
    const made = join(scratch, 'boot')
    const template = join(made, 'template')
    await mkdir(template, { recursive: true })
    await format(classPath, scratch, template, signal)
    await archiveClasses({ version, classPath, template, jvm: logging }, scratch, made, signal)
    return made
  })
  const archive = join(boot, 'classes.jsa')
  const hasArchive = await stat(archive).then(
    () => true,
    () => false,
  )
  const sharing = hasArchive ? [`-XX:SharedArchiveFile=${archive}`, '-Xshare:auto', '-Xlog:cds=off'] : []
  return { version, classPath, template: join(boot, 'template'), jvm: [...sharing, ...logging] }
}

async function format(classPath: string, scratch: string, dir: string, signal?: AbortSignal): Promise<void> {
  const file = join(scratch, 'format.properties')
  await writeFile(file, writeProperties(loneBroker(dir, 20_001, 20_002)))
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
  const args = [
    ...flags,
    '-cp',
    classPath,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    newClusterId(),
    '-c',
    file,
  ]
  const { code, output } = await runTool(javaTool('java'), args, signal)
  if (code !== 0)
    throw new KdrError('not-ready', `Kafka's storage tool failed: ${output.trim().slice(-1500)}`)
}

/** Boots one broker and stops it: the JVM dumps the classes it loaded when it ends cleanly. */
async function archiveClasses(
  distribution: Distribution,
  scratch: string,
  made: string,
  signal?: AbortSignal,
): Promise<void> {
  const dir = join(scratch, 'warm')
  await mkdir(dir)
  const [port = 0, controllerPort = 0] = await findPorts(2)
  await writeLogDir(distribution.template, join(dir, 'data'), newClusterId(), 1)
  await writeFile(
    join(dir, 'server.properties'),
    writeProperties(loneBroker(join(dir, 'data'), port, controllerPort)),
  )
  const jvm = [...distribution.jvm, `-XX:ArchiveClassesAtExit=${join(made, 'classes.jsa')}`, '-Xlog:cds=off']
  const broker = await startBroker({ name: 'warm-up', dir, distribution: { ...distribution, jvm }, signal })
  await stopBroker(broker)
}

function loneBroker(logDir: string, port: number, controllerPort: number): ReadonlyMap<string, string> {
  const node = { id: 1, port, controllerPort }
  return brokerProperties({ node, nodes: [node], logDir, security: 'none', extra: {} })
}

/** A log dir as the storage tool would have made it for this cluster and node. */
export async function writeLogDir(
  template: string,
  dir: string,
  clusterId: string,
  nodeId: number,
): Promise<void> {
  await mkdir(dir, { recursive: true })
  for (const entry of await readdir(template, { withFileTypes: true })) {
    const [from, to] = [join(template, entry.name), join(dir, entry.name)]
    if (entry.isDirectory()) await cp(from, to, { recursive: true })
    else await copyFile(from, to)
  }
  const ids = [`cluster.id=${clusterId}`, `node.id=${nodeId}`, 'version=1', `directory.id=${newClusterId()}`]
  await writeFile(join(dir, 'meta.properties'), `${ids.join('\n')}\n`)
}

/** 16 random bytes as Kafka writes them. One that began with '-' would be read as an option by Kafka's tools. */
export function newClusterId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A')
}

type Home = { readonly dir: string; readonly version: string }

async function findHome(): Promise<Home | undefined> {
  const dir = process.env['KAFKA_HOME']
  if (dir === undefined || dir === '') return undefined
  const names = await readdir(join(dir, 'libs')).catch((error: unknown) => {
    throw new KdrError('not-ready', `"KAFKA_HOME" is "${dir}", which has no readable folder "libs"`, {
      hint: 'Set `KAFKA_HOME` to an unpacked Kafka, or unset it and let Maven fetch one.',
      cause: error,
    })
  })
  const version = names.map(name => /^kafka_2\.1\d-(\d+\.\d+\.\d+)\.jar$/.exec(name)?.[1]).find(Boolean)
  if (version === undefined)
    throw new KdrError('not-ready', `"KAFKA_HOME" is "${dir}", and there is no Kafka server in its "libs"`)
  return { dir, version }
}

/** An unpacked Kafka logs through log4j, which is silent unless told where; both its generations are told. */
function homeLogging(dir: string): string[] {
  const config = join(dir, 'config')
  return [
    `-Dlog4j.configuration=file:${join(config, 'log4j.properties')}`,
    `-Dlog4j2.configurationFile=${join(config, 'log4j2.yaml')}`,
  ]
}
