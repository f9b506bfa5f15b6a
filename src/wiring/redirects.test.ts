import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../config/index.ts'
import { redirectsOf } from './redirects.ts'

test('the ways of a link, in their order, each with what it would do', () => {
  const config = parseConfig(
    `clusters: { east: { bootstrap: "a:1" }, west: { bootstrap: "b:1" }, south: { bootstrap: "c:1" } }
links:
  ew:
    source: east
    target: west
    redirect:
      - command: { apply: ./one.sh, verify: ./check.sh, undo: ./back.sh }
      - dns: { server: "10.0.0.2:53", zone: k.example, record: b, values: { east: [10.0.0.1, "fd00::1"], west: [w.k.example], south: [10.0.0.9] } }
      - template: { from: a.tmpl, to: out/b }
      - command: { apply: ./two.sh }
`,
    '/etc/kdr/kdr.yaml',
  )
  const facts = {
    run: 'r',
    kind: 'switchover',
    link: 'ew',
    active: 'east',
    standby: 'west',
    bootstrap: 'b:1',
    generation: 2,
  }

  const found = redirectsOf(config, config.links['ew']!).map(each => [each.name, each.describe(facts)])

  assert.deepEqual(found, [
    ['command 1', 'run `./one.sh`'],
    [
      'dns b.k.example',
      'lead "b.k.example." from 10.0.0.1, fd00::1 (east) to w.k.example. (west), at the name server 10.0.0.2:53',
    ],
    [
      'template /etc/kdr/out/b',
      'write "/etc/kdr/out/b" from "/etc/kdr/a.tmpl", with the bootstrap servers b:1',
    ],
    ['command 2', 'run `./two.sh`; nothing verifies it (`verify`); nothing undoes it (`undo`)'],
  ])
  const dns = redirectsOf(config, config.links['ew']!)[1]!
  const redirect = config.links['ew']!.redirects[1]!
  assert.ok(redirect.kind === 'dns' && redirect.values['south'] !== undefined)
  // A link that has followed a third cluster is moved from there, and back to it only where the record can say so.
  assert.match(dns.describe({ ...facts, active: 'north' }), /^lead "b.k.example." from north to w.k.example/)
  assert.throws(() => dns.describe({ ...facts, standby: 'north' }), {
    code: 'not-ready',
    message: /no values for "north"/,
  })
})
