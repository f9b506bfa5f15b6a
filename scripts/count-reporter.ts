// A reporter for node --test that counts single tests, not the groups around them, says of those that failed which, after how
// long and why, and how long each file took.

type TestEvent = {
  readonly type: string
  readonly data?: {
    readonly name?: string
    readonly file?: string
    readonly duration_ms?: number
    readonly skip?: string | boolean
    readonly todo?: string | boolean
    readonly details?: {
      readonly type?: string
      readonly duration_ms?: number
      readonly error?: Error
    }
  }
}

export default async function* count(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts = {
    passed: 0,
    failed: 0,
    skipped: 0,
    names: [] as string[],
    files: [] as [file: string, ms: number][],
  }
  for await (const { type, data } of source) {
    if (type === 'test:summary' && data?.file !== undefined)
      counts.files.push([data.file, data.duration_ms ?? 0])
    if (data?.details?.type === 'suite') continue
    if (type === 'test:pass') {
      if (data?.skip !== undefined || data?.todo !== undefined) counts.skipped++
      else counts.passed++
    } else if (type === 'test:fail') {
      counts.failed++
      const seconds = ((data?.details?.duration_ms ?? 0) / 1_000).toFixed(0)
      const failed = `${data?.name ?? '?'} (${data?.file ?? '?'}), after ${seconds} s`
      counts.names.push(`${failed}: ${why(data?.details?.error).slice(0, SHOWN)}`)
      // At once, and in full: a run that is given up or killed never comes to its end.
      process.stderr.write(`failed: ${failed}: ${why(data?.details?.error)}\n`)
    }
  }
  yield JSON.stringify(counts)
}

const SHOWN = 400

/** On one line; the runner wraps what a test threw. */
function why(error: Error | undefined): string {
  const thrown = error?.cause instanceof Error ? error.cause : error
  return (thrown?.message ?? 'no error').replaceAll(/\s+/g, ' ')
}
