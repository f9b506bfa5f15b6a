// Fault row of a source with tiered storage: its log begins in the remote tier.

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after } from 'node:test'
import { faultRow } from '../../support/fault-rows.ts'
import { freshDir, freshTopic, waitFor, withLab } from '../../support/lab.ts'
import { adminOf, assertIdentical, makeLink } from '../../support/link.ts'
import { batchesOnDisk } from '../../support/segments.ts'
import { suite } from '../../support/suite.ts'
import { TIERED_VERSION, tieredProperties } from '../../support/tiered.ts'

const remote = `${freshDir()}-remote`
const context = withLab(
  suite === 'short'
    ? []
    : [
        { name: 'east', version: TIERED_VERSION, properties: await tieredProperties(remote) },
        { name: 'west' },
      ],
)

after(() => rmSync(remote, { recursive: true, force: true }))

const options = { suite: 'full', kafka: `${TIERED_VERSION}, with the storage of its own tests` } as const
faultRow('S24', 'a log that begins in the remote tier', options, async row => {
  const { judge } = context
  const [source, target] = [context.cluster('east'), context.cluster('west')]
  const [east, west] = [adminOf(source), adminOf(target)]
  const topic = freshTopic('tiered')
  row.did(
    'wrote 60 records to a topic with tiered storage, and waited until the first 20 or more were in the remote tier only',
  )
  await judge.createTopic({
    ...east,
    topic,
    configs: { 'remote.storage.enable': 'true', 'segment.ms': '1000', 'local.retention.ms': '1000' },
  })
  // A segment is closed by a record that comes after its time.
  for (let n = 0; n < 3; n++) {
    await judge.produce({ ...east, topic, count: 20, seed: n })
    await new Promise(resolve => setTimeout(resolve, 1_200))
  }
  await waitFor(() => (batchesOnDisk(source, { topic })[0]?.baseOffset ?? 0) >= 20, {
    what: 'the remote tier to take the first segments',
    timeoutMs: 120_000,
    everyMs: 200,
  })

  const link = makeLink({ source, target, settings: { topics: [topic], groups: [] } })
  const result = await link.run('run', '--once', '--timeout', '2m')
  assert.equal(result.code, 0, result.stderr + result.stdout)
  await assertIdentical(judge, { source, target }, [topic])
  const [mirror] = await judge.digest({ ...west, topic })
  assert.deepEqual([mirror?.logStart, mirror?.count], [0, 60])
  row.saw('copied from offset 0 on, through the broker: identical')
})
