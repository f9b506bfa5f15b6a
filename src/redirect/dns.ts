// Leads a name to the other cluster: an UPDATE (RFC 2136) that the server carries out only if the record still says what this
// run has seen there, and if the guard beside it still names the run that it has seen there (dns-guard.ts). Both change in one
// update or not at all, so a controller that stood still while another one moved the record is refused by the server itself.

import { fullName, nameInZone } from '../model/dns-names.ts'
import { KdrError } from '../model/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Redirect, RunFacts } from '../ports/outside.ts'
import { type Guard, guardName, parseGuard, writeGuard } from './dns-guard.ts'
import { type DnsValue, isSameValues, parseValue, showValues, VALUE_TYPES } from './dns-values.ts'
import { CLASS, type DnsRecord, TYPE } from './dns-wire.ts'
import { NameServer } from './name-server.ts'
import { TsigKey } from './tsig.ts'

export type DnsSettings = {
  /** `host:port` of the primary of the zone. */
  readonly server: string
  readonly zone: string
  /** In the zone, or in full. */
  readonly record: string
  /** Undefined: the server takes updates by address. `shown` is safe to print; the key is read each time. */
  readonly tsig: { readonly shown: string; read(): Promise<string> } | undefined
  /** By cluster: addresses, or one name. */
  readonly values: Readonly<Record<string, readonly string[]>>
}

/**
 * Seconds, of the guard and of a record without a TTL of its own. A record keeps the TTL that is found: it is how long
 * applications may still go where it led before, and who runs the zone has chosen it.
 */
const TTL_SECONDS = 5

/** What else may stand at a name, by type; each is asked for, as many servers answer a question for ANY with one of them only. */
const OTHERS: Readonly<Record<string, number>> = {
  NS: 2,
  SOA: TYPE.SOA,
  MX: 15,
  TXT: TYPE.TXT,
  SRV: 33,
  NAPTR: 35,
  SSHFP: 44,
  TLSA: 52,
  SVCB: 64,
  HTTPS: 65,
  CAA: 257,
}

/** What stands at the name server. */
type Standing = {
  readonly records: readonly DnsRecord[]
  /** The TXT record; none before the first run. */
  readonly guardRecords: readonly DnsRecord[]
  readonly guard: Guard | undefined
}

export class DnsRedirect implements Redirect {
  readonly name: string
  readonly #settings: DnsSettings
  readonly #clock: Clock
  readonly #zone: string
  readonly #record: string
  readonly #guard: string

  constructor(settings: DnsSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
    this.#zone = fullName(settings.zone)
    this.#record = nameInZone(settings.record, settings.zone)
    this.#guard = guardName(this.#record)
    this.name = `dns ${this.#record.slice(0, -1)}`
  }

  describe({ active, standby }: RunFacts): string {
    const to = showValues(this.#valuesOf(standby))
    const from = this.#given(active)
    const before = from === undefined ? active : `${showValues(from)} (${active})`
    return `lead "${this.#record}" from ${before} to ${to} (${standby}), at the name server ${this.#settings.server}`
  }

  async isApplied(facts: RunFacts): Promise<boolean> {
    return await this.#with(async server =>
      this.#isMoved(await this.#look(server), facts, facts.standby, false),
    )
  }

  async apply(facts: RunFacts): Promise<void> {
    await this.#with(async server => {
      const standing = await this.#look(server)
      if (this.#isMoved(standing, facts, facts.standby, false)) return
      this.#assertMayMove(standing, facts)
      await this.#move(server, standing, facts, { to: facts.standby, isUndone: false })
    })
  }

  async verify(facts: RunFacts): Promise<void> {
    await this.#with(async server => {
      const { records } = await this.#look(server)
      const wanted = this.#valuesOf(facts.standby)
      if (isSameValues(records, wanted)) return
      throw new KdrError(
        'not-ready',
        `"${this.#record}" does not lead to "${facts.standby}": the name server "${this.#settings.server}" ` +
          `says ${showValues(records)}, not ${showValues(wanted)}`,
      )
    })
  }

  async undo(facts: RunFacts): Promise<void> {
    await this.#with(async server => {
      const standing = await this.#look(server)
      this.#assertNotNewer(standing.guard, facts)
      // This run has not moved it, or has led it back already.
      if (!isOwn(standing, facts) || standing.guard?.isUndone === true) return
      await this.#move(server, standing, facts, { to: facts.active, isUndone: true })
    })
  }

  /** By this run: the record may say the right thing, and the guard not yet whose doing it is. */
  #isMoved(standing: Standing, facts: RunFacts, to: string, isUndone: boolean): boolean {
    const isThere = isSameValues(standing.records, this.#valuesOf(to))
    return isThere && isOwn(standing, facts) && standing.guard?.isUndone === isUndone
  }

  async #move(
    server: NameServer,
    standing: Standing,
    facts: RunFacts,
    { to, isUndone }: { readonly to: string; readonly isUndone: boolean },
  ): Promise<void> {
    this.#assertKnown(standing)
    const wanted = this.#valuesOf(to)
    if (isAlias(wanted) && !isAlias(standing.records)) await this.#assertAlone(server)
    const { run, generation, link } = facts
    const guard = { type: TYPE.TXT, data: writeGuard({ run, generation, link, isUndone }) }
    const changes = [
      ...this.#replacing(this.#record, standing.records, wanted, standing.records[0]?.ttl ?? TTL_SECONDS),
      ...this.#replacing(this.#guard, standing.guardRecords, [guard], TTL_SECONDS),
    ]
    const end = await server.update(this.#unchanged(standing), changes)
    if (end === 'refused') throw await this.#refused(server, wanted)
    if (end === 'conflict') await this.#judgeConflict(server, facts, { to, isUndone })
  }

  /** Somebody was quicker; it may have been this run, whose earlier update was thought lost. */
  async #judgeConflict(
    server: NameServer,
    facts: RunFacts,
    { to, isUndone }: { readonly to: string; readonly isUndone: boolean },
  ): Promise<void> {
    const now = await this.#look(server)
    if (this.#isMoved(now, facts, to, isUndone)) return
    this.#assertMayMove(now, facts)
    this.#assertKnown(now)
    throw new KdrError(
      'not-ready',
      `"${this.#record}" was changed while this run was about to: it says ${showValues(now.records)}`,
      { hint: 'Find out who else changes the record, then run again.' },
    )
  }

  /** Of the same generation and another run: both cannot be right. Led back, it is as if that run had never been. */
  #assertMayMove({ guard }: Standing, facts: RunFacts): void {
    this.#assertNotNewer(guard, facts)
    if (guard === undefined) return
    if (guard.link !== facts.link) {
      throw new KdrError(
        'other-controller',
        `"${this.#record}" is moved by the link "${guard.link}" (run "${guard.run}"), not by "${facts.link}"`,
        { hint: `If that link is no more, take the TXT record "${this.#guard}" away, then run again.` },
      )
    }
    const isRival = guard.generation === facts.generation && guard.run !== facts.run && !guard.isUndone
    if (isRival) throw this.#otherController(guard, facts)
  }

  #assertNotNewer(guard: Guard | undefined, facts: RunFacts): void {
    if (guard === undefined || guard.link !== facts.link || guard.generation <= facts.generation) return
    throw this.#otherController(guard, facts)
  }

  #otherController(guard: Guard, { run, generation }: RunFacts): KdrError {
    return new KdrError(
      'other-controller',
      `"${this.#record}" was moved by run "${guard.run}", of generation ${guard.generation}: ` +
        `run "${run}", of generation ${generation}, must not move it`,
      {
        hint: 'A newer run has been here: see `kdr runs list` where that one was started.',
        facts: { generation: guard.generation, run: guard.run },
      },
    )
  }

  /** Before a change: the record is that of a cluster that it has values for. (Nothing leads it along when the link follows another one.) */
  #assertKnown({ records }: Standing): void {
    const known = Object.keys(this.#settings.values).map((cluster): [string, DnsValue[]] => [
      cluster,
      this.#valuesOf(cluster),
    ])
    if (known.some(([, values]) => isSameValues(records, values))) return
    const expected = known.map(([cluster, values]) => `${showValues(values)} (${cluster})`).join(' or ')
    throw new KdrError(
      'not-ready',
      `"${this.#record}" says ${showValues(records)}, and ${expected} was expected`,
      {
        hint: `Somebody has changed it by hand. Put the record back, or correct \`values\` of the redirect, then run again.`,
        facts: { found: showValues(records) },
      },
    )
  }

  /** A server passes by an alias without a word where anything else stands (RFC 2136, 3.4.2.2): the name would be gone. */
  async #assertAlone(server: NameServer): Promise<void> {
    const others: string[] = []
    for (const [type, number] of Object.entries(OTHERS)) {
      if ((await server.records(this.#record, number)).length > 0) others.push(type)
    }
    if (others.length === 0) return
    throw new KdrError(
      'not-ready',
      `"${this.#record}" cannot become an alias: ${others.join(', ')} records stand there too`,
      { hint: 'Take them away, or give addresses instead of a name in `values` of the redirect.' },
    )
  }

  /** The server refuses an update as a whole: it is asked about each part alone, with a change that changes nothing. */
  async #refused(server: NameServer, wanted: readonly DnsValue[]): Promise<KdrError> {
    const isRefused = async (name: string, type: number, data: Buffer) =>
      (await server.update([], [{ name, type, class: CLASS.NONE, ttl: 0, data }])) === 'refused'
    const types = isAlias(wanted) ? 'CNAME' : 'A AAAA'
    const nobody = parseValue(isAlias(wanted) ? 'kdr.invalid' : '0.0.0.0')
    const parts = [
      ...((await isRefused(this.#record, nobody.type, nobody.data))
        ? [{ what: `the record "${this.#record}"`, grant: `grant KEY name ${this.#record} ${types};` }]
        : []),
      ...((await isRefused(this.#guard, TYPE.TXT, Buffer.from('\x04none')))
        ? [{ what: `the TXT record "${this.#guard}"`, grant: `grant KEY name ${this.#guard} TXT;` }]
        : []),
    ]
    const what = parts.map(part => part.what).join(' and ')
    return new KdrError(
      'not-allowed',
      `the name server "${this.#settings.server}" does not let kdr change ${what === '' ? `"${this.#record}"` : what}`,
      {
        hint:
          `${this.#settings.tsig === undefined ? 'Give the redirect a `tsig` key. ' : ''}Allow it, in BIND with \`update-policy { ${parts.map(({ grant }) => grant).join(' ')} }\`, in Knot by the acl of the zone. ` +
          `In the TXT record kdr keeps which run has moved the record last, so that no stale one can.`,
      },
    )
  }

  /** As prerequisites: each of the record's kinds, and the guard, holds exactly this or nothing. */
  #unchanged({ records, guardRecords }: Standing): DnsRecord[] {
    const asIs = [...records, ...guardRecords].map(record => ({ ...record, ttl: 0 }))
    const kinds: (readonly [string, number])[] = VALUE_TYPES.map(type => [this.#record, type])
    const absent = [...kinds, [this.#guard, TYPE.TXT] as const]
      .filter(([name, type]) => !asIs.some(record => record.name === name && record.type === type))
      .map(([name, type]) => ({ name, type, class: CLASS.NONE, ttl: 0, data: Buffer.alloc(0) }))
    return [...asIs, ...absent]
  }

  /** As changes: each kind that stands there goes as a whole, then what is wanted comes. */
  #replacing(name: string, old: readonly DnsRecord[], wanted: readonly DnsValue[], ttl: number): DnsRecord[] {
    const gone = new Set(old.map(({ type }) => type))
    return [
      ...[...gone].map(type => ({ name, type, class: CLASS.ANY, ttl: 0, data: Buffer.alloc(0) })),
      ...wanted.map(({ type, data }) => ({ name, type, class: CLASS.IN, ttl, data })),
    ]
  }

  /** Where it may change between two of these questions, the update's prerequisites do not hold. */
  async #look(server: NameServer): Promise<Standing> {
    const records: DnsRecord[] = []
    for (const type of VALUE_TYPES) records.push(...(await server.records(this.#record, type)))
    const guardRecords = await server.records(this.#guard, TYPE.TXT)
    const [first] = guardRecords
    return {
      records,
      guardRecords,
      guard: first === undefined ? undefined : parseGuard(first.data, this.#guard),
    }
  }

  async #with<T>(act: (server: NameServer) => Promise<T>): Promise<T> {
    const { server: address, tsig } = this.#settings
    const key = tsig === undefined ? undefined : TsigKey.parse(await tsig.read(), tsig.shown)
    const server = await NameServer.open({ server: address, zone: this.#zone, key, clock: this.#clock })
    try {
      return await act(server)
    } finally {
      server.close()
    }
  }

  #valuesOf(cluster: string): DnsValue[] {
    const values = this.#given(cluster)
    if (values !== undefined) return values
    throw new KdrError('not-ready', `the redirect of "${this.#record}" has no values for "${cluster}"`, {
      hint: 'Give them in `values` of the redirect, then run again.',
    })
  }

  /** Undefined: only both clusters of the link must have some, and it may have followed another one. */
  #given(cluster: string): DnsValue[] | undefined {
    return this.#settings.values[cluster]?.map(parseValue)
  }
}

function isAlias(values: readonly DnsValue[]): boolean {
  return values.some(({ type }) => type === TYPE.CNAME)
}

function isOwn({ guard }: Standing, { run, generation, link }: RunFacts): boolean {
  return guard?.run === run && guard.generation === generation && guard.link === link
}
