// The stranded tail is exported before anything is touched: per partition a plain log segment (raw batches at their true offsets, markers
// too) and JSON lines, with how each transaction ended; last a manifest with counts and checksums, which says that it is complete.
// A run that is resumed writes the same objects again, each whole or not at all, unless the manifest stands.
import type { RawBatch } from '../../model/batch.ts'
import { KdrError } from '../../model/errors.ts'
import { recordAsJson } from '../../model/record-text.ts'
import type { StepData } from '../../model/runs.ts'
import {
  hasRecords,
  missingFlags,
  type Stranded,
  strandedSentence,
  withEarlier,
} from '../../model/stranded.ts'
import type { ExportPlace, RunContext, StepEnd } from './context.ts'
import { nameOf } from './mirrors.ts'
import { readLog } from './read-log.ts'
import { activeStore, returnedOf } from './returned.ts'
import { fateOf, observeTails, type Tail } from './tails.ts'

/** Of raw batches in one object. */
const OBJECT_BYTES = 32 * 1024 * 1024
export const MANIFEST = 'manifest.json'

export type ExportedObject = {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
  readonly records: number
}
export type ExportedPartition = Omit<Stranded['partitions'][number], 'state' | 'older'> & {
  readonly topicId: string
  readonly objects: readonly ExportedObject[]
}
/** `manifest.json` of an export. */
export type Manifest = {
  readonly v: 1
  readonly kind: 'stranded'
  readonly link: string
  /** The one that has exported it. */
  readonly run: string
  readonly failover: string
  readonly cluster: string
  readonly clusterId: string
  readonly records: number
  readonly hidden: number
  readonly offsets: number
  readonly partitions: readonly ExportedPartition[]
}

type Data = StepData['export']

export async function exportTails(context: RunContext): Promise<StepEnd<'export'>> {
  const { record, target, source, codec, settings } = context
  const { failover, cuts } = returnedOf(context)
  if (source === undefined) throw new KdrError('unreachable', `"${record.active}" does not answer`)
  const { stranded, tails } = await observeTails({
    link: record.link,
    topics: settings.topics,
    failover,
    cuts,
    returned: target,
    active: source,
    store: activeStore(context),
    codec,
  })
  assertApproved(context, stranded)
  const before = context.dataOf('export')
  const data = (await isThere(context, before, stranded))
    ? before!
    : await exportAll(context, stranded, tails)
  const what = wordsOf(context, data)
  await returnedOf(context).tellFailover({
    name: 'export',
    state: 'done',
    startedAt: context.clock.now(),
    ms: 0,
    what,
    data: allOf(data, returnedOf(context).told),
  })
  return { what, data }
}

/** All that the failover has lost, and where it is: a failback before this one may have exported and deleted a part of it. */
function allOf(data: Data, told: Data | undefined): Data {
  const stranded = withEarlier(data.stranded, told?.stranded)
  if (stranded === data.stranded) return data
  const [earlier, own] = [told?.location ?? '', data.location ?? '']
  const location = earlier.includes(own) ? earlier : [earlier, own].filter(place => place !== '').join(', ')
  return { ...data, stranded, ...(location !== '' && { location }) }
}

/** Throws KdrError('would-lose') with the flags that are missing. */
function assertApproved(
  { record, options }: Pick<RunContext, 'record' | 'options'>,
  stranded: Stranded,
): void {
  const missing = missingFlags(stranded, options)
  if (missing.length === 0) return
  throw new KdrError('would-lose', strandedSentence(stranded), {
    hint: `Read the plan (--dry-run), then go on with: kdr ${record.kind} ${record.link} --resume ${record.run} ${missing.join(' ')}`,
    facts: { missing },
  })
}

/** What an earlier attempt has exported is still all that there is. */
async function isThere(
  { services, record }: RunContext,
  before: Data | undefined,
  stranded: Stranded,
): Promise<boolean> {
  if (before === undefined || !isSameTail(before.stranded, stranded)) return false
  if (before.location === undefined) return !hasRecords(stranded)
  const { exportTo = '' } = record
  return (await services.openExport(exportTo).sizeOf(`${record.run}/${MANIFEST}`)) !== undefined
}

/**
 * Before a topic is deleted: all that was exported of it is there, as long as it was written. Throws KdrError('damaged').
 */
export async function assertExportStands(
  { services, record }: Pick<RunContext, 'services' | 'record'>,
  { location, stranded }: Data,
  topic: string,
): Promise<void> {
  const held = stranded.partitions.filter(
    ({ state, cut, end, ...each }) => each.topic === topic && state === 'diverged' && end > cut,
  )
  const isEmpty = held.every(({ records, hidden }) => records + hidden === 0)
  if (held.length === 0 || (isEmpty && location === undefined)) return
  const place = services.openExport(record.exportTo ?? '')
  const text = location === undefined ? undefined : await place.read(`${record.run}/${MANIFEST}`)
  if (text === undefined) throw notThere(record, topic, MANIFEST)
  const { partitions } = JSON.parse(text.toString()) as Manifest
  for (const at of held) {
    const exported = partitions.find(each => nameOf(each) === nameOf(at))
    if (exported?.end !== at.end) throw notThere(record, topic, `${nameOf(at)} in ${MANIFEST}`)
    for (const { name, bytes } of exported.objects)
      if ((await place.sizeOf(`${record.run}/${name}`)) !== bytes) throw notThere(record, topic, name)
  }
}

function notThere({ exportTo = '', run }: RunContext['record'], topic: string, what: string): KdrError {
  return new KdrError(
    'damaged',
    `"${topic}" is not deleted: what was exported of it is not whole at "${exportTo}" (${what})`,
    {
      hint: `Put that back, and resume; or give the run up (kdr runs abort ${run}) and begin again: another one exports it anew.`,
    },
  )
}

/** By where the logs end: what retention has taken since is in the export, and nowhere else. */
function isSameTail(before: Stranded, now: Stranded): boolean {
  const ends = ({ partitions }: Stranded): string =>
    partitions
      .map(({ topic, partition, end }) => `${topic}/${partition} ${end}`)
      .toSorted()
      .join()
  return ends(before) === ends(now)
}

async function exportAll(context: RunContext, stranded: Stranded, tails: readonly Tail[]): Promise<Data> {
  const { record, services, options, guard, progress } = context
  const only = tails.filter(({ state, end, cut }) => state !== 'clean' && end > cut)
  if (options.exportTo === undefined || only.length === 0) return { stranded, objects: 0, bytes: 0 }
  const place = services.openExport(options.exportTo)
  const folders = foldersOf(only)
  const partitions: ExportedPartition[] = []
  for (const tail of only) {
    await guard()
    progress(`exports "${tail.topic}/${tail.partition}" to ${place.name}`)
    const folder = `${folders.get(tail.topic)!}-${tail.partition}`
    partitions.push(await exportTail(context, { place, folder }, tail))
  }
  const { records, offsets, run: failover, cluster } = stranded
  const manifest: Manifest = {
    v: 1,
    kind: 'stranded',
    link: record.link,
    run: record.run,
    failover,
    cluster,
    clusterId: record.standbyClusterId,
    records,
    hidden: partitions.reduce((sum, { hidden }) => sum + hidden, 0),
    offsets,
    partitions,
  }
  const text = Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`)
  await place.put(`${record.run}/${MANIFEST}`, [text])
  const objects = partitions.flatMap(each => each.objects)
  const bytes = objects.reduce((sum, each) => sum + each.bytes, 0)
  return { stranded, location: `${place.name}/${record.run}`, objects: objects.length + 1, bytes }
}

type Into = { readonly place: ExportPlace; readonly folder: string }

async function exportTail(context: RunContext, into: Into, tail: Tail): Promise<ExportedPartition> {
  const { target, record } = context
  const objects: ExportedObject[] = []
  let gathered: RawBatch[] = []
  let bytes = 0
  const write = async (): Promise<void> => {
    if (gathered.length === 0) return
    objects.push(...(await writeSegment(context, into, tail, gathered)))
    gathered = []
    bytes = 0
  }
  // Cut by the bytes of whole batches: whoever writes this again cuts it where it was cut.
  await readLog(target, tail, { from: tail.cut, to: tail.end }, async batches => {
    for (const batch of batches) {
      gathered.push(batch)
      bytes += batch.bytes.length
      if (bytes >= OBJECT_BYTES) await write()
    }
    return true
  })
  await write()
  const { state: _state, older: _older, fates: _fates, leader: _leader, isCut: _isCut, ...of } = tail
  const seen = objects.reduce((sum, each) => sum + (each.name.endsWith('.jsonl') ? each.records : 0), 0)
  if (seen !== tail.records + tail.hidden)
    throw new KdrError(
      'not-ready',
      `"${tail.topic}/${tail.partition}" of "${record.standby}" changed while it was exported`,
      { hint: `Stop who writes there, then: kdr ${record.kind} ${record.link} --resume ${record.run}` },
    )
  return { ...of, objects }
}

async function writeSegment(
  { record, codec }: RunContext,
  { place, folder }: Into,
  tail: Tail,
  batches: readonly RawBatch[],
): Promise<ExportedObject[]> {
  const { topic, partition } = tail
  const base = String(batches[0]!.header.baseOffset).padStart(20, '0')
  const name = `${record.run}/${folder}/${base}`
  const lines = batches
    .filter(({ header }) => !header.isControl)
    .flatMap(batch =>
      codec
        .decode(batch)
        .filter(({ offset }) => offset >= tail.cut)
        .map(each => `${JSON.stringify(lineOf(tail, batch, { topic, partition, ...each }))}\n`),
    )
  const raw = batches.map(each => each.bytes)
  const text = Buffer.from(lines.join(''))
  const written = async (object: string, body: readonly Uint8Array[]): Promise<ExportedObject> => ({
    name: object.slice(record.run.length + 1),
    bytes: body.reduce((sum, { length }) => sum + length, 0),
    sha256: await place.put(object, body),
    records: lines.length,
  })
  return [await written(`${name}.log`, raw), await written(`${name}.jsonl`, [text])]
}

/** `transaction`: left out of records that are in none. */
function lineOf({ fates }: Tail, { header }: RawBatch, record: Parameters<typeof recordAsJson>[0]): object {
  const { producerId, isTransactional } = header
  return {
    ...recordAsJson(record),
    ...(producerId >= 0n && { producerId: String(producerId) }),
    ...(isTransactional && { transaction: fateOf(fates, { producerId, offset: header.baseOffset }) }),
  }
}

/**
 * By topic. Names of objects begin with a letter, a digit or `_`, and where they go upper and lower case may be one: topics that would meet
 * there have their ids behind their names.
 */
export function foldersOf(
  topics: readonly { readonly topic: string; readonly topicId: string }[],
): Map<string, string> {
  const plain = (topic: string): string => (/^[A-Za-z0-9_]/.test(topic) ? topic : `_${topic}`)
  const ids = new Map(topics.map(({ topic, topicId }) => [topic, topicId]))
  const meeting = Map.groupBy(ids.keys(), topic => plain(topic).toLowerCase())
  return new Map(
    [...ids].map(([topic, id]) => {
      const isAlone = meeting.get(plain(topic).toLowerCase())!.length === 1
      return [topic, isAlone ? plain(topic) : `${plain(topic)}.${id}`]
    }),
  )
}

function wordsOf({ record }: RunContext, { stranded, location, objects }: Data): string {
  const only = stranded.partitions.filter(({ state }) => state !== 'clean')
  const topics = new Set(only.map(({ topic }) => topic))
  if (topics.size === 0) return `"${record.standby}" has nothing that "${record.active}" has not`
  const what = `${stranded.records} record(s) in ${stranded.offsets} offset(s) of ${topics.size} topic(s) stand at "${record.standby}" alone`
  return location === undefined ? what : `${what}: exported to ${location} (${objects} objects)`
}
