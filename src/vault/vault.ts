// A vault as a whole: made once, known by its id, and asked what its store can do.
import { KdrError } from '../model/errors.ts'
import { VAULT_FORMAT, type VaultRecord } from '../model/vault.ts'
import type { Ability, ObjectStore } from '../ports/store.ts'
import { VAULT_OBJECT } from './names.ts'
import { readSealed, seal } from './sealed.ts'

export type NewVault = { readonly vault: string; readonly createdAt: string; readonly by: string }

/** Throws KdrError('usage') when there is one already. */
export async function initVault(store: ObjectStore, how: NewVault): Promise<VaultRecord> {
  for await (const { name } of store.list('')) {
    if (name === VAULT_OBJECT) break
    throw new KdrError('not-empty', `"${store.name}" holds other things, "${name}" for one`, {
      hint: 'Give the vault a folder or a prefix of its own.',
    })
  }
  const record: VaultRecord = { v: 1, format: VAULT_FORMAT, ...how }
  if ((await store.create(VAULT_OBJECT, [seal(record)])) === 'created') return record
  const there = await openVault(store)
  if (there.vault === how.vault) return there
  throw new KdrError(
    'usage',
    `"${store.name}" is a vault already, made at ${there.createdAt} by ${there.by}`,
    {
      hint: 'Use it as it is: nothing has to be done before a backup.',
    },
  )
}

/** Throws KdrError: not-ready when there is none, damaged, newer-version. */
export async function openVault(store: ObjectStore): Promise<VaultRecord> {
  const found = await readSealed(store, VAULT_OBJECT)
  if (found === undefined)
    throw new KdrError('not-ready', `there is no vault at "${store.name}"`, {
      hint: 'Make it: kdr vault init VAULT',
    })
  if (found.record['format'] !== VAULT_FORMAT)
    throw new KdrError('damaged', `"${VAULT_OBJECT}" at "${store.name}" is of another program`)
  return found.record as unknown as VaultRecord
}

/** At once, for one name. */
const RACERS = 8

/** What a vault needs of its store, each tried out with objects that are deleted again; in a store whose locks are left out. */
export async function probeStore(store: ObjectStore, id: string): Promise<Ability[]> {
  const name = `probe/${id}`
  const first = Buffer.from(`first ${id}`)
  const abilities: Ability[] = []
  const tell = (ability: string, has: boolean, why: string): void =>
    void abilities.push({ ability, has, why })
  try {
    const created = await store.create(name, [first])
    const again = await store.create(name, [Buffer.from('second')])
    const kept = await store.get(name)
    tell(
      'create once',
      created === 'created' && again === 'exists' && kept?.equals(first) === true,
      'nothing is ever overwritten',
    )
    tell('one winner', await hasOneWinner(store, `${name}-race`), 'of two writers at once one goes on')
    const range = await store.get(name, { from: 2, to: 5 })
    tell(
      'ranged reads',
      range?.equals(first.subarray(2, 5)) === true,
      'records are read without whole segments',
    )
    let isListed = false
    for await (const each of store.list('probe/')) isListed ||= each.name === name
    tell('listing', isListed, 'the newest commit is found')
  } finally {
    // What was wrong before is worth more; whether it is gone is looked at.
    await store.delete(name).catch(() => undefined)
  }
  tell('deletion', (await store.head(name)) === undefined, 'what no commit needs any more can be removed')
  return abilities
}

/** Several create the same object at once. */
async function hasOneWinner(store: ObjectStore, name: string): Promise<boolean> {
  try {
    const bodies = Array.from({ length: RACERS }, (_none, i) => Buffer.from(`racer ${i}`))
    const answers = await Promise.allSettled(bodies.map(async body => await store.create(name, [body])))
    const won = bodies.filter((_body, i) => {
      const answer = answers[i]
      return answer?.status === 'fulfilled' && answer.value === 'created'
    })
    const kept = await store.get(name)
    return won.length === 1 && kept?.equals(won[0]!) === true
  } finally {
    await store.delete(name).catch(() => undefined)
  }
}
