// What every store must do, whatever it is made of. An adapter's test calls this with a way to open an empty one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findKdrError } from '../../src/model/errors.ts'
import type { ObjectStore } from '../../src/ports/store.ts'

const bytes = (text: string): Buffer => Buffer.from(text)

/** Of a store that locks: what must hold of it too. `now`: its clock; `open` gives one that keeps objects for a day or more. */
export function lockConformance(open: () => Promise<ObjectStore>, now: () => number): void {
  test('what was created is locked, what was put is not', async () => {
    const store = await open()
    const { locks } = store
    assert.ok(locks)
    const from = now()
    await store.create('data/a', [bytes('x')])
    await store.put('running/a', [bytes('x')])
    const until = (await locks.lockedUntil('data/a')) ?? 0
    // Services count whole seconds.
    assert.ok(until >= from + locks.keepMs + locks.slackMs - 1_000, new Date(until).toISOString())
    assert.equal(await locks.lockedUntil('running/a'), undefined)
    await assert.rejects(store.delete('data/a'), (error: unknown) => {
      const known = findKdrError(error)
      assert.equal(known?.code, 'not-allowed')
      assert.equal(Date.parse(String(known.facts['lockedUntil'])), until)
      return true
    })
    assert.equal(String(await store.get('data/a')), 'x')
    await store.delete('running/a')
    assert.equal(await store.head('running/a'), undefined)
  })

  test('a lock is made longer, and never shorter', async () => {
    const store = await open()
    const { locks } = store
    assert.ok(locks)
    await store.create('data/a', [bytes('x')])
    const until = Math.ceil((now() + locks.keepMs + locks.slackMs) / 1_000) * 1_000 + 3_600_000
    await locks.lock('data/a', until)
    assert.equal(await locks.lockedUntil('data/a'), until)
    await locks.lock('data/a', until - 1_800_000)
    assert.equal(await locks.lockedUntil('data/a'), until)
    await store.put('b', [bytes('x')])
    await locks.lock('b', until)
    assert.equal(await locks.lockedUntil('b'), until)
    await assert.rejects(locks.lock('none', until), error => findKdrError(error)?.code === 'damaged')
  })
}

/** `open`: an empty store; called again it gives another empty one. */
export function storeConformance(open: () => Promise<ObjectStore>): void {
  const names = async (store: ObjectStore, prefix: string, after?: string): Promise<string[]> => {
    const found: string[] = []
    for await (const { name } of store.list(prefix, after)) found.push(name)
    return found
  }

  test('what was created is read back, whole and in ranges', async () => {
    const store = await open()
    assert.equal(await store.create('set/a.log', [bytes('0123'), bytes(''), bytes('456789')]), 'created')
    assert.equal(String(await store.get('set/a.log')), '0123456789')
    assert.equal(String(await store.get('set/a.log', { from: 2, to: 5 })), '234')
    assert.equal(String(await store.get('set/a.log', { from: 8, to: 100 })), '89')
    assert.equal(String(await store.get('set/a.log', { from: 20, to: 30 })), '')
    assert.equal(String(await store.get('set/a.log', { from: 3, to: 3 })), '')
    assert.deepEqual(await store.head('set/a.log'), { name: 'set/a.log', bytes: 10 })
  })

  test('what is not there is undefined', async () => {
    const store = await open()
    assert.equal(await store.get('set/none'), undefined)
    assert.equal(await store.get('set/none', { from: 0, to: 4 }), undefined)
    assert.equal(await store.get('set/none', { from: 0, to: 0 }), undefined)
    assert.equal(await store.head('set/none'), undefined)
    // A part of a name is no name.
    await store.put('set/folder/a', [bytes('x')])
    assert.equal(await store.head('set/folder'), undefined)
    assert.equal(await store.head('set/folder/a/b'), undefined)
  })

  test('an object is created once', async () => {
    const store = await open()
    await store.create('commits/1.json', [bytes('first')])
    assert.equal(await store.create('commits/1.json', [bytes('second')]), 'exists')
    assert.equal(String(await store.get('commits/1.json')), 'first')
  })

  test('of many that create it at once one succeeds, and its content is there', async () => {
    const store = await open()
    const answers = await Promise.all(
      Array.from(
        { length: 20 },
        async (_none, i) => await store.create('commits/1.json', [bytes(`by ${i}`)]),
      ),
    )
    assert.equal(answers.filter(answer => answer === 'created').length, 1)
    assert.equal(String(await store.get('commits/1.json')), `by ${answers.indexOf('created')}`)
  })

  test('a put replaces', async () => {
    const store = await open()
    await store.put('a', [bytes('one')])
    await store.put('a', [bytes('two')])
    assert.equal(String(await store.get('a')), 'two')
  })

  test('an empty object is an object', async () => {
    const store = await open()
    await store.create('empty', [])
    assert.deepEqual(await store.head('empty'), { name: 'empty', bytes: 0 })
    assert.equal((await store.get('empty'))?.length, 0)
  })

  test('a listing has all with the prefix, in order of their names, and nothing else', async () => {
    const store = await open()
    for (const name of ['s/b/2', 's/b/10', 's/a.x/1', 's/a/1', 's/c', 't/1', 's/b-x/1'])
      await store.put(name, [bytes(name)])
    assert.deepEqual(await names(store, 's/'), ['s/a.x/1', 's/a/1', 's/b-x/1', 's/b/10', 's/b/2', 's/c'])
    assert.deepEqual(await names(store, 's/b/'), ['s/b/10', 's/b/2'])
    assert.deepEqual(await names(store, 's/b'), ['s/b-x/1', 's/b/10', 's/b/2'])
    assert.deepEqual(await names(store, 's/b/1'), ['s/b/10'])
    assert.deepEqual(await names(store, 'nothing/'), [])
    assert.deepEqual(await names(store, 's/b', 's/b/10'), ['s/b/2'])
    assert.deepEqual(await names(store, 's/', 's/a/0'), ['s/a/1', 's/b-x/1', 's/b/10', 's/b/2', 's/c'])
    assert.deepEqual(await names(store, 's/', 's/c'), [])
    assert.equal((await names(store, '')).length, 7)
  })

  test('what was deleted is gone; to delete nothing is success', async () => {
    const store = await open()
    await store.put('a/b', [bytes('x')])
    await store.delete('a/b')
    await store.delete('a/b')
    assert.equal(await store.head('a/b'), undefined)
    assert.deepEqual(await names(store, ''), [])
    assert.equal(await store.create('a/b', [bytes('y')]), 'created')
  })

  test('what is read may be changed without changing what is stored', async () => {
    const store = await open()
    const body = bytes('abc')
    await store.put('a', [body])
    ;(await store.get('a'))?.fill(0)
    body.fill(0)
    assert.equal(String(await store.get('a')), 'abc')
  })
}
