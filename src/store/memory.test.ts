import { describe } from 'node:test'
import { lockConformance, storeConformance } from '../../test/store/conformance.ts'
import { MemoryStore } from './memory.ts'

describe('a store in memory', () => {
  storeConformance(() => Promise.resolve(new MemoryStore()))
  const now = (): number => 1_800_000_000_000
  lockConformance(
    () => Promise.resolve(new MemoryStore({ keepMs: 86_400_000, slackMs: 3_600_000, now })),
    now,
  )
})
