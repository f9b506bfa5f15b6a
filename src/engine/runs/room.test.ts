import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { LogDirView } from '../../ports/cluster.ts'
import { roomAt } from './room.ts'

const GIB = 1024 ** 3
const dir = (usable: number, of: Partial<LogDirView> = {}): LogDirView => ({
  broker: 2,
  code: KafkaCode.NONE,
  path: '/data',
  totalBytes: 100 * GIB,
  usableBytes: usable * GIB,
  ...of,
})
const at = async (...dirs: LogDirView[]) => await roomAt({ logDirs: async () => dirs }, 'west')

describe('room at the standby', () => {
  test('enough is not worth a word; nor is what an old volume does not tell', async () => {
    const unknown = dir(0, { totalBytes: -1, usableBytes: -1 })
    assert.deepEqual(await at(dir(10), dir(99), unknown), { refusals: [], warnings: [] })
  })

  test('little is a warning, next to nothing is a refusal', async () => {
    assert.deepEqual(await at(dir(9.9), dir(1.9)), {
      refusals: [
        'broker 2 of "west" has 1.9 GiB left of 100.0 in /data: make room, or it stops when applications write to it',
      ],
      warnings: ['broker 2 of "west" has 9.9 GiB left of 100.0 in /data'],
    })
  })

  test('what is not known refuses nothing, and is told', async () => {
    const { refusals, warnings } = await at(
      dir(-1, { code: KafkaCode.CLUSTER_AUTHORIZATION_FAILED, path: '' }),
      dir(-1, { code: KafkaCode.KAFKA_STORAGE_ERROR }),
    )
    assert.deepEqual(refusals, [])
    assert.match(warnings[0] ?? '', /not known: kdr lacks DESCRIBE on the cluster/)
    assert.match(warnings[1] ?? '', /log directory \/data: KAFKA_STORAGE_ERROR/)
    const away = { logDirs: () => Promise.reject(new KdrError('unreachable', 'broker 1 is gone')) }
    assert.deepEqual(await roomAt(away, 'west'), {
      refusals: [],
      warnings: ['how full the disks of "west" are is not known: broker 1 is gone'],
    })
  })
})
