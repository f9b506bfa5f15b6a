// The reference pages are made from tables in code, and must be as the code is.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { referencePages } from '../scripts/docs.ts'
import { EXIT_CODES } from '../src/cli/exit-codes.ts'
import { ERRORS } from '../src/model/errors.ts'

describe('docs/reference', () => {
  for (const [name, text] of referencePages()) {
    test(`${name} is current`, () => {
      const written = readFileSync(new URL(`../docs/reference/${name}`, import.meta.url), 'utf8')
      assert.equal(written, text, 'run `make docs`')
    })
  }

  test('every error has an exit code that the table explains', () => {
    const explained = new Set(EXIT_CODES.map(([code]) => code))
    const unexplained = Object.entries(ERRORS).filter(([, { exit }]) => !explained.has(exit))
    assert.deepEqual(unexplained, [])
  })
})
