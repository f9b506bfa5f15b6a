// docs/journey.md, command by command, against real brokers: the text is what is run. What happens to the clusters between its sections
// stands here.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { RunSummary } from '../../src/model/runs.ts'
import { withLab } from '../support/lab.ts'
import { adminOf, type Link, makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const QUICK = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }
const context = withLab(
  suite === 'short'
    ? []
    : [
        { name: 'east', properties: QUICK },
        { name: 'west', properties: QUICK },
      ],
)
const TOPICS = ['orders', 'users']
const folder = mkdtempSync(join(tmpdir(), 'kdr-stranded-'))

type Section = { readonly title: string; readonly commands: readonly string[] }

/** Its commands, by section. */
function sections(): Section[] {
  const text = readFileSync(new URL('../../docs/journey.md', import.meta.url), 'utf8')
  return text
    .split(/^## /m)
    .slice(1)
    .map(part => ({
      title: part.slice(0, part.indexOf('\n')),
      commands: [...part.matchAll(/```sh\n([^]*?)```/g)]
        .flatMap(([, block = '']) => block.split('\n'))
        .filter(line => line.startsWith('kdr ')),
    }))
}

const at = (name: string) => adminOf(context.cluster(name))
const write = async (name: string, topics: readonly string[], count: number): Promise<void> => {
  for (const topic of topics) await context.judge.produce({ ...at(name), topic, count })
}

/** What befalls the clusters before a section begins. */
const BEFORE: Readonly<Record<string, () => Promise<void>>> = {
  '1. Set up': async () => {
    for (const topic of TOPICS) await context.judge.createTopic({ ...at('east'), topic, partitions: 2 })
    await write('east', TOPICS, 100)
  },
  '3. Home again': async () => await write('west', TOPICS, 20),
  '4. East is lost': async () => {
    // `kdr run` lives somewhere; then the last of it is never copied.
    await made().run('run', '--once')
    await write('east', ['orders'], 30)
    await context.cluster('east').kill()
  },
  '5. East is back': async () => {
    await write('west', TOPICS, 10)
    await context.cluster('east').start()
  },
}

async function newestFailover(link: Link): Promise<string> {
  const { object } = await link.json('runs', 'list')
  const runs = (object as { runs: RunSummary[] }).runs
  return runs.find(({ kind }) => kind === 'failover')?.run ?? 'RUN'
}

/** As a shell takes it. */
async function wordsOf(link: Link, command: string): Promise<string[]> {
  const text = command.replace(/\s+#.*$/, '').replace(/^kdr /, '')
  const words = [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
  const run = words.includes('RUN') ? await newestFailover(link) : ''
  return words.map(word => (word === 'RUN' ? run : word === './stranded' ? folder : word))
}

describe('the guide of the whole journey', { skip, concurrency: 1 }, () => {
  for (const { title, commands } of sections())
    test(title, async () => {
      const link = made()
      await BEFORE[title]?.()
      assert.ok(commands.length > 0)
      for (const command of commands) {
        const expected = Number(/# exit (\d+)/.exec(command)?.[1] ?? 0)
        const { code, stdout, stderr } = await link.run(...(await wordsOf(link, command)))
        assert.equal(code, expected, `${command}\n${stdout}\n${stderr}`)
      }
    })

  test('where it leads: home, nothing lost, and the stranded records beside', async () => {
    const { judge } = context
    const { partitions } = await judge.compare({ a: at('east'), b: at('west'), topics: TOPICS })
    for (const each of partitions) assert.ok(each.identical, JSON.stringify(each))
    const kept = await judge.list({ ...at('east'), topic: 'orders' })
    const stranded = await judge.list({ ...at('east'), topic: 'orders.stranded' })
    assert.deepEqual([kept.length, stranded.length], [100 + 20 + 10, 30])
  })
})

let only: Link | undefined
function made(): Link {
  only ??= makeLink({
    name: 'east-west',
    source: context.cluster('east'),
    target: context.cluster('west'),
    settings: { topics: TOPICS, fence: { acl: false, command: 'true' } },
  })
  return only
}
