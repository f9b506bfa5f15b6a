import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatBytes, formatCount, formatDuration, formatRate, plural } from '../../src/cli/format.ts'
import { startProgress } from '../../src/cli/progress.ts'
import { formatTable } from '../../src/cli/table.ts'

describe('print', () => {
  test('numbers', () => {
    assert.equal(formatCount(1234567), '1\u202f234\u202f567')
    assert.equal(formatCount(999), '999')
    assert.deepEqual([0, 999, 1000, 1_234_567, 45_600_000_000].map(formatBytes), [
      '0 B',
      '999 B',
      '1.00 kB',
      '1.23 MB',
      '45.6 GB',
    ])
    assert.equal(formatRate(5_000_000, 500), '10.0 MB/s')
    assert.equal(formatRate(5, 0), '-')
    assert.deepEqual([0, 850, 4200, 59_990, 185_000, 7_800_000, 792_000_000].map(formatDuration), [
      '0 ms',
      '850 ms',
      '4.2 s',
      '1m 00s',
      '3m 05s',
      '2h 10m',
      '9d 04h',
    ])
    assert.equal(plural(1, 'topic'), '1 topic')
  })

  test('a table is aligned by what is visible, with nothing at line ends', () => {
    const text = formatTable(
      [{ title: 'topic' }, { title: 'lag', align: 'right' }, { title: 'state' }],
      [
        ['\u001b[31morders\u001b[0m', '5', 'ok'],
        ['a', '12345', ''],
      ],
    )

    assert.equal(text, 'topic     lag  state\n\u001b[31morders\u001b[0m      5  ok\na       12345\n')
  })

  test('progress is one line on a terminal, and a line now and then elsewhere', () => {
    let now = 0
    const clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() }
    const draw = (isTerminal: boolean) => {
      let text = ''
      now = 0
      const progress = startProgress({
        stderr: { write: part => void (text += part), isTerminal, columns: 10 },
        clock,
      })
      for (; now <= 20_000; now += 5_000) progress.update(`at ${now} of 20000`)
      progress.clear()
      return text
    }

    assert.equal(draw(false), 'at 0 of 20000\nat 10000 of 20000\nat 20000 of 20000\n')
    assert.ok(draw(true).startsWith('\rat 0 of 2\u001b[K\rat 5000 o\u001b[K'))
    assert.ok(draw(true).endsWith('\r\u001b[K'))
  })
})
