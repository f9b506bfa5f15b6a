import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type ClusterConfig, SecretRef } from '../config/index.ts'
import { optionsOf } from './clusters.ts'
import { systemClock } from './system.ts'

const folder = mkdtempSync(join(tmpdir(), 'kdr-clusters-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'secret')
const secret = SecretRef.parse(`file:${file}`, folder)
const cluster = (changes: Partial<ClusterConfig>): ClusterConfig => ({
  name: 'east',
  bootstrap: ['a:1'],
  rack: undefined,
  tls: undefined,
  sasl: undefined,
  ...changes,
})

describe('secrets of a cluster', () => {
  const sasls = [
    { mechanism: 'PLAIN', username: 'kdr', password: secret },
    { mechanism: 'OAUTHBEARER', token: secret },
  ] as const
  for (const sasl of sasls)
    test(`${sasl.mechanism}: read at each login; one that is away for a moment is tried again`, async () => {
      rmSync(file, { force: true })
      const { sasl: options } = await optionsOf(cluster({ sasl }), systemClock)
      const given = options?.mechanism === 'OAUTHBEARER' ? options.token : options?.password
      assert.ok(typeof given === 'function')
      // As long as it could never be read, the config may be wrong.
      await assert.rejects(async () => await given(), { code: 'config-invalid' })
      writeFileSync(file, 'first\n')
      assert.equal(await given(), 'first')
      writeFileSync(file, 'second\n')
      assert.equal(await given(), 'second')
      rmSync(file)
      await assert.rejects(async () => await given(), { code: 'not-allowed', message: /the secret "file:/ })
      writeFileSync(file, 'third\n')
      assert.equal(await given(), 'third')
    })

  test('TLS: the name to expect, the oldest version, and files that are read when they are needed', async () => {
    const { tls } = await optionsOf(
      cluster({ tls: { ca: secret, serverName: 'kafka.example', minVersion: '1.3' } }),
      systemClock,
    )
    assert.deepEqual([tls?.serverName, tls?.minVersion], ['kafka.example', 'TLSv1.3'])
    writeFileSync(file, 'one')
    assert.deepEqual(await tls?.read(), { ca: 'one', cert: undefined, key: undefined })
  })
})
