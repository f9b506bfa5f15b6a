// A run leads applications to the other cluster by all that `redirect:` names, in its order: a record at a real name server, the
// operator's commands, a file. What each was told, what stood where when it was its turn, and what a run says that one of them stops.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { RunReport } from '../../src/model/runs.ts'
import { guardName, parseGuard, writeGuard } from '../../src/redirect/dns-guard.ts'
import { showValue } from '../../src/redirect/dns-values.ts'
import { CLASS, TYPE } from '../../src/redirect/dns-wire.ts'
import { NameServer } from '../../src/redirect/name-server.ts'
import { TsigKey } from '../../src/redirect/tsig.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { freshTopic, withLab } from '../support/lab.ts'
import { adminOf, type KdrResult, type Link, makeLink } from '../support/link.ts'
import {
  findNameServer,
  isMissing,
  KEY,
  type NameServerKind,
  TestNameServer,
  ZONE,
} from '../support/name-server.ts'
import { linkStatus } from '../support/status.ts'

/** Both of them keep their own tests (redirect-dns.test.ts): here it is the run that is tested. */
const KIND: NameServerKind = findNameServer('knotd') === undefined ? 'named' : 'knotd'
const skip = isMissing(KIND)

const context = withLab(skip === false ? [{ name: 'east' }, { name: 'west' }] : [])
const RECORD = `bootstrap.${ZONE}`
const GUARD = guardName(`${RECORD}.`)
const ADDRESSES = { east: '10.0.0.1', west: '10.1.0.1' }
const TEMPLATE = 'bootstrap.servers={{bootstrap}}\n# {{standby}}, generation {{generation}}, run {{run}}\n'
const FILE_BEFORE = 'bootstrap.servers=east\n'

/** A command that leads somewhere: it keeps what it was told, and what stood in the file then. */
const led = (name: string) => ({
  apply: `printf %s "$KDR_FACTS" > ${name}.json && env | grep ^KDR_ | sort > ${name}.env && cp app.properties ${name}.saw && echo "$KDR_STANDBY" > ${name}.leads && echo apply >> ${name}.log`,
  verify: `echo verify >> ${name}.log; test ! -e ${name}.broken || { echo "half of the applications have not moved"; exit 3; }; test "$(cat ${name}.leads)" = "$KDR_STANDBY"`,
  undo: `echo undo >> ${name}.log; echo "$KDR_ACTIVE" > ${name}.leads`,
})

let server: TestNameServer
let link: Link
let folder: string
const topic = freshTopic('redirected')
const inFolder = (name: string): string => join(folder, name)
const read = (name: string): string => readFileSync(inFolder(name), 'utf8')
const logOf = (name: string): string[] =>
  existsSync(inFolder(`${name}.log`)) ? read(`${name}.log`).trim().split('\n') : []

async function say<T>(act: (at: NameServer) => Promise<T>): Promise<T> {
  const key = TsigKey.parse(KEY, 'env:KEY')
  const at = await NameServer.open({ server: server.address, zone: `${ZONE}.`, key, clock: systemClock })
  try {
    return await act(at)
  } finally {
    at.close()
  }
}

/** What stands at the name server: where the record leads, and which run says so. */
async function atNameServer() {
  return await say(async at => {
    const addresses = await at.records(`${RECORD}.`, TYPE.A)
    const [guard] = await at.records(GUARD, TYPE.TXT)
    return {
      leadsTo: addresses.map(showValue),
      guard: guard === undefined ? undefined : parseGuard(guard.data, `${RECORD}.`),
    }
  })
}

const reportIn = ({ stdout }: KdrResult): RunReport =>
  JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as RunReport
const stepOf = ({ steps }: RunReport, name: string) => steps.find(step => step.name === name)!

/** The sentences of the step that have been told while it was under way. */
function toldOf({ stdout }: KdrResult, name: string): string[] {
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { step?: string; state: string; what: string })
    .filter(({ step, state, what }) => step === name && state === 'running' && what !== '')
    .map(({ what }) => what)
}

/** Nothing fences applications here: there is no authorizer. */
const ACCEPT = ['--yes', '--accept-split-brain', '--json-lines'] as const
const switchover = async (...more: readonly string[]) =>
  await link.start('switchover', link.name, ...ACCEPT, ...more).ended

describe('a run leads applications to the other cluster', { skip }, () => {
  before(async () => {
    const { judge } = context
    server = await TestNameServer.start(KIND, [`bootstrap 30 IN A ${ADDRESSES.east}`])
    process.env['KDR_TEST_REDIRECT_KEY'] = KEY
    const dns = {
      server: server.address,
      zone: ZONE,
      record: 'bootstrap',
      tsig: 'env:KDR_TEST_REDIRECT_KEY',
      values: { east: [ADDRESSES.east], west: [ADDRESSES.west] },
    }
    link = makeLink({
      name: 'led',
      source: context.cluster('east'),
      target: context.cluster('west'),
      settings: {
        topics: [topic],
        redirect: [
          { dns },
          { command: led('first') },
          { template: { from: 'app.tmpl', to: 'app.properties' } },
          { command: led('second') },
        ],
      },
    })
    folder = dirname(link.config)
    writeFileSync(inFolder('app.tmpl'), TEMPLATE)
    writeFileSync(inFolder('app.properties'), FILE_BEFORE)
    await judge.createTopic({ ...adminOf(context.cluster('east')), topic, partitions: 2 })
    await judge.produce({ ...adminOf(context.cluster('east')), topic, count: 20 })
    const copied = await link.run('run', '--once')
    assert.equal(copied.code, 0, copied.stderr)
  })

  after(async () => await server?.stop())

  test('a run that is given up before it has led anybody undoes nothing', async () => {
    const stopped = await link.run('switchover', link.name, '--yes', '--json')
    assert.equal(stopped.code, 15, stopped.stderr)
    const { run } = JSON.parse(stopped.stdout) as RunReport
    const given = await link.run('runs', 'abort', run, '--yes')
    assert.equal(given.code, 0, given.stderr)
    const { object } = await link.json('runs', 'show', run)
    const report = object as unknown as RunReport
    assert.deepEqual([report.state, stepOf(report, 'redirect').state], ['aborted', 'waiting'])
    assert.deepEqual(await atNameServer(), { leadsTo: [ADDRESSES.east], guard: undefined })
    assert.deepEqual([logOf('first'), logOf('second')], [[], []])
    assert.equal(read('app.properties'), FILE_BEFORE)
  })

  test('one that does not lead there stops the run; resumed, all are led there in their order', async () => {
    const { generation } = await linkStatus(link)
    writeFileSync(inFolder('first.broken'), '')
    const stopped = await switchover()
    assert.equal(stopped.code, 21, stopped.stderr)
    const before = reportIn(stopped)
    const { run } = before
    assert.deepEqual([before.state, before.stoppedBy], ['stopped', 'not-ready'])
    assert.match(
      before.sentence ?? '',
      /`verify` of command 1 ended with 3: half of the applications have not moved\. .*--resume/s,
    )
    assert.ok(before.sentence?.includes(`kdr switchover ${link.name} --resume ${run}`), before.sentence)
    assert.deepEqual(
      before.steps.slice(-3).map(({ name, state }) => [name, state]),
      [
        ['promote', 'done'],
        ['redirect', 'failed'],
        ['canary', 'waiting'],
      ],
    )
    // What comes before it in `redirect:` leads there; what comes after it was not touched.
    const guard = { run, generation: generation + 1, link: link.name, isUndone: false }
    const moved = await atNameServer()
    assert.deepEqual(moved.leadsTo, [ADDRESSES.west])
    assert.deepEqual({ ...moved.guard }, guard)
    assert.deepEqual([logOf('first'), logOf('second')], [['verify', 'apply', 'verify'], []])
    assert.equal(read('app.properties'), FILE_BEFORE)
    const refused = await link.run('runs', 'abort', run, '--yes')
    assert.equal(refused.code, 17, refused.stderr)
    assert.deepEqual(await atNameServer(), moved)

    rmSync(inFolder('first.broken'))
    const resumed = await switchover('--resume', run)
    assert.equal(resumed.code, 0, resumed.stderr)
    const report = reportIn(resumed)
    assert.deepEqual([report.run, report.state, report.sentence], [run, 'done', undefined])
    const redirected = stepOf(report, 'redirect')
    assert.deepEqual(
      [redirected.state, redirected.what],
      ['done', `dns ${RECORD}, command 1, template ${inFolder('app.properties')}, command 2 lead to "west"`],
    )
    const told = toldOf(resumed, 'redirect')
    assert.deepEqual(
      told.map(what => what.split(' ')[0]),
      ['lead', 'run', 'write', 'run'],
      told.join('\n'),
    )
    // It leads there by now: it is not led there again.
    assert.deepEqual(logOf('first').slice(3), ['verify', 'verify'])
    assert.deepEqual(logOf('second'), ['verify', 'apply', 'verify'])
    const { bootstrap } = context.cluster('west')
    const written = `bootstrap.servers=${bootstrap}\n# west, generation ${generation + 1}, run ${run}\n`
    assert.equal(read('app.properties'), written)
    assert.deepEqual([read('first.saw'), read('second.saw')], [FILE_BEFORE, written])
    assert.equal(read(`app.properties.kdr-before-${run}`), FILE_BEFORE)
    assert.deepEqual({ ...(await atNameServer()).guard }, guard)
    assert.ok(report.rto.ms >= redirected.ms)

    const facts = {
      run,
      kind: 'switchover',
      link: link.name,
      active: 'east',
      standby: 'west',
      bootstrap,
      generation: generation + 1,
    }
    for (const name of ['first', 'second']) {
      assert.deepEqual(JSON.parse(read(`${name}.json`)), facts)
      const told = Object.fromEntries(
        read(`${name}.env`)
          .trim()
          .split('\n')
          .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      )
      for (const [fact, value] of Object.entries(facts))
        assert.equal(told[`KDR_${fact.toUpperCase()}`], String(value))
    }
    assert.equal((await linkStatus(link)).generation, facts.generation)
  })

  test('a run that a newer one has overtaken at the name server stops, and says so; the way back leads back', async () => {
    const copied = await link.run('run', '--once')
    assert.equal(copied.code, 0, copied.stderr)
    const before = await atNameServer()
    const { run: newer, generation } = { run: 'elsewhere', generation: 99 }
    const replace = async (data: Buffer) => {
      const name = GUARD
      const end = await say(
        async at =>
          await at.update(
            [],
            [
              { name, type: TYPE.TXT, class: CLASS.ANY, ttl: 0, data: Buffer.alloc(0) },
              { name, type: TYPE.TXT, class: CLASS.IN, ttl: 5, data },
            ],
          ),
      )
      assert.equal(end, 'done')
    }
    await replace(writeGuard({ run: newer, generation, link: link.name, isUndone: false }))
    const stopped = await switchover()
    assert.equal(stopped.code, 21, stopped.stderr)
    const report = reportIn(stopped)
    assert.deepEqual([report.state, stepOf(report, 'redirect').state], ['stopped', 'failed'])
    assert.match(report.sentence ?? '', /was moved by run "elsewhere", of generation 99/)
    assert.deepEqual((await atNameServer()).leadsTo, before.leadsTo)
    assert.equal(read('first.leads'), 'west\n')

    await replace(writeGuard(before.guard!))
    const resumed = await switchover('--resume', report.run)
    assert.equal(resumed.code, 0, resumed.stderr)
    const now = await atNameServer()
    assert.deepEqual([now.leadsTo, now.guard?.run], [[ADDRESSES.east], report.run])
    assert.deepEqual([read('first.leads'), read('second.leads')], ['east\n', 'east\n'])
    assert.match(read('app.properties'), new RegExp(`# east, generation .*, run ${report.run}\n`))
    // Nothing is thrown away that stood there before one of the runs.
    assert.equal(readdirSync(folder).filter(name => name.includes('.kdr-before-')).length, 2)
    assert.equal([...logOf('first'), ...logOf('second')].includes('undo'), false)
  })
})
