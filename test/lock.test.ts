// `npm ci` refuses a lock file that lacks an optional package, even one of another platform; and a lock file that names
// registry hosts does not work behind a mirror.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

type Lock = {
  readonly packages: Readonly<
    Record<
      string,
      { readonly resolved?: string; readonly optionalDependencies?: Readonly<Record<string, string>> }
    >
  >
}

const { packages } = JSON.parse(
  readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'),
) as Lock

describe('package-lock.json', () => {
  test('has every optional package', () => {
    const wanted = Object.values(packages).flatMap(({ optionalDependencies }) =>
      Object.keys(optionalDependencies ?? {}),
    )
    assert.deepEqual(
      wanted.filter(name => packages[`node_modules/${name}`] === undefined),
      [],
      'a registry that lacks a package made npm leave it out: add its entry by hand (version, os, cpu)',
    )
  })

  test('names no registry', () => {
    const resolved = Object.values(packages).map(one => one.resolved ?? '')
    assert.deepEqual(
      resolved.filter(url => url.includes('://')),
      [],
    )
  })
})
