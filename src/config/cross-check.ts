// What no single value shows: names that lead nowhere, a link from a cluster to itself, overrides that contradict each
// other. Errors refuse the file; notes are only said by `config check`.

import { findCircles } from './circles.ts'
import { whyNotOverridable } from '../model/link-settings.ts'
import type { ConfigDocument, Problem } from './document.ts'
import { configJsonSchema, type JsonSchema, type Path, stepInto } from './json-schema.ts'
import { checkPlan } from './plans.ts'
import { at, didYouMean, spellPath } from './problems.ts'
import { checkRedirect } from './redirects.ts'
import type { ParsedConfig } from './schema.ts'

export function crossCheck(config: ParsedConfig, document: ConfigDocument): Problem[] {
  const problems: Problem[] = []
  const report = (path: Path, message: string) => {
    problems.push({ place: document.placeOf(path), message: `${at(path)}${message}` })
  }
  const known = (kind: 'clusters' | 'links' | 'vaults', value: string, path: Path) => {
    const names = Object.keys(config[kind] ?? {})
    if (!names.includes(value)) report(path, `\`${kind}\` has no "${value}"${didYouMean(value, names)}`)
  }

  for (const [name, link] of Object.entries(config.links)) {
    const here = ['links', name]
    known('clusters', link.source, [...here, 'source'])
    known('clusters', link.target, [...here, 'target'])
    checkEnds(config, link.source, link.target, here, report)
    for (const [index, override] of link.overrides.entries())
      checkOverride(override, [...here, 'overrides', index], report)
    for (const [index, redirect] of link.redirect.entries())
      checkRedirect(
        redirect,
        { clusters: [link.source, link.target], all: Object.keys(config.clusters) },
        [...here, 'redirect', index],
        report,
      )
  }
  checkCircles(config, report)
  for (const [name, plan] of Object.entries(config.plans)) {
    for (const [index, links] of plan.links.entries())
      for (const link of [links].flat()) known('links', link, ['plans', name, 'links', index])
    checkPlan(plan, { name, links: Object.keys(config.links) }, report)
  }
  for (const [name, { url, lock, kmsKey, encryption }] of Object.entries(config.vaults)) {
    if (lock !== undefined && !url.startsWith('s3:'))
      report(['vaults', name, 'lock'], 'only a bucket can lock what is in it')
    if (kmsKey !== undefined && encryption !== 'aws:kms')
      report(['vaults', name, 'kmsKey'], 'goes with `encryption: aws:kms`')
  }
  for (const [name, set] of Object.entries(config.sets)) {
    known('clusters', set.cluster, ['sets', name, 'cluster'])
    known('vaults', set.vault, ['sets', name, 'vault'])
    checkUpkeep(set, ['sets', name], report)
  }
  const { every, window, check } = config.monitor
  if (window < 3 * every) report(['monitor', 'window'], 'must be three times `every` at least')
  if (check !== undefined && check < CHECK_AT_LEAST_MS)
    report(
      ['monitor', 'check'],
      'must be a minute at least, or `never`: it asks every broker and every vault',
    )
  return problems
}

/** For so long everybody gets the same check. */
const CHECK_AT_LEAST_MS = 60_000

/** A prune relies on a full verification of the last 7 days. */
const PRUNE_NEEDS_MS = 7 * 86_400_000

function checkUpkeep(
  { every, verify, keep }: ParsedConfig['sets'][string],
  here: Path,
  report: Report,
): void {
  if (verify !== undefined && every === undefined)
    report([...here, 'verify'], 'goes with `every:`: `kdr run` leaves alone what is backed up by hand')
  if (keep?.prune !== 'auto') return
  const path = [...here, 'keep', 'prune']
  if (keep.days === undefined) report(path, '`auto` needs `days:`: what is older is dropped')
  if (verify === undefined || verify > PRUNE_NEEDS_MS)
    report(
      path,
      '`auto` needs `verify:` of at most 7d in the set: a prune relies on a full verification that is no older',
    )
}

type Report = (path: Path, message: string) => void

function checkEnds(config: ParsedConfig, source: string, target: string, here: Path, report: Report): void {
  if (source === target) {
    report([...here, 'target'], `source and target are both "${source}"`)
    return
  }
  const atSource = config.clusters[source]?.bootstrap ?? []
  const shared = config.clusters[target]?.bootstrap.find(address => atSource.includes(address))
  if (shared !== undefined)
    report(
      [...here, 'target'],
      `"${source}" and "${target}" are the same cluster: both have the address "${shared}"`,
    )
}

/** At the last link of each circle. Links of mode `shared` are made for circles. */
function checkCircles(config: ParsedConfig, report: Report): void {
  const links = Object.entries(config.links)
    .filter(([, { mode }]) => mode === 'exact')
    .map(([name, { source, target, topics }]) => ({
      name,
      source: onePlace(config, source),
      target: onePlace(config, target),
      topics,
    }))
  for (const { links: circle, example } of findCircles(links)) {
    const last = circle.at(-1)?.name ?? ''
    const path = [
      ...circle.map(({ name }) => config.links[name]?.source ?? ''),
      config.links[last]?.target ?? '',
    ]
    report(
      ['links', last],
      `makes a circle (${path.join(' → ')}) with ${circle
        .slice(0, -1)
        .map(({ name }) => `"${name}"`)
        .join(' and ')}: all of them take a topic ` +
        `such as "${example}", and an exact mirror has one writer. Let their \`topics:\` differ, as with "!${example}"`,
    )
  }
}

/** Clusters with a common address are one: the name of the first of them. */
function onePlace(config: ParsedConfig, name: string): string {
  const own = config.clusters[name]?.bootstrap ?? []
  const same = Object.entries(config.clusters).find(([, { bootstrap }]) =>
    bootstrap.some(address => own.includes(address)),
  )
  return same?.[0] ?? name
}

function checkOverride(
  override: {
    readonly replicationFactor?: number | undefined
    readonly configs: Readonly<Record<string, string>>
  },
  here: Path,
  report: Report,
): void {
  if (override.replicationFactor === undefined && Object.keys(override.configs).length === 0) {
    report(here, 'overrides nothing: give `replicationFactor` or `configs`')
  }
  for (const config of Object.keys(override.configs)) {
    const reason = whyNotOverridable(config)
    if (reason !== undefined) report([...here, 'configs', config], `cannot be overridden: ${reason}`)
  }
  const minimum = override.configs['min.insync.replicas']
  if (minimum === undefined) return
  const path = [...here, 'configs', 'min.insync.replicas']
  if (!/^[1-9]\d*$/.test(minimum)) report(path, `expected a whole number, found \`${minimum}\``)
  else if (override.replicationFactor !== undefined && Number(minimum) > override.replicationFactor) {
    report(
      path,
      `${minimum} in-sync replicas of ${override.replicationFactor} replicas can never be: nothing could be written`,
    )
  }
}

/** What is right but worth saying: keys that a later release uses, secrets written in the file, links that may collide. */
export function notesOn(config: ParsedConfig, document: ConfigDocument): Problem[] {
  const notes: Problem[] = []
  walk(document.value, [configJsonSchema()], [], (path, schemas, value) => {
    if (schemas.some(schema => schema['x-later'] === true)) {
      notes.push({
        place: document.placeOfKey(path),
        message: `${spellPath(path)}: not available yet; it has no effect`,
      })
      return 'stop'
    }
    if (schemas.some(schema => schema.writeOnly === true) && typeof value === 'string' && isLiteral(value)) {
      notes.push({
        place: document.placeOf(path),
        message: `${at(path)}is written in the file; \`env:NAME\`, \`file:PATH\` or \`exec:COMMAND\` keep it out`,
      })
    }
    return 'go-on'
  })
  for (const [name, { url }] of Object.entries(config.vaults)) {
    if (/^(file|s3):/.test(url)) continue
    notes.push({
      place: document.placeOf(['vaults', name, 'url']),
      message: `vaults.${name}.url: \`${url.slice(0, url.indexOf(':'))}:\` is not available yet; use a folder, \`file:///path\`, or \`s3://bucket/prefix\``,
    })
  }
  const links = Object.entries(config.links)
  for (const [name, link] of links) {
    if (link.mode === 'shared') {
      notes.push({
        place: document.placeOf(['links', name, 'mode']),
        message: `links.${name}.mode: \`shared\` is not available yet; the link cannot run`,
      })
    }
    const reverse = links.find(
      ([, other]) => other.source === link.target && other.target === link.source,
    )?.[0]
    if (reverse !== undefined && reverse > name) {
      notes.push({
        place: document.placeOfKey(['links', reverse]),
        message: `links.${reverse}: runs against \`${name}\`; their topics must differ, as an exact mirror has one writer`,
      })
    }
  }
  return notes.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
}

function isLiteral(value: string): boolean {
  return !/^(env|file|exec):/.test(value)
}

type Visit = (path: Path, schemas: readonly JsonSchema[], value: unknown) => 'go-on' | 'stop'

/** Goes through what the file says, with what the schema says about each value. */
function walk(value: unknown, schemas: readonly JsonSchema[], path: Path, visit: Visit): void {
  if (typeof value !== 'object' || value === null) return
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  for (const [step, inner] of entries as [string | number, unknown][]) {
    const below = schemas.flatMap(schema => stepInto(schema, step))
    if (visit([...path, step], below, inner) === 'go-on') walk(inner, below, [...path, step], visit)
  }
}
