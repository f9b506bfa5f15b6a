import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { nameInZone } from '../model/dns-names.ts'
import { parseGuard, writeGuard } from './dns-guard.ts'
import { isSameValues, parseValue, showValue } from './dns-values.ts'
import { CLASS, OPCODE, parseAnswer, parseName, TYPE, writeMessage, writeName } from './dns-wire.ts'

describe('DNS messages', () => {
  test('an update: header, zone, prerequisites, changes', () => {
    const bytes = writeMessage({
      id: 0x4780,
      opcode: OPCODE.update,
      question: { name: 'k.example.', type: TYPE.SOA, class: CLASS.IN },
      answers: [{ name: 'b.k.example.', type: TYPE.A, class: CLASS.NONE, ttl: 0, data: Buffer.alloc(0) }],
      authority: [
        { name: 'b.k.example.', type: TYPE.A, class: CLASS.IN, ttl: 5, data: Buffer.of(10, 0, 0, 1) },
      ],
    })

    assert.equal(
      bytes.toString('hex'),
      '4780280000010001000100' + // id, opcode 5, counts
        '00016b076578616d706c650000060001' +
        '0162016b076578616d706c6500000100fe000000000000' +
        '0162016b076578616d706c650000010001000000050004' +
        '0a000001',
    )
  })

  test('an answer with compressed names is read in full', () => {
    const bytes = Buffer.from(
      '0001840000010001000000000162016b076578616d706c65000005000' + // b.k.example. CNAME
        '1c00c0005000100000005000401' + // pointer to the question, TTL 5, 4 bytes
        '77c00e', // w.<k.example.>
      'hex',
    )
    const { answers, isAuthoritative, rcode } = parseAnswer(bytes)

    assert.deepEqual([isAuthoritative, rcode], [true, 0])
    assert.deepEqual(
      answers.map(({ name, type, ttl, data }) => [name, type, ttl, parseName(data)]),
      [['b.k.example.', TYPE.CNAME, 5, 'w.k.example.']],
    )
  })

  test('bytes that are no answer are refused, however they end', () => {
    const whole = Buffer.from('00018400000100010000000001620000010001c00c000100010000000500040a000001', 'hex')
    assert.equal(parseAnswer(whole).answers.length, 1)
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => parseAnswer(whole.subarray(0, length)), { code: 'corrupt' }, String(length))
    }
    const circle = Buffer.from('000184000001000000000000c00c00010001', 'hex')
    assert.throws(() => parseAnswer(circle), { code: 'corrupt' })
  })

  test('names: in the zone, in full, and the zone itself', () => {
    assert.equal(nameInZone('bootstrap', 'Kafka.example'), 'bootstrap.kafka.example.')
    assert.equal(nameInZone('bootstrap.kafka.example', 'kafka.example.'), 'bootstrap.kafka.example.')
    assert.equal(nameInZone('a.b', 'kafka.example.'), 'a.b.kafka.example.')
    assert.equal(nameInZone('@', 'kafka.example.'), 'kafka.example.')
    assert.equal(parseName(writeName('a.b.')), 'a.b.')
  })
})

describe('DNS values', () => {
  test('addresses and names, in the form that they are shown in', () => {
    const shown = [
      '10.0.0.1',
      'FD00:0:0::A',
      '::',
      '::ffff:10.0.0.1',
      '1:2:3:4:5:6:7:8',
      'West.k.example',
    ].map(text => {
      const value = parseValue(text)
      return [value.type, showValue(value)]
    })
    assert.deepEqual(shown, [
      [TYPE.A, '10.0.0.1'],
      [TYPE.AAAA, 'fd00::a'],
      [TYPE.AAAA, '::'],
      [TYPE.AAAA, '::ffff:a00:1'],
      [TYPE.AAAA, '1:2:3:4:5:6:7:8'],
      [TYPE.CNAME, 'west.k.example.'],
    ])
  })

  test('compare in any order, spelling and case', () => {
    const of = (...texts: string[]) => texts.map(parseValue)
    assert.ok(isSameValues(of('10.0.0.1', 'fd00::a'), of('FD00:0::A', '10.0.0.1')))
    assert.ok(isSameValues(of('west.x'), of('WEST.x.')))
    assert.ok(!isSameValues(of('10.0.0.1'), of('10.0.0.1', '10.0.0.2')))
    assert.ok(!isSameValues(of('10.0.0.1'), []))
  })
})

describe('the guard of a record', () => {
  test('is read as it was written', () => {
    const guard = { generation: 7, run: 'r'.repeat(300), link: 'east-west', isUndone: true }
    assert.deepEqual(parseGuard(writeGuard(guard), '_kdr.b.'), guard)
    assert.equal(
      writeGuard({ generation: 7, run: 'r1', link: 'l', isUndone: false }).toString('latin1').slice(1),
      'v=1 generation=7 run=r1 link=l',
    )
  })

  test("somebody else's text is refused, and so is a newer version", () => {
    const txt = (text: string) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)])
    assert.throws(() => parseGuard(txt('v=spf1 -all'), '_kdr.b.'), {
      code: 'not-ready',
      message: `"_kdr.b." holds a TXT record that is not kdr's: "v=spf1 -all"`,
    })
    assert.throws(() => parseGuard(txt('v=1 generation=x run=r'), '_kdr.b.'), { code: 'not-ready' })
    assert.throws(() => parseGuard(txt('v=2 epoch=9'), '_kdr.b.'), { code: 'newer-version' })
  })
})
