// Plans of the config: which links move when, and what is wrong with one before anybody needs it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseConfig } from './load.ts'

const of = (plan: string, name = 'region') =>
  parseConfig(
    `clusters: { a: { bootstrap: "a:1" }, b: { bootstrap: "b:1" } }
links: { l: { source: a, target: b, topics: ["l-*"] }, m: { source: a, target: b, topics: ["m-*"] }, n: { source: a, target: b, topics: ["n-*"] } }
plans: { ${name}: { ${plan} } }
`,
    'kdr.yaml',
  ).plans[name]!

const refusals = (plan: string, name?: string): string => {
  try {
    of(plan, name)
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

describe('a plan of the config', () => {
  test('has its links one after the other, and those of an inner list side by side', () => {
    const plan = of('links: [l, [m, n]], objectives: { rpo: 30s, rto: 5m }, decides: "on call"')

    assert.deepEqual(plan.stages, [['l'], ['m', 'n']])
    assert.deepEqual(plan.links, ['l', 'm', 'n'])
    assert.deepEqual(plan.objectives, { rpoMs: 30_000, rtoMs: 300_000 })
    assert.equal(plan.decides, 'on call')
    assert.deepEqual(of('links: [l]').stages, [['l']])
  })

  test('has gates of four kinds, and topics of some links', () => {
    const plan = of(
      `links: [l, m], topics: { m: [m-1, m-2] }, gates: [
        { before: l, ask: "is it empty?" }, { before: m, command: "./ready" }, { before: m, wait: 5m }, { before: m, at: "22:30" }, { before: m, at: "2027-01-31T22:30:00Z" }]`,
    )

    assert.deepEqual(plan.topics, { m: ['m-1', 'm-2'] })
    assert.deepEqual(plan.gates, [
      { before: 'l', kind: 'ask', question: 'is it empty?' },
      { before: 'm', kind: 'command', command: './ready' },
      { before: 'm', kind: 'wait', ms: 300_000 },
      { before: 'm', kind: 'at', at: '22:30' },
      { before: 'm', kind: 'at', at: '2027-01-31T22:30:00Z' },
    ])
  })

  test('that makes no sense is refused with its place', () => {
    for (const [plan, expected] of [
      ['links: []', /plans\.region\.links: names no link/],
      ['links: [x]', /`links` has no "x"/],
      ['links: [l, [m, l]]', /kdr\.yaml:3:\d+: plans\.region\.links\[1\]\[1\]: `l` is in the plan twice/],
      ['links: [l], gates: [{ before: m, wait: 1m }]', /gates\[0\]\.before: `m` is not among the links/],
      ['links: [l], topics: { m: [t] }', /plans\.region\.topics\.m: `m` is not among the links/],
      ['links: [l], gates: [{ before: l }]', /expected exactly one of `ask`, `command`, `wait`, `at`/],
      ['links: [l], gates: [{ before: l, wait: 1m, ask: "?" }]', /expected exactly one of/],
      ['links: [l], gates: [{ before: l, at: "24:00" }]', /expected a time of the day such as 22:30/],
      ['links: [l], gates: [{ before: l, at: "2027-13-31T22:30:00Z" }]', /there is no such moment/],
    ] as const)
      assert.match(refusals(plan), expected)
    assert.match(refusals('links: [m]', 'l'), /plans\.l: `l` is a link too/)
  })
})
