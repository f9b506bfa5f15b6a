// Clusters and stores that a command opens one after the other, and closes together.
import { recordCodec } from '../kafka/records.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { StateStore } from '../ports/state.ts'
import { openTopicStore } from '../state/topic-store.ts'
import { systemClock, systemEntropy } from './system.ts'

type Closable = { close(): Promise<void> }

/** What was opened is closed in the other order. */
export class Opened {
  readonly #all: Closable[] = []
  #isClosed = false

  /** Throws KdrError('unreachable') where all was closed meanwhile: what comes too late is closed too. */
  async add<T extends Closable>(opening: Promise<T>): Promise<T> {
    const opened = await opening
    if (this.#isClosed) {
      await opened.close()
      throw new KdrError('unreachable', 'it was given up meanwhile')
    }
    this.#all.unshift(opened)
    return opened
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const each of this.#all.splice(0)) await each.close()
  }
}

export async function ifReachable<T>(opening: Promise<T>): Promise<T | undefined> {
  try {
    return await opening
  } catch (error) {
    if (findKdrError(error)?.code === 'unreachable') return undefined
    throw error
  }
}

export async function storeOf(
  cluster: Cluster,
  options: { readonly create: boolean; readonly topic?: string },
): Promise<StateStore & Closable> {
  return await openTopicStore(cluster, recordCodec, systemClock, {
    ...options,
    writer: systemEntropy.bits62(),
  })
}
