// Bugs of the vault that random histories must find (test/vault/history.ts). `seed`: a history that objects; others are tried when it does not
// any more.
import type { PlantedBug } from '../../sim/planted/bugs.ts'

export const VAULT_BUGS: readonly (PlantedBug & { readonly seed: number })[] = [
  {
    name: 'prune-forgets-later-commits',
    breaks: 'only what the new first commit needs is left: the objects of the commits behind it are deleted',
    changes: [
      {
        file: 'vault/prune.ts',
        find: 'for (const { name } of commit.objects) needed.add(name)',
        put: 'for (const { name } of []) needed.add(name)',
      },
    ],
    seed: 2,
  },
  {
    name: 'prune-takes-the-base',
    breaks: 'commits before the first are deleted, though reading it begins with one of them',
    changes: [
      {
        file: 'vault/plan-prune.ts',
        find: 'commit < baseOf(nextFirst)',
        put: 'commit < nextFirst',
      },
    ],
    seed: 1,
  },
  {
    name: 'prune-does-not-wait',
    breaks: 'what is dropped is deleted at the next prune, while somebody reads it',
    changes: [{ file: 'vault/plan-prune.ts', find: 'at + graceMs <= now', put: 'at <= now' }],
    seed: 25,
  },
  {
    name: 'prune-believes-old-verifications',
    breaks: 'the verification that a prune relies on is about commits that it drops',
    changes: [
      {
        file: 'vault/verified.ts',
        find: 'if (record.number >= first && ',
        put: 'if (record.number >= 1 && ',
      },
    ],
    seed: 6,
  },
  {
    name: 'prune-drops-one-too-many',
    breaks: 'the first of the days to keep cannot be reached, because it begins between two commits',
    changes: [
      {
        file: 'vault/prune.ts',
        find: 'return Math.min(last, Math.max(first, number))',
        put: 'return Math.min(last, Math.max(first, number + 1))',
      },
    ],
    seed: 1,
  },
  {
    name: 'prune-takes-a-running-backup',
    breaks:
      'what a running backup has written is taken for garbage, its commit is let through, and nobody looks again before it is deleted',
    changes: [
      {
        file: 'vault/plan-prune.ts',
        find: 'return forCommit !== undefined && forCommit <= newestBackup',
        put: 'return forCommit !== undefined || newestBackup < 0',
      },
      {
        file: 'vault/plan-prune.ts',
        find: 'if (needed.has(name)) continue',
        put: 'if (needed.has(name) && !namedAt.has(name)) continue',
      },
      {
        file: 'vault/writer.ts',
        find: '!this.#objects.some(({ name }) => doomed.has(name))',
        put: 'doomed.size >= 0',
      },
    ],
    seed: 27,
  },
  {
    name: 'prune-forgotten-by-the-next-commit',
    breaks: 'the commit behind a prune says that all of them count again',
    changes: [
      { file: 'vault/commit.ts', find: 'pruned?.first ?? before?.first ?? 1', put: 'pruned?.first ?? 1' },
    ],
    seed: 1,
  },
  {
    name: 'commit-replaces',
    breaks: 'a commit is written over that of another writer',
    changes: [
      {
        file: 'vault/commit.ts',
        find: "if ((await store.create(commitName(set, number), [body])) === 'created') return undefined",
        put: 'await store.put(commitName(set, number), [body])\n    return undefined',
      },
    ],
    seed: 1,
  },
  {
    name: 'commit-before-its-pack',
    breaks: 'the commit is made before all that it names is there',
    changes: [
      {
        file: 'vault/writer.ts',
        find: '    await this.#closePack()\n    const { store, set, by, now, lateAt } = this.#options',
        put: '    const { store, set, by, now, lateAt } = this.#options\n    const isLate = this.#pack !== undefined',
      },
      {
        file: 'vault/writer.ts',
        find: '      if (other === undefined)\n        return {',
        put: '      if (other === undefined && isLate) await this.#closePack()\n      if (other === undefined)\n        return {',
      },
    ],
    seed: 1,
  },
  {
    name: 'writers-own-number-kept',
    breaks: 'a run that goes on behind a prune names the commit before the prune as its own predecessor',
    changes: [
      {
        file: 'vault/writer.ts',
        find: 'return applyCommit(before, commit, hash)',
        put: 'return { ...applyCommit(before, commit, hash), sha256: before.sha256 }',
      },
    ],
    seed: 21,
  },
  {
    name: 'truncation-not-clipped',
    breaks: 'what the source has taken back stays in the set',
    changes: [
      {
        file: 'model/vault.ts',
        find: 'const kept = clip === undefined ? before.segments : clipSegments(before.segments, clip)',
        put: 'const kept = clip === undefined ? before.segments : before.segments',
      },
    ],
    seed: 1,
  },
  {
    name: 'checkpoint-of-what-is-new',
    breaks: 'a checkpoint names only the objects that its own commit has written',
    changes: [
      {
        file: 'model/vault.ts',
        find: 'objects: [...state.objects.values()],',
        put: 'objects: [...state.objects.values()].slice(-2),',
      },
    ],
    seed: 8,
  },
]
