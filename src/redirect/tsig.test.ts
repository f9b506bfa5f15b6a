// The bytes are those of a real pair: `nsupdate -v -y hmac-sha256:dr-key:SECRET` (BIND 9.18) sent REQUEST over TCP, and named
// answered ANSWER; both without the two bytes of length. RFC 8945 gives no such vector of its own.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { KdrError } from '../model/errors.ts'
import { parseAnswer } from './dns-wire.ts'
import { sign, TsigKey, verify } from './tsig.ts'

const SECRET = 'a2RyIHRlc3QgdmVjdG9yIGtleSwgMzIgYnl0ZXMhISE='
const KEY = TsigKey.parse(`hmac-sha256:dr-key:${SECRET}`, 'env:KEY')
const REQUEST = Buffer.from(
  '478028000001000200020001056b61666b61076578616d706c65000006000109626f6f747374726170c00c000500010000000000070465617374c00c' +
    '045f6b6472c01f001000fe000000000000c01f000500ff000000000000c01f000500010000001e00070477657374c00c' +
    '0664722d6b65790000fa00ff00000000003d0b686d61632d7368613235360000006b0971bb012c0020' +
    'b6b242992ef56df8f44781824d19821a5b35d0338f98eb90b2d3b55519c5ea16478000000000',
  'hex',
)
const ANSWER = Buffer.from(
  '4780a8000001000000000001056b61666b61076578616d706c65000006000106' +
    '64722d6b65790000fa00ff00000000003d0b686d61632d7368613235360000006b0971bb012c0020' +
    '5db2f4b26daf949e2511c1e50ed0fae5ef8061fef66e18fc817c8e503c438d39478000000000',
  'hex',
)
/** When nsupdate signed it: the 48 bits before the fudge, 0x012c. */
const SECONDS = 0x6b0971bb
const TSIG_BYTES = 79

describe('TSIG', () => {
  test('a request is signed as nsupdate signs it', () => {
    const message = Buffer.from(REQUEST.subarray(0, REQUEST.length - TSIG_BYTES))
    message.writeUInt16BE(0, 10)

    const { bytes, mac } = sign(message, KEY, SECONDS)

    assert.equal(bytes.toString('hex'), REQUEST.toString('hex'))
    assert.equal(mac.length, 32)
  })

  test("named's answer is taken, and nothing that differs from it", () => {
    const mac = REQUEST.subarray(-38, -6)
    const say = (bytes: Buffer, key = KEY, seconds = SECONDS, request = mac) =>
      verify(bytes, parseAnswer(bytes), key, request, seconds).is

    assert.equal(say(ANSWER), 'ok')
    const changed = Buffer.from(ANSWER)
    changed[3] = 5
    assert.equal(say(changed), 'wrong', 'another code in the header')
    assert.equal(say(ANSWER, TsigKey.parse('hmac-sha256:dr-key:AAAA', '')), 'wrong', 'another secret')
    assert.equal(say(ANSWER, TsigKey.parse(`hmac-sha256:dr:${SECRET}`, '')), 'wrong', 'another name')
    assert.equal(say(ANSWER, KEY, SECONDS + 301), 'wrong', 'too old')
    assert.equal(say(ANSWER, KEY, SECONDS, Buffer.alloc(32)), 'wrong', 'to another request')
    const unsigned = Buffer.from(ANSWER.subarray(0, ANSWER.length - TSIG_BYTES))
    unsigned.writeUInt16BE(0, 10)
    assert.equal(say(unsigned), 'unsigned')
    const short = Buffer.from(ANSWER)
    short.writeUInt16BE(16, ANSWER.length - 40)
    assert.equal(say(short), 'wrong', 'lengths that do not fit')
  })

  test('a key as tsig-keygen prints it, with remarks, and as one line', () => {
    const text = `// key "old" { algorithm hmac-md5; secret "x"; };
# made by hand
key "dr-key" {
\talgorithm hmac-sha512; /* the long one */
\tsecret "ab//cd==";
};
`
    const key = TsigKey.parse(text, 'file:key')
    assert.deepEqual([key.name, key.algorithm], ['dr-key.', 'hmac-sha512'])
    assert.equal(TsigKey.parse('HMAC-SHA256:Dr-Key.:AAAA\n', '').name, 'dr-key.')
  })

  test('a key that cannot be used says why, and never what it is', () => {
    const wrong = [
      ['s3cret', /neither one `key` statement nor/],
      ['hmac-md5:dr:czNjcmV0', /its algorithm must be one of hmac-sha1/],
      ['hmac-sha256:dr:s3cret!', /its secret is not base64/],
      [
        'key a { algorithm hmac-sha256; secret "s3cret"; }; key b { algorithm hmac-sha256; secret "AAAA"; };',
        /neither one/,
      ],
    ] as const
    for (const [text, message] of wrong) {
      assert.throws(
        () => TsigKey.parse(text, 'file:key'),
        (error: unknown) => {
          assert.ok(error instanceof KdrError)
          assert.equal(error.code, 'config-invalid')
          assert.match(error.message, message)
          assert.match(error.message, /"file:key"/)
          assert.doesNotMatch(
            inspect(error, { depth: 9, showHidden: true }).replace(/\n\s+at .*/g, ''),
            /s3cret|czNjcmV0/,
          )
          return true
        },
      )
    }
  })

  test('a key shows its name only', () => {
    const shown = `${KEY.toString()} ${JSON.stringify({ KEY })} ${inspect(KEY, { showHidden: true, depth: 9 })}`
    assert.doesNotMatch(shown, new RegExp(`${SECRET}|${Buffer.from(SECRET, 'base64').toString('hex')}`))
    assert.match(shown, /dr-key/)
  })
})
