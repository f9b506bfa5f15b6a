// `--topic`: a link moves as a whole, and where it would not the way out is named.
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadConfig } from '../config/index.ts'
import { findKdrError } from '../model/errors.ts'
import { assertWhole } from './part.ts'

const file = join(mkdtempSync(join(tmpdir(), 'kdr-part-')), 'kdr.yaml')
writeFileSync(
  file,
  JSON.stringify({
    clusters: { east: { bootstrap: 'a:1' }, west: { bootstrap: 'b:1' } },
    links: {
      region: { source: 'east', target: 'west', topics: ['*', '!pay-*'] },
      pay: { source: 'east', target: 'west', topics: ['pay-*'] },
    },
  }),
)

async function said(names: readonly string[], ...topics: string[]): Promise<string> {
  const config = await loadConfig(file)
  try {
    assertWhole(config, config.links['region']!, { names, topics, kind: 'switchover' })
    return ''
  } catch (error) {
    const { code, message, hint } = findKdrError(error)!
    return `${code}: ${message}. ${hint}`
  }
}

describe('--topic of a run', () => {
  test('meets all topics of the link, by names or patterns', async () => {
    assert.equal(await said(['a', 'b'], 'a', 'b'), '')
    assert.equal(await said(['a', 'b'], '*'), '')
  })

  test('or the link would be torn: what gives the topics a link of their own is named', async () => {
    const torn = await said(['a', 'b', 'c'], 'a')
    assert.match(torn, /^usage: link "region" moves as a whole: "b", "c" would stay behind\. Give "a" a link/)
    assert.match(torn, /kdr link hand-over region NEW; kdr switchover NEW$/)
  })

  test('topics that the config gives to another link have to be handed over first', async () => {
    assert.match(
      await said(['a', 'pay-1'], 'pay-*'),
      /"pay-1" are not handed over by link "region" yet\. .* kdr link hand-over region pay; then: kdr switchover pay$/,
    )
    assert.equal(await said(['a', 'pay-1'], 'a'), '')
  })

  test('topics that another link has by now are moved by that', async () => {
    assert.match(await said(['a'], 'pay-1'), /has no topic .* those of link "pay": kdr switchover pay$/)
    assert.match(await said(['a'], 'x'), /has no topic .* kdr status --link region --all$/)
  })
})
