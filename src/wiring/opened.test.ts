import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Opened } from './opened.ts'

test('what is opened is closed in the other order, also what comes when all was closed', async () => {
  const closed: string[] = []
  const closable = (name: string) => ({ close: async () => void closed.push(name) })
  const opened = new Opened()
  const late = Promise.withResolvers<{ close: () => Promise<void> }>()
  const adding = opened.add(late.promise)
  await opened.add(Promise.resolve(closable('first')))
  await opened.add(Promise.resolve(closable('second')))
  await opened.close()
  late.resolve(closable('late'))
  await assert.rejects(adding, { code: 'unreachable' })
  assert.deepEqual(closed, ['second', 'first', 'late'])
})
