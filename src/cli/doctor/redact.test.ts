import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RunFacts } from '../../ports/outside.ts'
import { CommandRedirect } from '../../redirect/command.ts'
import { withoutOutput, withoutValues } from './redact.ts'

describe('the value of a secret is hidden', () => {
  const key = 'mSlq+Yv8cXkPz/0aTg=='
  const password = 'p@ss "word"/1'
  const rows: readonly (readonly [what: string, value: string, text: string, shown: string])[] = [
    ['as it is', password, `as ${password}.`, 'as (hidden).'],
    ['as JSON spells it', password, JSON.stringify({ password }), '{"password":"(hidden)"}'],
    ['in a URL', password, `https://kdr:${encodeURIComponent(password)}@host`, 'https://kdr:(hidden)@host'],
    ['in base64', password, `<${Buffer.from(password).toString('base64url')}>`, '<(hidden)>'],
    ['a line of it', `first line\nsecond line`, 'not "second line"', 'not "(hidden)"'],
    ['the key in a file of BIND', `key k {\n  secret "${key}";\n};`, `bad key ${key}`, 'bad key (hidden)'],
    ['the key after its name', `hmac-sha256:kdr:${key}`, `bad key ${key}`, 'bad key (hidden)'],
    ['but not the name of an algorithm', `hmac-sha256:kdr:${key}`, 'hmac-sha256', 'hmac-sha256'],
    ['but no word of a few letters', 'abc', 'abc', 'abc'],
  ]
  for (const [what, value, text, shown] of rows)
    test(what, () => assert.equal(withoutValues(text, [value]), shown))
})

describe('what a command has printed is left out', () => {
  for (const how of [
    '`fence.command` ended with code 1',
    'the command of `consumers.stop` ended with code 124',
    'the command of the gate before "ew" ended with 2',
    'its command ended with 0',
  ])
    test(how, () => assert.equal(withoutOutput(`${how}: a line\nthe token is X`), `${how}: (its output)`))

  for (const code of [1, 124])
    test(`as a redirect says it, code ${code}`, async () => {
      const settings = { apply: 'curl', verify: undefined, undo: undefined }
      const run = () => Promise.resolve({ code, output: 'a line\nthe token is X' })
      const failing = new CommandRedirect('command', settings, { run }).apply({} as RunFacts)
      const { message } = (await failing.then(undefined, (error: unknown) => error)) as Error
      assert.match(message, /the token is X$/)
      assert.match(withoutOutput(message), /^`apply` of command .*: \(its output\)$/)
    })

  test('a sentence of anything else stays', () => {
    const sentence = '"orders/0" ended with offset 7: somebody else has written'
    assert.equal(withoutOutput(sentence), sentence)
  })
})
