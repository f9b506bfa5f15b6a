// Which part of a backup is restored, and under which names, as an operator says it.
import { KdrError } from './errors.ts'

export type Rename = { readonly from: string; readonly to: string }
export type UntilOffset = { readonly topic: string; readonly partition: number; readonly offset: number }

export type Choice = {
  /** All when empty. */
  readonly topics: readonly string[]
  /** Of each topic; all when empty. */
  readonly partitions: readonly number[]
  readonly renames: readonly Rename[]
  readonly untilOffsets: readonly UntilOffset[]
  readonly withGroups: boolean
}

/** Whether it is the whole point, as it was. */
export const isWhole = ({ topics, partitions, renames, untilOffsets }: Choice): boolean =>
  topics.length + partitions.length + renames.length + untilOffsets.length === 0

const LEGAL_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/

/** `FROM=TO`; with `*` at the end of both, all that begin with FROM begin with TO. Throws KdrError('usage'). */
export function parseRename(text: string): Rename {
  const at = text.indexOf('=')
  const rename = { from: text.slice(0, Math.max(0, at)), to: text.slice(at + 1) }
  const isPattern = rename.from.endsWith('*')
  const plain = (name: string): string => (isPattern ? name.replace(/\*$/, 'x') : name)
  if (
    at > 0 &&
    isPattern === rename.to.endsWith('*') &&
    LEGAL_NAME.test(plain(rename.from)) &&
    LEGAL_NAME.test(plain(rename.to))
  )
    return rename
  throw new KdrError('usage', `"${text}" does not say how a topic is to be called`, {
    hint: 'Write the old and the new name, `orders=orders-restored`, or what names begin with, `pay-*=old-pay-*`.',
  })
}

/** `TOPIC/PARTITION=OFFSET`. Throws KdrError('usage'). */
export function parseUntilOffset(text: string): UntilOffset {
  const [, topic, partition, offset] = /^([a-zA-Z0-9._-]+)\/(\d{1,9})=(\d{1,15})$/.exec(text) ?? []
  if (topic !== undefined) return { topic, partition: Number(partition), offset: Number(offset) }
  throw new KdrError('usage', `"${text}" is no place in a partition`, {
    hint: 'Write it like `orders/0=1200`: partition 0 up to offset 1199.',
  })
}

/** By the first that fits. */
export function newName(name: string, renames: readonly Rename[]): string {
  const rename = renames.find(each => meets(each, name))
  if (rename === undefined) return name
  const { from, to } = rename
  return from.endsWith('*') ? to.slice(0, -1) + name.slice(from.length - 1) : to
}

export function meets({ from }: Rename, name: string): boolean {
  return from.endsWith('*') ? name.startsWith(from.slice(0, -1)) : name === from
}
