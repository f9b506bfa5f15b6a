// A backup takes the rights that `kdr config acls` prints and no others; without any one of them it says what is left out, and which right
// that wants.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { withLab } from '../support/lab.ts'
import { adminOf, KDR_USER, type KdrResult, runKdrHere } from '../support/link.ts'
import { giveExactly, LEARNS_MS, type Line, lineName, printedLines } from '../support/printed-rights.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const context = withLab(skip === false ? [{ name: 'east', security: 'acl' }] : [])
const at = (name: string) => adminOf(context.cluster(name))
const all = ({ stdout, stderr }: KdrResult): string => `${stdout}\n${stderr}`

describe('a backup', { skip, concurrency: 1 }, () => {
  const SAID: Readonly<Record<string, RegExp>> = {
    'east TOPIC READ': /"orders" is not shown to kdr any more \(.* \(kdr needs READ on it\)\)/,
    'east TOPIC DESCRIBE_CONFIGS':
      /the configs of "orders" cannot be read: .* \(kdr needs DESCRIBE_CONFIGS on it\)/,
    'east GROUP DESCRIBE': /the offsets of group "readers" cannot be read: .* \(kdr needs DESCRIBE on it\)/,
    'east TRANSACTIONAL_ID DESCRIBE':
      /which transactions were open is not in the commit, .*\(kdr needs DESCRIBE on all transactional ids\)/,
    'east CLUSTER DESCRIBE': /ACLs are not in the commit: .* \(kdr needs DESCRIBE on the cluster\)/,
    'east CLUSTER DESCRIBE_CONFIGS':
      /quotas are not in the commit: .* \(kdr needs DESCRIBE_CONFIGS on the cluster\)/,
  }
  const dir = mkdtempSync(join(tmpdir(), 'kdr-rights-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const config = join(dir, 'kdr.yaml')
  const kdr = async (...args: string[]) => await runKdrHere([...args, '--config', config])
  const backUp = async (lines: readonly Line[]): Promise<KdrResult> => {
    await giveExactly(context, ['east'], lines)
    await sleep(LEARNS_MS)
    return await kdr('backup', 'run', 'all')
  }

  before(async () => {
    const { judge } = context
    const sasl = { mechanism: 'plain', ...KDR_USER }
    writeFileSync(
      config,
      JSON.stringify({
        clusters: { east: { bootstrap: context.cluster('east').bootstrap, sasl } },
        vaults: { main: { url: pathToFileURL(join(dir, 'vault')).href } },
        sets: { all: { cluster: 'east', vault: 'main', topics: ['orders'] } },
      }),
    )
    await judge.createTopic({ ...at('east'), topic: 'orders' })
    await judge.produce({ ...at('east'), topic: 'orders', count: 10 })
    await judge.produce({ ...at('east'), topic: 'orders', transactionalId: 'tx', count: 3, end: 'open' })
    const offsets = [{ topic: 'orders', partition: 0, offset: 7 }]
    await judge.alterGroupOffsets({ ...at('east'), group: 'readers', offsets })
    const made = await kdr('vault', 'init', 'main')
    assert.equal(made.code, 0, all(made))
  })

  test('with the rights that are printed: nothing is left out', async () => {
    const lines = await printedLines(config, 'backup')
    assert.deepEqual(lines.map(lineName).toSorted(), Object.keys(SAID).toSorted())
    const made = await backUp(lines)
    assert.equal(made.code, 0, all(made))
    assert.doesNotMatch(all(made), /^!/m)
    assert.match(made.stdout, /10 records of 1 partition, 1 group/)
  })

  for (const [what, sentence] of Object.entries(SAID))
    test(`without ${what}`, async () => {
      const lines = await printedLines(config, 'backup')
      const made = await backUp(lines.filter(line => lineName(line) !== what))
      assert.match(all(made), sentence)
    })

  test('and with all of them again', async () => {
    const made = await backUp(await printedLines(config, 'backup'))
    assert.equal(made.code, 0, all(made))
    assert.doesNotMatch(all(made), /^!/m)
  })
})
