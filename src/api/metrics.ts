// The text that Prometheus reads (exposition format 0.0.4). Pure.

export type Sample = {
  readonly labels: Readonly<Record<string, string>>
  /** Left out when it is not known: an absent sample is honest, a zero is not. */
  readonly value: number | undefined
}

export type Metric = {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  readonly samples: readonly Sample[]
}

export function formatMetrics(metrics: readonly Metric[]): string {
  return metrics
    .flatMap(({ name, type, help, samples }) => {
      const known = samples.filter(({ value }) => value !== undefined)
      if (known.length === 0) return []
      const head = [
        `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
        `# TYPE ${name} ${type}`,
      ]
      return [...head, ...known.map(({ labels, value }) => `${name}${labelsOf(labels)} ${String(value)}`)]
    })
    .map(line => `${line}\n`)
    .join('')
}

function labelsOf(labels: Sample['labels']): string {
  const all = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`)
  return all.length === 0 ? '' : `{${all.join(',')}}`
}

function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
