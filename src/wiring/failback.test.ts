import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { makeRecord } from '../../test/support/runs.ts'
import type { OpenRunOptions } from '../cli/app.ts'
import { loadConfig } from '../config/index.ts'
import { findKdrError } from '../model/errors.ts'
import { openExport } from './failback.ts'
import { acceptedNow } from './new-run.ts'

const folder = mkdtempSync(join(tmpdir(), 'kdr-export-'))
const file = join(folder, 'kdr.yaml')
writeFileSync(
  file,
  JSON.stringify({
    clusters: { east: { bootstrap: 'a:1' }, west: { bootstrap: 'b:1' } },
    links: { l: { source: 'east', target: 'west' } },
    vaults: { main: { url: pathToFileURL(join(folder, 'vault')).href } },
  }),
)

describe('where a stranded tail goes', () => {
  const body = [Buffer.from('one '), Buffer.from('two')]
  const hash = createHash('sha256').update('one two').digest('hex')

  for (const [to, at] of [
    [pathToFileURL(join(folder, 'out')).href, join(folder, 'out')],
    ['vault:main', join(folder, 'vault', 'stranded')],
  ] as const)
    test(`${to === 'vault:main' ? 'a path of a vault' : 'a folder'}: whole, with its checksum, and again`, async () => {
      const place = openExport(await loadConfig(file), to)
      assert.equal(place.name, at)
      assert.equal(await place.sizeOf('run/orders-0/1.log'), undefined)
      for (let twice = 0; twice < 2; twice++) assert.equal(await place.put('run/orders-0/1.log', body), hash)
      assert.equal(await place.sizeOf('run/orders-0/1.log'), 7)
      assert.equal(String(await place.read('run/orders-0/1.log')), 'one two')
      assert.equal(readFileSync(join(at, 'run/orders-0/1.log'), 'utf8'), 'one two')
    })

  test('not in a vault that the config does not have', async () => {
    const config = await loadConfig(file)
    assert.throws(
      () => openExport(config, 'vault:other'),
      error => findKdrError(error)?.code === 'usage',
    )
  })

  test('what a person names when a run is resumed counts from then on, beside what was named before', () => {
    const asked: OpenRunOptions = {
      kind: 'failback',
      topics: [],
      acceptSplitBrain: false,
      takeOver: false,
      recopy: ['b', 'a'],
      exportTo: 'vault:main',
      signal: new AbortController().signal,
    }
    const { recopy, exportTo, acceptSplitBrain } = acceptedNow(
      makeRecord({ kind: 'failback', recopy: ['a'], acceptSplitBrain: true }),
      asked,
    )
    assert.deepEqual([recopy, exportTo, acceptSplitBrain], [['a', 'b'], 'vault:main', true])
  })
})
