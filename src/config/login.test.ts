import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseConfig } from './load.ts'

const withTls = (tls: string): string => `clusters:\n  east: { bootstrap: "a:1", tls: ${tls} }\n`

describe('`tls` of a cluster', () => {
  test('the oldest version is a number to YAML, and a name to us', () => {
    for (const version of ['1.3', '"1.3"']) {
      const { clusters } = parseConfig(
        withTls(`{ serverName: kafka.example, minVersion: ${version} }`),
        'kdr.yaml',
      )
      assert.deepEqual(clusters['east']?.tls, { serverName: 'kafka.example', minVersion: '1.3' })
    }
  })

  for (const [what, tls, problem] of [
    [
      'an old version',
      '{ minVersion: 1.1 }',
      'kdr.yaml:2:48: clusters.east.tls.minVersion: expected 1.2 or 1.3',
    ],
    [
      'a typo',
      '{ servername: x }',
      'kdr.yaml:2:36: clusters.east.tls.servername: unknown key `servername` (did you mean "serverName"?)',
    ],
  ] as const)
    test(`${what} is refused with its place`, () => {
      assert.throws(() => parseConfig(withTls(tls), 'kdr.yaml'), { message: problem })
    })
})
