// Jars from Maven, kept in a cache that all labs of a user share: $KDR_CACHE, else ~/.cache/kdr. A folder of the cache is
// complete or absent: it is filled under another name and renamed.

import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { KdrError } from '../model/errors.ts'
import { runTool } from './processes.ts'

export type Artifact = { readonly group: string; readonly name: string; readonly version: string }

export type Progress = (text: string) => void

export type FetchOptions = { readonly onProgress?: Progress; readonly signal?: AbortSignal }

export function cacheDir(): string {
  const named = process.env['KDR_CACHE']
  return named === undefined || named === '' ? join(homedir(), '.cache', 'kdr') : named
}

/** The broker, its controller and its storage tool, and a logger that writes to stderr. */
export function kafkaJars(version: string, options: FetchOptions = {}): Promise<string> {
  return resolveJars(
    join('kafka', version),
    [
      { group: 'org.apache.kafka', name: 'kafka_2.13', version },
      { group: 'org.slf4j', name: 'slf4j-simple', version: '1.7.36' },
    ],
    options,
  )
}

/** Only Java's clients. */
export function clientJars(version: string, options: FetchOptions = {}): Promise<string> {
  return resolveJars(
    join('kafka-clients', version),
    [
      { group: 'org.apache.kafka', name: 'kafka-clients', version },
      { group: 'org.slf4j', name: 'slf4j-simple', version: '1.7.36' },
    ],
    options,
  )
}

/** The folder that holds `artifacts` and all they need at run time; `key` is its name in the cache. */
export async function resolveJars(
  key: string,
  artifacts: readonly Artifact[],
  { onProgress, signal }: FetchOptions = {},
): Promise<string> {
  const names = artifacts.map(({ name, version }) => `${name} ${version}`)
  return cached(key, async scratch => {
    onProgress?.(`fetching ${names[0] ?? key} with Maven`)
    const pom = join(scratch, 'pom.xml')
    await writeFile(pom, pomOf(artifacts))
    const jars = join(scratch, 'jars')
    // -U: Maven remembers a failed lookup otherwise.
    const args = ['-q', '-B', '-U', '-f', pom, `-DoutputDirectory=${jars}`, '-DincludeScope=runtime']
    const { code, output } = await runTool('mvn', [...args, 'dependency:copy-dependencies'], signal)
    if (code !== 0) {
      const reason = firstError(output)
      throw new KdrError('not-ready', `Maven cannot resolve ${names.join(' and ')}: ${reason}`, {
        hint: 'Check that Maven reaches its repository, then try again.',
        facts: { output: output.slice(-4000) },
      })
    }
    return jars
  })
}

/** `<cache>/key`, which `fill` makes in a scratch folder the first time. `fill` returns what is to be kept of it. */
export async function cached(key: string, fill: (scratch: string) => Promise<string>): Promise<string> {
  const dir = join(cacheDir(), key)
  if (await isDirectory(dir)) return dir
  await mkdir(dirname(dir), { recursive: true })
  const scratch = await mkdtemp(join(cacheDir(), '.scratch-'))
  try {
    const made = await fill(scratch)
    await rename(made, dir).catch(async (error: unknown) => {
      // Another process was first; its content is the same.
      if (!(await isDirectory(dir))) throw error
    })
    return dir
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** A class path with a fixed order, which a shared class archive depends on. */
export async function classPathOf(dir: string): Promise<string> {
  const names = (await readdir(dir)).filter(name => name.endsWith('.jar'))
  return names
    .sort()
    .map(name => join(dir, name))
    .join(':')
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isDirectory(),
    () => false,
  )
}

function firstError(output: string): string {
  const plain = stripVTControlCharacters(output)
  const line = plain.split('\n').find(text => text.startsWith('[ERROR]')) ?? plain.trim().split('\n')[0]
  return (line ?? '').replace('[ERROR] ', '').slice(0, 400)
}

function pomOf(artifacts: readonly Artifact[]): string {
  const dependencies = artifacts.map(
    ({ group, name, version }) =>
      `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`,
  )
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
    '<groupId>kdr</groupId><artifactId>lab</artifactId><version>1</version><packaging>pom</packaging>',
    `<dependencies>${dependencies.join('')}</dependencies></project>`,
    '',
  ].join('\n')
}
