// `kdr run --once` makes topics of every kind identical between versions of Kafka, as Java's consumer reads them: with
// cluster rights at the target (gaps are filled by markers) and without (by empty transactions). The newest with itself is
// in faults/source-records.test.ts, as a part of `make test`.

import { describe, test } from 'node:test'
import {
  type Corpus,
  giveClusterRights,
  givenCorpus,
  mirrorAndCompare,
  withCorpusLab,
} from '../support/corpus-link.ts'
import { suite } from '../support/suite.ts'

const SUPPORTED = [
  ['3.9.2', '4.4.0'],
  ['4.4.0', '3.9.2'],
] as const
/** Now and then: in `make soak`. */
const OLDER = [
  ['3.3.2', '4.4.0'],
  ['4.4.0', '3.7.2'],
] as const
const PAIRS = suite === 'soak' ? [...SUPPORTED, ...OLDER] : SUPPORTED

const skip = suite === 'short' && 'in make test-full'
for (const [source, target] of PAIRS) {
  describe(`topics of every kind, from ${source} to ${target}`, { skip }, () => {
    const context = withCorpusLab(source, target)
    let corpus: Corpus

    test('given a corpus at the source, and a principal that may read there and nothing more', async () => {
      corpus = await givenCorpus(context)
    })

    test('without cluster rights at the target both sides are identical', async () => {
      await mirrorAndCompare(context, corpus, 'bare')
    })

    test('with cluster rights at the target both sides are identical', async () => {
      await giveClusterRights(context)
      await mirrorAndCompare(context, corpus, 'rights')
    })
  })
}
