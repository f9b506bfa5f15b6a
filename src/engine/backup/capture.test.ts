import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Cluster } from '../../ports/cluster.ts'
import { captureRights } from './capture.ts'

type Seen = Pick<Cluster, 'describeAcls' | 'describeQuotas' | 'describeScramUsers'>

const OPEN: Seen = {
  describeAcls: () => Promise.resolve({ code: KafkaCode.NONE, rules: [] }),
  describeQuotas: () => Promise.resolve({ code: KafkaCode.NONE, quotas: [] }),
  describeScramUsers: () => Promise.resolve({ code: KafkaCode.NONE, users: [] }),
}
const captured = async (changes: Partial<Seen>) =>
  await captureRights({ ...OPEN, ...changes } as unknown as Cluster)

describe('captureRights', () => {
  test('what kdr may not see is left out, and named with the right that shows it', async () => {
    const code = KafkaCode.CLUSTER_AUTHORIZATION_FAILED
    const { rights, notSeen } = await captured({
      describeAcls: () => Promise.resolve({ code, rules: [] }),
      describeQuotas: () => Promise.resolve({ code, quotas: [] }),
    })
    assert.deepEqual(rights, { acls: null, quotas: null, users: [] })
    assert.deepEqual(notSeen, [
      'ACLs are not in the commit: CLUSTER_AUTHORIZATION_FAILED (31) (kdr needs DESCRIBE on the cluster)',
      'quotas are not in the commit: CLUSTER_AUTHORIZATION_FAILED (31) (kdr needs DESCRIBE_CONFIGS on the cluster)',
    ])
  })

  test('what the cluster does not have is no right that is missing', async () => {
    const { rights, notSeen } = await captured({
      describeAcls: () => Promise.resolve({ code: KafkaCode.SECURITY_DISABLED, rules: [] }),
      describeScramUsers: () => Promise.reject(new KdrError('cluster-lacks', 'it is too old')),
    })
    assert.deepEqual([rights, notSeen], [{ acls: null, quotas: [], users: null }, []])
  })
})
