// The exposition format, read back by a reader of its grammar.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Durations } from '../../model/durations.ts'
import { formatMetrics, type Metric } from './metrics.ts'

type Read = { readonly name: string; readonly labels: Record<string, string>; readonly value: number }

/** Throws at what Prometheus would refuse. */
function read(text: string): { readonly series: Read[]; readonly types: Map<string, string> } {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line has no end')
  const series: Read[] = []
  const types = new Map<string, string>()
  for (const line of text.split('\n').slice(0, -1)) {
    if (line.startsWith('# HELP ')) continue
    const [, typed, type] = /^# TYPE (\w+) (gauge|counter|histogram)$/.exec(line) ?? []
    if (typed !== undefined && type !== undefined) {
      assert.ok(!types.has(typed), `two types of ${typed}`)
      types.set(typed, type)
      continue
    }
    const [, name = '', inner = '', value = ''] =
      /^([a-zA-Z_]\w*)(?:\{((?:[^"\\}]|"(?:[^"\\\n]|\\["\\n])*")*)\})? ([+-]?(?:Inf|NaN|[\d.e+-]+))$/.exec(
        line,
      ) ?? assert.fail(`not a series: ${JSON.stringify(line)}`)
    const labels: Record<string, string> = {}
    for (const [, label = '', escaped = ''] of inner.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g))
      labels[label] = escaped.replaceAll(/\\(.)/g, (_, each: string) => (each === 'n' ? '\n' : each))
    series.push({ name, labels, value: Number(value.replace('Inf', 'Infinity')) })
  }
  return { series, types }
}

const labels = fc.dictionary(fc.stringMatching(/^[a-z][a-z_]{0,8}$/), fc.string({ unit: 'binary' }), {
  maxKeys: 4,
  noNullPrototype: true,
})
const number = fc.oneof(fc.double({ noNaN: true }), fc.integer(), fc.constant(-0))
const plain = fc.record({
  name: fc.stringMatching(/^kdr_[a-z_]{1,20}[a-z]$/),
  type: fc.constantFrom('gauge' as const, 'counter' as const),
  help: fc.string({ unit: 'binary' }),
  samples: fc.array(fc.record({ labels, value: fc.option(number, { nil: undefined }) }), { maxLength: 5 }),
})

test('whatever names, labels and help say, it is read back as it was meant', () => {
  fc.assert(
    fc.property(fc.uniqueArray(plain, { selector: ({ name }) => name }), (metrics: Metric[]) => {
      const { series, types } = read(formatMetrics(metrics))
      const meant = metrics.flatMap(({ name, samples }) =>
        samples.flatMap(({ labels, value }) => (value === undefined ? [] : [{ name, labels, value }])),
      )
      // -0 is written as 0.
      assert.deepEqual(
        series,
        meant.map(each => ({ ...each, value: Number(each.value) + 0 })),
      )
      for (const { name } of meant) assert.ok(types.has(name))
    }),
  )
})

test('a histogram counts up to +Inf, and its last bucket is its count', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 30_000, noNaN: true })), times => {
      const durations = new Durations()
      for (const ms of times) durations.observe(ms)
      const text = formatMetrics([
        {
          name: 'd',
          type: 'histogram',
          help: 'D.',
          samples: [{ labels: { a: 'b' }, value: durations.counts() }],
        },
      ])
      const { series } = read(text)
      const buckets = series.filter(({ name }) => name === 'd_bucket')
      for (const { labels, value } of buckets) {
        const limit = labels['le'] === '+Inf' ? Infinity : Number(labels['le'])
        assert.equal(value, times.filter(ms => ms <= limit * 1_000).length)
      }
      assert.equal(buckets.at(-1)?.labels['le'], '+Inf')
      assert.equal(series.find(({ name }) => name === 'd_count')?.value, times.length)
      const sum = times.reduce((all, ms) => all + ms, 0) / 1_000
      assert.ok(Math.abs((series.find(({ name }) => name === 'd_sum')?.value ?? -1) - sum) < 1e-6)
    }),
  )
})
