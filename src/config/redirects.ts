// `redirect:` of a link: what is wrong with an entry beyond its shape, and the form in which the rest of kdr gets it.

import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { dnsNameProblem, fullName, nameInZone } from '../model/dns-names.ts'
import type { RedirectConfig } from './config.ts'
import type { Path } from './json-schema.ts'
import { didYouMean } from './problems.ts'
import type { ParsedConfig } from './schema.ts'

type Parsed = ParsedConfig['links'][string]['redirect'][number]
type ParsedDns = NonNullable<Parsed['dns']>
type Report = (path: Path, message: string) => void

/** `directory`: where relative paths start. */
export function redirectsIn(parsed: readonly Parsed[], directory: string): RedirectConfig[] {
  return parsed.flatMap(({ dns, command, template }): RedirectConfig[] => [
    ...(dns === undefined ? [] : [{ kind: 'dns' as const, ...dns, tsig: dns.tsig }]),
    ...(command === undefined
      ? []
      : [{ kind: 'command' as const, apply: command.apply, verify: command.verify, undo: command.undo }]),
    ...(template === undefined
      ? []
      : [
          {
            kind: 'template' as const,
            from: resolve(directory, template.from),
            to: resolve(directory, template.to),
          },
        ]),
  ])
}

/** `clusters`: both of the link. `all`: of the config; the link may follow another one (kdr link follow). */
export function checkRedirect(
  { dns }: Parsed,
  { clusters, all }: { readonly clusters: readonly [string, string]; readonly all: readonly string[] },
  here: Path,
  report: Report,
): void {
  if (dns === undefined) return
  const path = [...here, 'dns']
  checkNames(dns, path, report)
  for (const cluster of clusters) {
    if (dns.values[cluster] === undefined)
      report([...path, 'values'], `has no values for "${cluster}": both clusters of the link need them`)
  }
  for (const [cluster, values] of Object.entries(dns.values)) {
    const at = [...path, 'values', cluster]
    if (all.includes(cluster)) checkValues(values, at, report)
    else report(at, `"${cluster}" is no cluster of the link${didYouMean(cluster, [...clusters])}`)
  }
  const [first, second] = clusters.map(cluster => dns.values[cluster]?.map(fullName).sort().join(' '))
  if (first !== undefined && first === second)
    report([...path, 'values'], 'both clusters have the same values: the record would lead nowhere else')
}

function checkNames({ zone, record }: ParsedDns, path: Path, report: Report): void {
  const zoneProblem = dnsNameProblem(zone)
  if (zoneProblem !== undefined) report([...path, 'zone'], zoneProblem)
  if (record === '@' || zoneProblem !== undefined) return
  // kdr keeps a guard below the record.
  const problem = dnsNameProblem(record) ?? dnsNameProblem(`_kdr.${nameInZone(record, zone)}`)
  if (problem !== undefined) report([...path, 'record'], problem)
  else if (record.endsWith('.') && nameInZone(record, zone) !== fullName(record))
    report([...path, 'record'], `"${record}" is not in the zone "${fullName(zone)}"`)
}

function checkValues(values: readonly string[], path: Path, report: Report): void {
  if (values.length === 0) report(path, 'is empty: the record would be gone')
  const names = values.filter(value => isIP(value) === 0)
  for (const value of names) {
    const problem = dnsNameProblem(value)
    if (problem !== undefined) report(path, problem)
    else if (!value.replace(/\.$/, '').includes('.'))
      report(path, `"${value}" is neither an address nor a full name such as "west-1.kafka.example."`)
    else if (/^[\d.]+$/.test(value)) report(path, `"${value}" is not an address`)
  }
  if (names.length > 0 && values.length > 1)
    report(path, 'a name becomes a CNAME, which stands alone: give one name, or addresses only')
}
