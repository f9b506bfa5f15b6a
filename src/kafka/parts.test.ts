import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AuthenticationError, NetworkError } from '@platformatic/kafka'
import { parseBootstrap } from './cluster.ts'
import { toKdrError } from './failure.ts'
import { markerLevels } from './raw/write-txn-markers.ts'
import { APIS, BrokerVersions } from './versions.ts'

describe('bootstrap addresses', () => {
  it('reads lists, spaces and IPv6', () => {
    assert.deepEqual(parseBootstrap('east', ' a.example:9092, [::1]:9093,'), [
      { host: 'a.example', port: 9092 },
      { host: '::1', port: 9093 },
    ])
  })
  for (const text of ['a.example', 'a:0', 'a:70000', '::1:9092', 'http://a:1']) {
    it(`refuses ${text}`, () => assert.throws(() => parseBootstrap('east', text), { code: 'config-invalid' }))
  }
})

describe('versions', () => {
  const all = Object.values(APIS).map(({ key, max }) => ({ apiKey: key, minVersion: 0, maxVersion: max + 3 }))
  it('takes the highest that both speak', () => {
    const versions = new BrokerVersions('broker', all)
    assert.deepEqual(
      [versions.need('Fetch'), versions.need('EndTxn'), versions.has('WriteTxnMarkers')],
      [17, 3, true],
    )
  })
  it('names what is missing', () => {
    const without = all.filter(range => range.apiKey !== APIS.DescribeProducers.key)
    const versions = new BrokerVersions('broker "east" a:1', without)
    assert.equal(versions.has('DescribeProducers'), false)
    assert.throws(() => versions.need('DescribeProducers'), {
      code: 'cluster-lacks',
      message: /^broker "east" a:1 lacks DescribeProducers v0 .*from 2\.8 on.*does not have it/,
    })
    const old = all.map(range => (range.apiKey === APIS.Fetch.key ? { ...range, maxVersion: 12 } : range))
    assert.throws(() => new BrokerVersions('broker', old), { message: /lacks Fetch v13 .*has v0 to v12/ })
  })
})

describe('markers', () => {
  it('share entries where counts overlap', () => {
    const levels = markerLevels([
      { topic: 'a', partition: 0, count: 3 },
      { topic: 'a', partition: 1, count: 1 },
      { topic: 'b', partition: 7, count: 2 },
    ])
    assert.deepEqual(
      levels.map(level => Object.fromEntries(level)),
      [{ a: [0] }, { a: [0], b: [7] }, { a: [0, 1], b: [7] }],
    )
  })
})

describe('failures', () => {
  it('say the cause, not the wrapping', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
    const error = toKdrError(new NetworkError('Connection to a:1 failed.', { cause: refused }), {
      what: 'broker "east" a:1',
    })
    assert.deepEqual(
      [error.code, error.message],
      ['unreachable', 'broker "east" a:1 is not reachable: connection refused'],
    )
  })
  it('tell credentials from the network, however deep', () => {
    const cause = new AuthenticationError('SASL authentication failed.')
    assert.equal(
      toKdrError(new NetworkError('Connection failed.', { cause }), { what: 'b' }).code,
      'not-allowed',
    )
  })
  it('take a login that was cut off for no refusal', () => {
    const closed = new NetworkError('Connection closed')
    const cause = new AuthenticationError('Cannot find a suitable SASL mechanism.', { cause: closed })
    const error = toKdrError(new NetworkError('Connection failed.', { cause }), { what: 'b' })
    assert.deepEqual([error.code, error.message], ['unreachable', 'b is not reachable: connection closed'])
  })
  it('tell an answer that cannot be read', () => {
    assert.match(
      toKdrError(new RangeError('Out of bounds.'), { what: 'b' }).message,
      /^b sent an answer that cannot be read/,
    )
  })
})
