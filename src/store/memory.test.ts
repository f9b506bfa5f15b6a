import { describe } from 'node:test'
import { storeConformance } from '../../test/store/conformance.ts'
import { MemoryStore } from './memory.ts'

describe('a store in memory', () => {
  storeConformance(() => Promise.resolve(new MemoryStore()))
})
