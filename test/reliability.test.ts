// Every row of the fault table has a test or a reason, and stands in RELIABILITY.md.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { keptResults, PAGE, rowsInTests } from '../scripts/reliability.ts'
import { FAULT_TABLE } from './support/fault-table.ts'

describe('RELIABILITY.md', () => {
  const tests = rowsInTests()
  const results = keptResults()

  test('every row has a test, or a reason why not', () => {
    const silent = FAULT_TABLE.filter(({ id, untested }) => !tests.has(id) && untested === undefined)
    assert.deepEqual(silent, [])
  })

  test('no row says that it is untested and has a test', () => {
    const wrong = FAULT_TABLE.filter(({ id, untested }) => tests.has(id) && untested !== undefined)
    assert.deepEqual(
      wrong.map(({ id }) => id),
      [],
      'take `untested` away in test/support/fault-table.ts',
    )
  })

  test('every test of a row belongs to a row of the table', () => {
    const known = new Set(FAULT_TABLE.map(({ id }) => id))
    assert.deepEqual(
      [...tests.keys()].filter(id => !known.has(id)),
      [],
    )
  })

  test('the page lists every row', () => {
    const page = readFileSync(PAGE, 'utf8')
    const absent = FAULT_TABLE.filter(({ id, fault }) => !page.includes(`### ${id} ${fault}`))
    assert.deepEqual(absent, [], 'run `node scripts/reliability.ts --render`')
  })

  test('no kept result is of a test that failed or is gone', () => {
    const wrong = results.filter(({ id, file, passed }) => !passed || tests.get(id)?.includes(file) !== true)
    assert.deepEqual(wrong, [], 'run `make reliability ROWS="..."`')
  })
})
